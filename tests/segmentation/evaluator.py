"""Rules evaluated in plain Python over a small world held in memory: the meaning that the SQL is compared with.

Written from the words of the guide, not from the compiler: it shares none of its code.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta  # type: ignore[import-untyped]  # comes with Celery, untyped


@dataclass
class Happening:
    kind: str
    at: datetime
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass
class Person:
    """A customer with everything rules may ask for; ``None`` and ``""`` are unknown."""

    values: dict[str, Any]
    tags: list[str] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    happenings: list[Happening] = field(default_factory=list)
    lists: set[int] = field(default_factory=set)


@dataclass
class World:
    now: datetime
    zone: ZoneInfo
    segments: dict[int, dict[str, Any] | None] = field(default_factory=dict)  # None: a fixed list

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    def holds(self, rule: dict[str, Any], person: Person) -> bool:
        if "all" in rule:
            return all(self.holds(child, person) for child in rule["all"])
        if "any" in rule:
            return any(self.holds(child, person) for child in rule["any"])
        if "none" in rule:
            return not any(self.holds(child, person) for child in rule["none"])
        if "segment" in rule:
            inner = self.segments[rule["segment"]]
            inside = rule["segment"] in person.lists if inner is None else self.holds(inner, person)
            return bool(inside == (rule.get("op", "in") == "in"))
        if "event" in rule:
            return self._counted(rule, person)
        return self._field(rule, person)

    def _counted(self, rule: dict[str, Any], person: Person) -> bool:
        found = sum(
            1
            for one in person.happenings
            if one.kind == rule["event"]
            and one.at <= self.now
            and self._within(rule.get("when"), one.at)
            and all(matches(wanted, one.properties) for wanted in rule.get("where", []))
        )
        count = rule.get("count", {"op": "at_least", "value": 1})
        return bool(
            {"at_least": found >= count["value"], "at_most": found <= count["value"], "exactly": found == count["value"]}[count["op"]]
        )

    def _within(self, window: dict[str, Any] | None, at: datetime) -> bool:
        if window is None:
            return True
        if "last" in window:
            return self.back(window["last"]) <= at
        day = at.astimezone(self.zone).date()
        return ("from" not in window or self.day(window["from"]) <= day) and ("to" not in window or day <= self.day(window["to"]))

    def back(self, duration: dict[str, int], sign: int = -1) -> datetime:
        ((unit, amount),) = duration.items()
        if unit == "hours":
            return self.now + timedelta(hours=sign * amount)
        wall: datetime = self.now.astimezone(self.zone).replace(tzinfo=None) + sign * relativedelta(**{unit: amount})
        return wall.replace(tzinfo=self.zone).astimezone(UTC)

    def day(self, day: Any) -> date:
        if isinstance(day, str):
            return date.fromisoformat(day)
        ((direction, duration),) = day.items()
        day_meant: date = self.today + (-1 if direction == "ago" else 1) * relativedelta(**duration)
        return day_meant

    def _field(self, rule: dict[str, Any], person: Person) -> bool:
        key, operator, wanted = rule["field"], rule["op"], rule.get("value")
        opposite = {
            "is_not": "is",
            "none_of": "any_of",
            "not_contains": "contains",
            "not_equals": "equals",
            "not_in_last": "in_last",
            "has_none": "has_any",
            "unknown": "known",
        }
        if operator in opposite:
            return not self._field({**rule, "op": opposite[operator]}, person)
        value = self.value(key, person)
        if value in (None, "", []):
            return False
        return operator == "known" or bool(self._compare(operator, value, wanted))

    def value(self, key: str, person: Person) -> Any:
        if key.startswith("attribute."):
            value = person.attributes.get(key.removeprefix("attribute."))
            return date.fromisoformat(value) if key == "attribute.joined" and value else value
        if key == "tags":
            return person.tags
        if key == "age":
            born = person.values["birthday"]
            return born and self.today.year - born.year - ((self.today.month, self.today.day) < (born.month, born.day))
        if key == "average_order":
            times = person.values["purchase_count"]
            return Fraction(person.values["spent"], times) if times else None
        return person.values[key]

    def _compare(self, operator: str, value: Any, wanted: Any) -> Any:
        if isinstance(value, list):
            return set(value) & set(wanted) if operator == "has_any" else set(wanted) <= set(value)
        if isinstance(value, datetime):
            return self._moment(operator, value, wanted)
        if isinstance(value, date):
            return self._day(operator, value, wanted)
        if isinstance(value, str):
            return text(operator, value, wanted)
        match operator:
            case "is" | "equals":
                return value == exact(wanted)
            case "any_of":
                return value in wanted
            case "between":
                return exact(wanted[0]) <= value <= exact(wanted[1])
            case "at_least":
                return value >= exact(wanted)
            case "at_most":
                return value <= exact(wanted)
            case "more_than":
                return value > exact(wanted)
            case _:
                return value < exact(wanted)

    def _moment(self, operator: str, value: datetime, wanted: Any) -> bool:
        match operator:
            case "in_last":
                return self.back(wanted) <= value <= self.now
            case "in_next":
                return self.now < value <= self.back(wanted, 1)
            case _:
                return self._day(operator, value.astimezone(self.zone).date(), wanted)

    def _day(self, operator: str, value: date, wanted: Any) -> bool:
        match operator:
            case "before":
                return value < self.day(wanted)
            case "since":
                return value >= self.day(wanted)
            case "on":
                return value == self.day(wanted)
            case "between":
                return self.day(wanted[0]) <= value <= self.day(wanted[1])
            case "in_last":
                return self.day({"ago": wanted}) <= value <= self.today
            case "in_next":
                return self.today <= value <= self.day({"ahead": wanted})
            case _:
                return any(_birthday(value, self.today + timedelta(days=ahead)) for ahead in range(wanted["days"] + 1))


def _birthday(born: date, day: date) -> bool:
    try:
        return born.replace(year=day.year) == day
    except ValueError:  # born on 29 February, and this year has none
        return (day.month, day.day) == (2, 28)


def text(operator: str, value: str, wanted: Any) -> Any:
    folded = value.upper()
    match operator:
        case "is":
            return folded == wanted.upper()
        case "any_of":
            return folded in {item.upper() for item in wanted}
        case "contains":
            return wanted.upper() in folded
        case "starts_with":
            return folded.startswith(wanted.upper())
        case _:
            return folded.endswith(wanted.upper())


def exact(number: Any) -> Any:
    return Fraction(str(number)) if isinstance(number, float) else number


def matches(wanted: dict[str, Any], properties: dict[str, Any]) -> bool:
    operator, value = wanted["op"], wanted.get("value", "")
    opposite = {"is_not": "is", "none_of": "any_of", "unknown": "known"}
    if operator in opposite:
        return not matches({**wanted, "op": opposite[operator]}, properties)
    found = properties.get(wanted["property"])
    if operator == "known":
        return found not in (None, "")
    items = found if isinstance(found, list) else [found]
    match operator:
        case "is":
            return any(same(item, value) for item in items)
        case "any_of":
            return any(same(item, one) for item in items for one in value)
        case "contains":
            return any(isinstance(item, str) and value.upper() in item.upper() for item in items)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return False
    a, b = exact(found), exact(value)
    return bool({"at_least": a >= b, "at_most": a <= b, "more_than": a > b, "less_than": a < b}[operator])


def same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and isinstance(one, str) == isinstance(other, str) and one == other


__all__ = ["Happening", "Person", "World", "matches"]
