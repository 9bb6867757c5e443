"""A rule change tried on last year's history before it goes live: what it would have cost, and for whom."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Final

from accounts.models import Location
from crm.models import Purchase, PurchaseKind, Visit, VisitState
from loyalty.models import Member
from loyalty.queries.clocks import Clocks
from loyalty.queries.conditions import Conditions
from loyalty.queries.programs import TermsBook, Version
from loyalty.queries.receipts import receipts_that_decide
from loyalty.rules.earning import ON_PURCHASE, Occasion
from loyalty.rules.liability import Worth
from loyalty.rules.receipts import Line, remaining_lines
from loyalty.rules.simulation import Happening, History
from loyalty.rules.terms import EarnOn, Enrolment, ProgramTerms

MOST_MEMBERS: Final = 5_000  # counted in a few seconds, and what such a sample earns is what all do to a few per cent
CHUNK: Final = 500
HISTORY: Final = timedelta(days=365)
SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one set of terms would have issued, and what those points are worth (minor units, expected redemption)."""

    points: int
    cost_minor: int


@dataclass(frozen=True, slots=True)
class Change:
    """What a member would have earned before and after."""

    member_id: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Deed:
    """A purchase with what is left of its lines, or a visit without any, at the time that the clocks there showed."""

    customer_id: int
    at: datetime
    location: int | None
    kinds: Collection[EarnOn]
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Simulation:
    """Two sets of terms on the same history. Of more than ``MOST_MEMBERS`` members an even sample was counted."""

    members: int
    members_in_all: int
    before: Outcome
    after: Outcome
    winners: int
    losers: int
    most_won: tuple[Change, ...]
    most_lost: tuple[Change, ...]

    @property
    def is_sample(self) -> bool:
        return self.members < self.members_in_all

    @property
    def unchanged(self) -> int:
        return self.members - self.winners - self.losers


def simulate_terms(*, program_id: int, draft: ProgramTerms, now: datetime) -> Simulation:
    """Count the last 365 days under the terms in force and under a draft.

    Purchases less what came back, and visits, are counted, with the tiers members have now and the conditions that hold
    now; birthdays, milestones, referrals and other events are left out of both sides alike.
    """
    book = TermsBook()
    in_force = book.in_force(program_id, now)
    drafted = Version(0, program_id, 0, now, draft)
    current = in_force or Version(-1, program_id, 0, now, ProgramTerms())
    member_ids, in_all = _sample(program_id)
    share = Fraction(len(member_ids), in_all or 1)
    sides = [(version, History(version.terms, share=share)) for version in (current, drafted)]
    for start in range(0, len(member_ids), CHUNK):
        members = list(Member.objects.filter(pk__in=member_ids[start : start + CHUNK]))
        conditions = Conditions([member.customer_id for member in members], now)
        deeds = list(_deeds([member.customer_id for member in members], now))
        for version, history in sides:
            for happening in _happenings(members, deeds, version, conditions):
                history.count(happening)
    return _compare(member_ids, in_all, *(history for _version, history in sides))


def _sample(program_id: int) -> tuple[list[int], int]:
    ids = list(Member.objects.filter(program_id=program_id, is_active=True).order_by("id").values_list("pk", flat=True))
    step = -(-len(ids) // MOST_MEMBERS) or 1
    return ids[::step], len(ids)


def _deeds(customer_ids: Sequence[int], now: datetime) -> Iterator[Deed]:
    """Last year's purchases, then its visits, each in the order of time; whatever the terms."""
    clocks, places, left = Clocks(), Location.objects.in_bulk(), _lines_left(customer_ids, now)
    last_year = (now - HISTORY, now)
    sales = Purchase.objects.filter(customer_id__in=customer_ids, kind=PurchaseKind.SALE, purchased_at__range=last_year)
    for sale, customer_id, at, location in sales.order_by("purchased_at", "id").values_list(
        "pk", "customer_id", "purchased_at", "location_id"
    ):
        yield Deed(customer_id or 0, at.astimezone(clocks.of(places.get(location or 0))), location, ON_PURCHASE, left.get(sale, ()))
    visits = Visit.objects.filter(customer_id__in=customer_ids, state=VisitState.COMPLETED, starts_at__range=last_year)
    for customer_id, at, location in visits.order_by("starts_at", "id").values_list("customer_id", "starts_at", "location_id"):
        yield Deed(customer_id, at.astimezone(clocks.of(places.get(location or 0))), location, frozenset([EarnOn.VISIT]))


def _happenings(members: Sequence[Member], deeds: Iterable[Deed], version: Version, conditions: Conditions) -> Iterator[Happening]:
    """What counts under one set of terms."""
    by_customer = {member.customer_id: member for member in members}
    is_automatic = version.terms.enrol is Enrolment.AUTOMATIC
    for deed in deeds:
        member = by_customer[deed.customer_id]
        if is_automatic or member.joined_at <= deed.at:
            occasion = Occasion(deed.at, deed.location, conditions.holding(version, deed.customer_id))
            yield Happening(member.pk, occasion, member.tier, deed.kinds, deed.lines)


def _lines_left(customer_ids: Sequence[int], now: datetime) -> dict[int, tuple[Line, ...]]:
    sales = Purchase.objects.filter(customer_id__in=customer_ids, kind=PurchaseKind.SALE, purchased_at__range=(now - HISTORY, now))
    decisive = receipts_that_decide(customer_ids, list(sales.values_list("pk", flat=True)))
    return {sale: lines for receipts in decisive.values() for sale, lines in remaining_lines(receipts).items()}


def _compare(member_ids: Sequence[int], in_all: int, before: History, after: History) -> Simulation:
    changes = [Change(key, before.points[key], after.points[key]) for key in member_ids]
    by_gain = sorted(changes, key=lambda change: (change.before - change.after, change.member_id))
    winners, losers = (
        [change for change in found if sign * (change.after - change.before) > 0] for found, sign in ((by_gain, 1), (by_gain[::-1], -1))
    )
    return Simulation(
        len(member_ids), in_all, _outcome(before), _outcome(after), len(winners), len(losers), tuple(winners[:SHOWN]), tuple(losers[:SHOWN])
    )


def _outcome(history: History) -> Outcome:
    points = sum(history.points.values())
    redemption = history.terms.redemption
    worth = Worth(Fraction(redemption.minor, redemption.points), Fraction(history.terms.redeemed_share, 100))
    return Outcome(points, round(worth.of(points)))
