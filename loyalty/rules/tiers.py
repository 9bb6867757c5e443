"""A member's tier as a pure function of what they did and of the clock.

A level is reached the moment its threshold is. When what counts in the window no longer reaches it, the level is kept for
the days of grace and then lost; with a soft landing only one level is lost at a time, each kept for one window more.
Because the whole history is read again, a refund takes back what its sale had counted for, as if it had never been.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

from loyalty.rules.months import first_of_year, same_time_later
from loyalty.rules.terms import Level, Tiers, WindowKind

NO_LEVEL = -1


@dataclass(frozen=True, slots=True)
class Contribution:
    """Something that counts towards a level: points, minor units spent, or visits; never negative after refunds."""

    at: datetime
    amount: int


@dataclass(frozen=True, slots=True)
class TierStanding:
    """Where a member stands. ``until`` is when the level would be lost if nothing more happened."""

    level: Level | None
    since: datetime | None
    until: datetime | None
    counted: int
    next_level: Level | None
    missing: int


@dataclass(frozen=True, slots=True)
class _State:
    """The level that is held, and the one that what counts would earn by itself."""

    level: int
    earned: int
    since: datetime | None = None
    falls_at: datetime | None = None


def tier_standing(tiers: Tiers, contributions: Iterable[Contribution], *, at: datetime, zone: ZoneInfo) -> TierStanding:
    """Where a member with these contributions stands ``at`` a moment.

    Args:
        zone: whose midnights begin calendar years.
    """
    window = _Window(tiers, sorted((each for each in contributions if each.at <= at), key=lambda each: each.at), zone)
    base = window.level_of(0)
    state = _State(base, base)
    for moment in window.turning_points():
        if moment <= at:
            state = _turn(tiers, _fall(tiers, state, moment, window), moment, window)
    state = _fall(tiers, state, at, window)
    counted = window.counted_at(at)
    upper = tiers.levels[state.level + 1] if state.level + 1 < len(tiers.levels) else None
    return TierStanding(
        level=tiers.levels[state.level] if state.level >= 0 else None,
        since=state.since,
        until=state.falls_at or _loses_at(state, window, at),
        counted=counted,
        next_level=upper,
        missing=max(0, upper.threshold - counted) if upper else 0,
    )


def _turn(tiers: Tiers, state: _State, moment: datetime, window: "_Window") -> _State:
    """What counts has changed at ``moment``."""
    earned = window.level_of(window.counted_at(moment))
    if earned > state.level:
        return _State(earned, earned, since=moment)
    if earned == state.level:
        return replace(state, earned=earned, falls_at=None)
    falls_at = state.falls_at or window.end_of_grace(moment)
    return _fall(tiers, replace(state, earned=earned, falls_at=falls_at), moment, window)


def _fall(tiers: Tiers, state: _State, moment: datetime, window: "_Window") -> _State:
    """Lose what is due to be lost up to ``moment``."""
    while state.falls_at is not None and state.falls_at <= moment:
        level = state.level - 1 if tiers.soft_landing else state.earned
        kept_until = window.one_more(state.falls_at) if level > state.earned else None
        state = _State(level, state.earned, state.falls_at, kept_until)
    return state


def _loses_at(state: _State, window: "_Window", at: datetime) -> datetime | None:
    for moment in window.turning_points():
        if moment > at and window.level_of(window.counted_at(moment)) < state.level:
            return window.end_of_grace(moment)
    return None


class _Window:
    """What counts at a moment: the last months before it, or the better of its calendar year and the one before."""

    def __init__(self, tiers: Tiers, contributions: Sequence[Contribution], zone: ZoneInfo) -> None:
        self.tiers, self.zone = tiers, zone
        self.rolls = tiers.window.kind is WindowKind.ROLLING
        self.begins = [each.at for each in contributions]
        self.sums = [0, *accumulate(each.amount for each in contributions)]
        # Not in the order in which they began: 30 January's last hours and 31 January's first ones end on one day.
        ended = sorted((self.one_more(each.at), each.amount) for each in contributions)
        self.ends = [end for end, _amount in ended]
        self.ended_sums = [0, *accumulate(amount for _end, amount in ended)]

    def counted_at(self, moment: datetime) -> int:
        if self.rolls:
            return self.sums[bisect_right(self.begins, moment)] - self.ended_sums[bisect_right(self.ends, moment)]
        current = self._year(moment)
        before = self._year(current - timedelta(days=1))
        known = bisect_right(self.begins, moment)
        first, second = (min(known, bisect_left(self.begins, start)) for start in (before, current))
        return max(self.sums[known] - self.sums[second], self.sums[second] - self.sums[first])

    def level_of(self, counted: int) -> int:
        return max((index for index, level in enumerate(self.tiers.levels) if counted >= level.threshold), default=NO_LEVEL)

    def turning_points(self) -> list[datetime]:
        """Moments at which what counts changes, or will when nothing more happens, in order."""
        return sorted({*self.begins, *(self.ends if self.rolls else self._year_starts())})

    def end_of_grace(self, moment: datetime) -> datetime:
        return moment + timedelta(days=self.tiers.grace_days)

    def one_more(self, moment: datetime) -> datetime:
        months = self.tiers.window.months if self.rolls else 12
        return same_time_later(moment, months, zone=self.zone, calendar=self.tiers.window.calendar)

    def _year(self, moment: datetime) -> datetime:
        return first_of_year(moment, zone=self.zone, calendar=self.tiers.window.calendar)

    def _year_starts(self) -> set[datetime]:
        """The two years after each one in which something counted: there it stops counting as this one, then as the one before."""
        following = {self.one_more(self._year(at)) for at in self.begins}
        return following | {self.one_more(start) for start in following}
