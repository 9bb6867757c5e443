"""What time alone brings: points that mature or lapse, holds that lapse, birthdays."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import reduce
from operator import or_
from zoneinfo import ZoneInfo

from django.db.models import Q

from accounts.audit import SYSTEM
from accounts.tenancy import tenant
from loyalty.actions.awards import award_points
from loyalty.actions.earning import lock_all
from loyalty.ledger.moving import carry_strays
from loyalty.ledger.posting import settle_member
from loyalty.models import Entry, Member, Wallet
from loyalty.queries.clocks import Clocks
from loyalty.queries.programs import TermsBook
from loyalty.rules.earning import birthday_in
from loyalty.rules.terms import EarnOn

WALLETS = 1_000
# A sweep that was missed for this long still finds the birthdays.
DAYS_BACK = 3
# In a transaction: it holds their wallets, and somebody may stand at a till.
BIRTHDAYS = 200


@dataclass(frozen=True, slots=True)
class _Birthday:
    """A member's birthday, which begins at a moment."""

    member: Member
    at: datetime

    @property
    def key(self) -> str:
        return f"birthday:{self.member.pk}:{self.at.year}"


def settle_due_wallets(*, organization_id: int, now: datetime) -> int:
    """Post what is due in an organization's wallets, the longest due first, each in a transaction of its own; returns how many wallets.

    Points that came to a membership in the moment in which it moved go on to whoever holds the others.
    """
    with tenant(organization_id):
        due = list(Wallet.objects.filter(next_due_at__lte=now).order_by("next_due_at").values_list("member_id", flat=True)[:WALLETS])
    for member_id in due:
        with tenant(organization_id):
            settle_member(member_id=member_id, now=now)
    with tenant(organization_id):
        carry_strays(now=now)
    return len(due)


def award_birthdays(*, organization_id: int, now: datetime) -> int:
    """Award members whose birthday it is where they are, once a year, few in a transaction; returns how many were awarded."""
    book, awarded = TermsBook(), 0
    with tenant(organization_id):
        due = _due_birthdays(book, now)
    for start in range(0, len(due), BIRTHDAYS):
        with tenant(organization_id):
            few = due[start : start + BIRTHDAYS]
            lock_all(book, {one.member.customer_id for one in few})
            awarded += sum(_award_birthday(one, book, now) for one in few)
    return awarded


def _due_birthdays(book: TermsBook, now: datetime) -> list[_Birthday]:
    """Birthdays of the last days for which nothing was given yet."""
    clocks = Clocks()
    programs = [one.program_id for one in book.versions.values() if one.terms.rules_on(EarnOn.BIRTHDAY)]
    if not programs:
        return []
    members = Member.objects.filter(_born_about(now), program_id__in=programs, is_active=True).select_related("customer")
    kept = [
        _Birthday(member, datetime.combine(day, time(), zone))
        for member in members.order_by("pk")
        for zone in [clocks.of(member.customer)]
        for day in _birthdays(member, now, zone)
    ]
    known = set(Entry.objects.filter(program_id__in=programs, key__in=[one.key for one in kept]).values_list("key", flat=True))
    return [one for one in kept if one.key not in known]


def _award_birthday(one: _Birthday, book: TermsBook, now: datetime) -> bool:
    return award_points(member=one.member, on=EarnOn.BIRTHDAY, key=one.key, at=one.at, now=now, actor=SYSTEM, book=book) is not None


def _birthdays(member: Member, now: datetime, zone: ZoneInfo) -> list[date]:
    """The member's birthdays of the last days on their own calendar, since they joined."""
    today, joined_on = now.astimezone(zone).date(), member.joined_at.astimezone(zone).date()
    days = [today - timedelta(days=back) for back in range(DAYS_BACK)]
    born = member.customer.birthday
    return [day for day in days if born and day >= joined_on and birthday_in(day.year, born) == day]


def _born_about(now: datetime) -> Q:
    """Those whose birthday may be meant, whatever their time zone."""
    days = {now.date() + timedelta(days=offset) for offset in range(-DAYS_BACK - 1, 2)}
    places = {(day.month, day.day) for day in days}
    if (2, 28) in places:
        places.add((2, 29))
    return reduce(or_, (Q(customer__birthday__month=month, customer__birthday__day=day) for month, day in places))
