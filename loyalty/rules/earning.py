"""What a purchase or a visit earns: exact fractions until the end, rounded down once.

A rule's points are exact; the multipliers and the tier's percent are one fraction whatever their order; what all rules
earn together is rounded down, so no order of anything changes it. What is earned only falls as goods come back, and it
depends on what is left of the sale alone: any split of refunds takes back what one refund would.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from math import floor, prod

from loyalty.rules.postings import MAX_POINTS
from loyalty.rules.receipts import Line
from loyalty.rules.terms import CapPer, EarnOn, EarnRule, Multiplier, ProgramTerms

ON_PURCHASE = frozenset([EarnOn.AMOUNT, EarnOn.PRODUCT, EarnOn.CATEGORY])
NO_ROOMS: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True)
class Occasion:
    """When (on the clock of the place) and where something happened, and which rule trees hold for the customer."""

    at: datetime
    location: int | None = None
    holding: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Earning:
    """Points per rule, which add up to ``total``; ``exact`` is what each rule came to before rounding."""

    factor: Fraction
    points: Mapping[str, int] = field(default_factory=dict)
    exact: Mapping[str, Fraction] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.points.values())


def rules_that_hold(terms: ProgramTerms, occasion: Occasion, kinds: Collection[EarnOn]) -> list[EarnRule]:
    """The earn rules of some kinds whose conditions hold."""
    return [rule for rule in terms.earn if rule.on in kinds and _holds(rule, f"earn.{rule.key}", occasion)]


def factor_of(terms: ProgramTerms, occasion: Occasion, *, tier: str = "") -> Fraction:
    """What all that is earned is multiplied by: the multipliers whose conditions hold, and the member's tier."""
    holding = [multiplier for multiplier in terms.multipliers if _multiplies(multiplier, occasion)]
    level = terms.level(tier)
    return prod((Fraction(one.percent, 100) for one in holding), start=Fraction(level.percent if level else 100, 100))


def earning(rules: Sequence[EarnRule], factor: Fraction, lines: Iterable[Line] = (), rooms: Mapping[str, int] = NO_ROOMS) -> Earning:
    """What rules earn with these lines.

    Args:
        rooms: the most that single rules may bring, where a cap or a budget leaves less than any amount.
    """
    there = list(lines)
    exact = {rule.key: base(rule, there) * factor for rule in rules}
    limited = {key: min(points, Fraction(rooms[key])) if key in rooms else points for key, points in exact.items()}
    return Earning(factor, _rounded_together(_within_an_entry(limited)), exact)


def base(rule: EarnRule, lines: Iterable[Line]) -> Fraction:
    """What a rule is worth before any multiplier, exactly."""
    if rule.on not in ON_PURCHASE:
        return Fraction(rule.points)
    matching = [line for line in lines if _matches(rule, line)]
    if rule.per_minor is None:
        units = Fraction(sum(line.quantity for line in matching))
    else:
        units = Fraction(sum(line.amount for line in matching)) / rule.per_minor
    return max(units, Fraction()) * rule.points


def cap_window(per: CapPer, at: datetime) -> tuple[datetime, datetime] | None:
    """The local day, month or year that a cap is about, from its first moment to the one after it; ``None`` is ever."""
    day = at.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    match per:
        case CapPer.DAY:
            return day, day + timedelta(days=1)
        case CapPer.MONTH:
            first = day.replace(day=1)
            return first, (first + timedelta(days=31)).replace(day=1)
        case CapPer.YEAR:
            first = day.replace(month=1, day=1)
            return first, first.replace(year=first.year + 1)
        case CapPer.MEMBER:
            return None


def milestones(count: int, every: int) -> range:
    """Which visits or purchases up to ``count`` are milestones."""
    return range(every, count + 1, every)


def birthday_in(year: int, birthday: date) -> date:
    """The day a birthday is kept in a year: 29 February on the 28th in other years."""
    try:
        return birthday.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def _within_an_entry(exact: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """As much of it as one entry can be about, the first rules first: terms may ask for more than any ledger holds."""
    points, left = {}, Fraction(MAX_POINTS)
    for key, share in exact.items():
        points[key] = min(share, left)
        left -= points[key]
    return points


def _rounded_together(exact: Mapping[str, Fraction]) -> dict[str, int]:
    """Whole points that add up to the sum rounded down; none is more than its fraction rounded up."""
    points, before = {}, Fraction()
    for key, share in exact.items():
        points[key] = floor(before + share) - floor(before)
        before += share
    return points


def _matches(rule: EarnRule, line: Line) -> bool:
    match rule.on:
        case EarnOn.PRODUCT:
            return line.product in rule.products
        case EarnOn.CATEGORY:
            return line.category in rule.categories
        case _:
            return True


def _multiplies(multiplier: Multiplier, occasion: Occasion) -> bool:
    on_day = not multiplier.weekdays or occasion.at.weekday() in multiplier.weekdays
    return on_day and _holds(multiplier, f"multipliers.{multiplier.key}", occasion)


def _holds(rule: EarnRule | Multiplier, name: str, occasion: Occasion) -> bool:
    return (
        (rule.rules is None or name in occasion.holding)
        and (not rule.locations or occasion.location in rule.locations)
        and (rule.valid_from is None or rule.valid_from <= occasion.at)
        and (rule.valid_until is None or occasion.at < rule.valid_until)
    )
