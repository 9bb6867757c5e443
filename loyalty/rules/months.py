"""Months and years of the Gregorian and the Jalali calendar, on local clocks."""

from calendar import monthrange
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from jdatetime import date as JalaliDay  # noqa: N812 - it is a class

from loyalty.rules.terms import Calendar

JALALI_ESFAND = 12


def day_months_later(day: date, months: int, *, calendar: Calendar) -> date:
    """The same day so many months later (or earlier); a day that the month lacks is its last one: 31 January + 1 is the end of February."""
    if calendar is Calendar.GREGORIAN:
        year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
        return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
    own = JalaliDay.fromgregorian(date=day)
    year, month = divmod(own.year * 12 + own.month - 1 + months, 12)
    return to_gregorian(year, month + 1, own.day)


def to_gregorian(year: int, month: int, day: int) -> date:
    """A Jalali day; one that the month lacks is its last one."""
    longest = 31 if month <= 6 else 30 if month < JALALI_ESFAND or JalaliDay(year, 1, 1).isleap() else 29
    found: date = JalaliDay(year, month, min(day, longest)).togregorian()
    return found


def months_later(moment: datetime, months: int, *, zone: ZoneInfo, calendar: Calendar) -> datetime:
    """The same local time so many months later."""
    local = moment.astimezone(zone)
    return datetime.combine(day_months_later(local.date(), months, calendar=calendar), local.time(), tzinfo=zone)


def first_of_year(moment: datetime, *, zone: ZoneInfo, calendar: Calendar) -> datetime:
    """The local midnight at which the calendar's year of a moment began."""
    day = moment.astimezone(zone).date()
    first = day.replace(month=1, day=1) if calendar is Calendar.GREGORIAN else to_gregorian(JalaliDay.fromgregorian(date=day).year, 1, 1)
    return midnight(first, zone=zone)


def midnight(day: date, *, zone: ZoneInfo) -> datetime:
    """The beginning of a local day."""
    return datetime.combine(day, time(), tzinfo=zone)


def end_of_day(day: date, *, zone: ZoneInfo) -> datetime:
    """The end of a local day, which is the beginning of the next, however long a change of clocks makes it."""
    return midnight(day + timedelta(days=1), zone=zone)
