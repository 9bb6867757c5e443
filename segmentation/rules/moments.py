"""Days and durations of rules, and the moments they mean for an organization at a given time."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


class Unit(StrEnum):
    HOURS = "hours"
    DAYS = "days"
    WEEKS = "weeks"
    MONTHS = "months"
    YEARS = "years"


# A century is further than any record; beyond it dates would leave the calendar.
_FIRST_DAY, _LAST_DAY = date.min + timedelta(days=2), date.max - timedelta(days=2)
LONGEST = {Unit.HOURS: 8_784, Unit.DAYS: 36_525, Unit.WEEKS: 5_218, Unit.MONTHS: 1_200, Unit.YEARS: 100}


@dataclass(frozen=True, slots=True)
class Duration:
    """So many hours, days, weeks, months or years."""

    amount: int
    unit: Unit


class Direction(StrEnum):
    AGO = "ago"
    AHEAD = "ahead"


@dataclass(frozen=True, slots=True)
class RelativeDay:
    """A day counted from the day of asking; ``today`` is 0 days ago."""

    duration: Duration
    direction: Direction


Day = date | RelativeDay


@dataclass(frozen=True, slots=True)
class Clock:
    """The moment a rule is asked at, and the time zone its days are read in."""

    now: datetime
    zone: ZoneInfo

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    def day(self, day: Day) -> date:
        """The calendar day that is meant."""
        if not isinstance(day, RelativeDay):
            return day
        return self.shifted(day.duration, -1 if day.direction is Direction.AGO else 1)

    def shifted(self, duration: Duration, sign: int) -> date:
        """The day so long before (-1) or after (1) today."""
        return _shifted(self.today, sign * duration.amount, duration.unit)

    def starts(self, day: date) -> datetime:
        """The first moment of a day. Where midnight is skipped by the clock change, the moment the day begins."""
        # Rules may hold days from before their years were limited, at the ends of the calendar.
        day = min(max(day, _FIRST_DAY), _LAST_DAY)
        return datetime.combine(day, time(), self.zone).astimezone(UTC)

    def ends(self, day: date) -> datetime:
        """The first moment after a day."""
        return self.starts(min(day, _LAST_DAY) + timedelta(days=1))

    def moved(self, duration: Duration, sign: int) -> datetime:
        """The moment so long before (-1) or after (1) now: hours are exact, days keep the time on the wall."""
        if duration.unit is Unit.HOURS:
            return self.now.astimezone(UTC) + timedelta(hours=sign * duration.amount)
        local = self.now.astimezone(self.zone)
        shifted = _shifted(local.date(), sign * duration.amount, duration.unit)
        return local.replace(year=shifted.year, month=shifted.month, day=shifted.day).astimezone(UTC)

    def anniversaries(self, days: int) -> list[str]:
        """Month and day (``02-28``) of today and the next ``days`` days; 29 February falls on the 28th in other years."""
        found: list[str] = []
        for offset in range(days + 1):
            day = self.today + timedelta(days=offset)
            found.append(f"{day:%m-%d}")
            if (day.month, day.day) == (2, 28) and monthrange(day.year, 2)[1] == 28:
                found.append("02-29")
        return list(dict.fromkeys(found))


def _shifted(day: date, amount: int, unit: Unit) -> date:
    try:
        if unit is Unit.DAYS:
            return day + timedelta(days=amount)
        if unit is Unit.WEEKS:
            return day + timedelta(weeks=amount)
        months = day.year * 12 + day.month - 1 + amount * (12 if unit is Unit.YEARS else 1)
        year, month = divmod(months, 12)
        return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
    except (OverflowError, ValueError):
        return _LAST_DAY if amount > 0 else _FIRST_DAY
