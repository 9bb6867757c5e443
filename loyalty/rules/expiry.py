"""When points become available and when they expire: always at the end of a local day of the member.

Under the activity policy each lot carries a moment of its own like any other lot, reckoned from the purchases and visits
that are known when it is earned. Each later one posts an entry that moves on the moment of all lots earned under such
terms that were there and have not lapsed. So what is spent first, what expires and when stay one rule for all lots, lots
and entries stay as they were posted, and the dates can be worked out again from the entries alone. What has lapsed stays
lapsed, also when an older purchase turns up later.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from loyalty.rules.months import day_of, end_of_day, months_later, read_day
from loyalty.rules.terms import Expiry, ExpiryKind


def matures_at(pending_days: int, earned_at: datetime, zone: ZoneInfo) -> datetime | None:
    """The moment from which points can be spent; ``None`` is at once."""
    if not pending_days:
        return None
    return end_of_day(earned_at.astimezone(zone).date() + timedelta(days=pending_days), zone)


def expires_at(expiry: Expiry, earned_at: datetime, zone: ZoneInfo) -> datetime | None:
    """The moment from which points are gone, if nothing happens after they were earned."""
    earned_on = earned_at.astimezone(zone).date()
    match expiry.kind:
        case ExpiryKind.NEVER:
            return None
        case ExpiryKind.AGE | ExpiryKind.ACTIVITY:
            return end_of_day(months_later(earned_on, expiry.months, expiry.calendar), zone)
        case ExpiryKind.CALENDAR:
            return end_of_day(_next_day_of_year(months_later(earned_on, expiry.months, expiry.calendar), expiry), zone)


def inactive_at(expiry: Expiry, earned_at: datetime, activity: Iterable[datetime], zone: ZoneInfo) -> datetime | None:
    """``expires_at`` moved on by each purchase or visit that came before the points were gone."""
    lapses_at = expires_at(expiry, earned_at, zone)
    for at in sorted(activity) if expiry.kind is ExpiryKind.ACTIVITY else ():
        if lapses_at is not None and earned_at <= at < lapses_at:
            lapses_at = expires_at(expiry, at, zone)
    return lapses_at


def _next_day_of_year(earliest: date, expiry: Expiry) -> date:
    year, _month, _of_month = read_day(earliest, expiry.calendar)
    this_year = day_of(year, expiry.month, expiry.day, expiry.calendar)
    return this_year if this_year >= earliest else day_of(year + 1, expiry.month, expiry.day, expiry.calendar)
