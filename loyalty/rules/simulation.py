"""What terms would have earned: a history counted again, with the caps and budgets of its rules."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from loyalty.rules.earning import Occasion, cap_window, earning, factor_of, rules_that_hold
from loyalty.rules.receipts import Line
from loyalty.rules.terms import EarnOn, EarnRule, ProgramTerms

Window = tuple[datetime, datetime] | None


@dataclass(frozen=True, slots=True)
class Happening:
    """A purchase with what is left of its lines, or a visit without any."""

    member: int
    occasion: Occasion
    tier: str
    kinds: Collection[EarnOn]
    lines: tuple[Line, ...] = ()


class History:
    """Counts what happened under one set of terms; budgets are used up in the order in which things are counted.

    Args:
        share: how much of all that happened will be counted; a sample uses up so much of a budget.
    """

    def __init__(self, terms: ProgramTerms, *, share: Fraction = Fraction(1)) -> None:
        self.terms = terms
        self._share = share
        self.points: Counter[int] = Counter()
        self._capped: Counter[tuple[int, str, Window]] = Counter()
        self._used: Counter[str] = Counter()

    def count(self, what: Happening) -> int:
        """Count one happening; returns the points it earns."""
        rules = rules_that_hold(self.terms, what.occasion, what.kinds)
        rooms = {rule.key: room for rule in rules if (room := self._room(rule, what)) is not None}
        earned = earning(rules, factor_of(self.terms, what.occasion, tier=what.tier), what.lines, rooms)
        for rule in rules:
            self._used[rule.key] += earned.points[rule.key]
            if rule.cap:
                self._capped[what.member, rule.key, cap_window(rule.cap.per, what.occasion.at)] += earned.points[rule.key]
        self.points[what.member] += earned.total
        return earned.total

    def _room(self, rule: EarnRule, what: Happening) -> int | None:
        rooms = []
        if rule.cap:
            rooms.append(rule.cap.points - self._capped[what.member, rule.key, cap_window(rule.cap.per, what.occasion.at)])
        if rule.budget:
            rooms.append(int(rule.budget * self._share) - self._used[rule.key])
        return max(min(rooms), 0) if rooms else None
