"""What a cart would bring a member, and what their points and tier can do for it; nothing is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from accounts.models import Location
from crm.actions import NewLine
from loyalty.actions.earning import Occurrence, expected_earning
from loyalty.models import Member, ProgramState
from loyalty.queries.clocks import Clocks
from loyalty.queries.conditions import Conditions
from loyalty.queries.programs import TermsBook, Version, terms_in_force
from loyalty.queries.rewards import Offered, catalogue_for
from loyalty.queries.tiers import tier_at, tier_before
from loyalty.queries.wallets import spendable
from loyalty.rules.earning import ON_PURCHASE, Occasion, factor_of, rules_that_hold
from loyalty.rules.receipts import Line
from loyalty.rules.terms import Level
from loyalty.rules.till import missing_points, most_points, worth_minor


@dataclass(frozen=True, slots=True)
class Quote:
    """What a till shows before anything is done.

    ``rules`` are the points that the cart would earn, by rule. ``spendable`` can be spent in all, ``redeemable`` of it for
    this cart, worth ``worth_minor``; ``missing`` more are needed before any can pay. ``paid_minor`` is what the points asked about would pay.
    """

    member: Member
    total_minor: int
    rules: Mapping[str, int]
    spendable: int
    redeemable: int
    missing: int
    worth_minor: int
    paid_minor: int
    rewards: Sequence[Offered]
    level: Level | None

    @property
    def earned(self) -> int:
        return sum(self.rules.values())


def quote_cart(
    *,
    member: Member,
    lines: Sequence[NewLine],
    now: datetime,
    points: int = 0,
    at: datetime | None = None,
    location: Location | None = None,
) -> Quote:
    """Work a cart out as a sale of it would: earned is what ``points`` leave to be paid with money."""
    at = at or now
    version = terms_in_force(member.program_id, at)
    available, total = spendable(member.pk, now), sum(line.amount_minor for line in lines)
    if version is None:
        return Quote(member, total, {}, available, 0, 0, 0, 0, [], None)
    rate = version.terms.redemption
    book = TermsBook()
    tier = tier_before(member, version, at=at, book=book)
    redeemable, paid = most_points(total, available, rate), min(worth_minor(points, rate), max(total, 0))
    return Quote(
        member,
        total,
        _earned(member, version, [*lines, NewLine(-paid)], at, location, now, tier),
        available,
        redeemable,
        missing_points(available, rate),
        worth_minor(redeemable, rate),
        paid,
        catalogue_for(member, now=now),
        version.terms.level(tier_at(member, at=at, book=book)),
    )


def _earned(
    member: Member, version: Version, lines: Sequence[NewLine], at: datetime, location: Location | None, now: datetime, tier: str
) -> Mapping[str, int]:
    if not member.is_active or member.program.state != ProgramState.ACTIVE:
        return {}
    zone = Clocks().of(location)
    occasion = Occasion(
        at.astimezone(zone), location.pk if location else None, Conditions([member.customer_id], now).holding(version, member.customer_id)
    )
    cart = tuple(
        Line(line.product_code, line.category, line.unit_price_minor, Fraction(line.quantity), Fraction(line.amount_minor))
        for line in lines
    )
    rules, factor = rules_that_hold(version.terms, occasion, ON_PURCHASE), factor_of(version.terms, occasion, tier=tier)
    return expected_earning(Occurrence(member, version, rules, occasion.at, zone, factor, cart)).points
