"""Days, months and years of the Gregorian and the Jalali calendar, on local clocks."""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from persiantools.jdatetime import JalaliDate

from loyalty.rules.terms import Calendar

FURTHEST = date(9000, 1, 1)


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first moment after a local day; where the clock skips midnight, the moment the next day begins."""
    return datetime.combine(min(day, FURTHEST) + timedelta(days=1), time(), zone).astimezone(UTC)


def last_moment(expires_at: datetime) -> datetime:
    """The last moment at which points that are gone from ``expires_at`` on are there: it names the day people expect."""
    return expires_at - timedelta(microseconds=1)


def last_day(expires_at: datetime, zone: ZoneInfo) -> date:
    """The local day at whose end something expires, which is the last one it holds on."""
    return last_moment(expires_at).astimezone(zone).date()


def months_later(day: date, months: int, calendar: Calendar) -> date:
    """The same day so many months later, or the last day of a shorter month: 31 January + 1 is the end of February."""
    year, month, of_month = read_day(day, calendar)
    years, months_on = divmod(year * 12 + month - 1 + months, 12)
    return day_of(years, months_on + 1, of_month, calendar)


def same_time_later(moment: datetime, months: int, *, zone: ZoneInfo, calendar: Calendar) -> datetime:
    """The same local time so many months later."""
    local = moment.astimezone(zone)
    return datetime.combine(months_later(local.date(), months, calendar), local.time(), tzinfo=zone)


def first_of_year(moment: datetime, *, zone: ZoneInfo, calendar: Calendar) -> datetime:
    """The local midnight at which the calendar's year of a moment began."""
    year, _month, _of_month = read_day(moment.astimezone(zone).date(), calendar)
    return datetime.combine(day_of(year, 1, 1, calendar), time(), tzinfo=zone)


def read_day(day: date, calendar: Calendar) -> tuple[int, int, int]:
    """Year, month and day of the month as the calendar has them."""
    shown = JalaliDate(day) if calendar is Calendar.JALALI else day  # type: ignore[no-untyped-call]  # untyped library
    return shown.year, shown.month, shown.day


def day_of(year: int, month: int, day: int, calendar: Calendar) -> date:
    """The day, or the last one of a shorter month."""
    if calendar is Calendar.GREGORIAN:
        return date(year, month, min(day, monthrange(year, month)[1]))
    last = JalaliDate.days_in_month(month, year)
    found: date = JalaliDate(year, month, min(day, last)).to_gregorian()  # type: ignore[no-untyped-call]  # untyped library
    return found
