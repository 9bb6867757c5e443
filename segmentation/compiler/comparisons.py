"""A field compared with a value, as an ORM condition. Every condition here is the positive of its operator.

Negative operators ("is not") are complements (``segmentation.rules.operators.COMPLEMENTS``) and made by the caller, so
that "is" and "is not" divide all customers between them, those with an unknown value included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    BigIntegerField,
    BooleanField,
    CharField,
    DateField,
    DateTimeField,
    DecimalField,
    Expression,
    F,
    Field,
    Q,
    Value,
)
from django.db.models.functions import Upper
from django.db.models.lookups import (
    EndsWith,
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    IContains,
    In,
    IsNull,
    LessThan,
    LessThanOrEqual,
    StartsWith,
)

from segmentation.expressions import ArrayHasAll, ArrayOverlaps, Cardinality, MonthAndDay
from segmentation.rules import Clock
from segmentation.rules.operands import MAX_TEXT
from segmentation.rules.operators import ValueType

Operand = Expression | F
Compare = Callable[[Operand, Any, Clock], Q]

ORDER = {"at_least": GreaterThanOrEqual, "at_most": LessThanOrEqual, "more_than": GreaterThan, "less_than": LessThan}
SIDE = {"before": LessThan, "since": GreaterThanOrEqual}
SPELLED = {"is": Exact, "starts_with": StartsWith, "ends_with": EndsWith}


def compare(kind: ValueType, operator: str, expression: Operand, value: Any, clock: Clock) -> Q:
    """The condition ``expression operator value`` for a value of this type."""
    return _BY_TYPE[kind](operator, expression, value, clock)


def number(value: int | Decimal) -> Value:
    """A number with its type, so that no comparison rounds it to the type of a column."""
    field: Field[Any, Any] = DecimalField() if isinstance(value, Decimal) else BigIntegerField()
    return Value(value, output_field=field)


def all_of(*conditions: Any) -> Q:
    """Conditions that have to hold together."""
    joined = Q()
    for condition in conditions:
        joined &= condition if isinstance(condition, Q) else Q(condition)
    return joined


def any_of(conditions: Iterable[Any]) -> Q:
    """Conditions of which one has to hold."""
    joined = Q()
    for condition in conditions:
        joined |= condition if isinstance(condition, Q) else Q(condition)
    return joined


def _text(operator: str, expression: Operand, value: Any, clock: Clock) -> Q:
    match operator:
        case "known":
            return _known_text(expression)
        case "any_of":
            return Q(In(Upper(expression), [Upper(_characters(item)) for item in value]))
        case "contains":
            return Q(IContains(expression, value))
        case _:
            return Q(SPELLED[operator](Upper(expression), Upper(_characters(value))))


def _choice(operator: str, expression: Operand, value: Any, clock: Clock) -> Q:
    match operator:
        case "is":
            return Q(Exact(expression, _characters(value)))
        case "any_of":
            return Q(In(expression, [_characters(item) for item in value]))
        case _:
            return _known_text(expression)


def _known_text(expression: Operand) -> Q:
    return Q(GreaterThan(expression, _characters("")))


def _number(operator: str, expression: Operand, value: Any, clock: Clock) -> Q:
    match operator:
        case "between":
            return all_of(GreaterThanOrEqual(expression, number(value[0])), LessThanOrEqual(expression, number(value[1])))
        case "known":
            return _known(expression)
        case _:
            return Q({**ORDER, "equals": Exact}[operator](expression, number(value)))


def _boolean(operator: str, expression: Operand, value: Any, clock: Clock) -> Q:
    return _known(expression) if operator == "known" else Q(Exact(expression, Value(value, output_field=BooleanField())))


def _moment(operator: str, expression: Operand, value: Any, clock: Clock) -> Q:
    match operator:
        case "known":
            return _known(expression)
        case "before" | "since":
            return Q(SIDE[operator](expression, _instant(clock.starts(clock.day(value)))))
        case "in_next":
            return all_of(GreaterThan(expression, _instant(clock.now)), LessThanOrEqual(expression, _instant(clock.moved(value, 1))))
        case "in_last":
            return all_of(
                GreaterThanOrEqual(expression, _instant(clock.moved(value, -1))), LessThanOrEqual(expression, _instant(clock.now))
            )
        case _:
            first, last = value if operator == "between" else (value, value)
            return all_of(
                GreaterThanOrEqual(expression, _instant(clock.starts(clock.day(first)))),
                LessThan(expression, _instant(clock.ends(clock.day(last)))),
            )


def _date(operator: str, expression: Operand, value: Any, clock: Clock) -> Q:
    match operator:
        case "known":
            return _known(expression)
        case "before" | "since":
            return Q(SIDE[operator](expression, _calendar(clock.day(value))))
        case "anniversary_in_next":
            return Q(In(MonthAndDay(expression), [_characters(day) for day in clock.anniversaries(value.amount)]))
        case _:
            first, last = _days(operator, value, clock)
            return all_of(GreaterThanOrEqual(expression, _calendar(first)), LessThanOrEqual(expression, _calendar(last)))


def _days(operator: str, value: Any, clock: Clock) -> tuple[date, date]:
    match operator:
        case "in_last":
            return clock.shifted(value, -1), clock.today
        case "in_next":
            return clock.today, clock.shifted(value, 1)
        case "between":
            return clock.day(value[0]), clock.day(value[1])
        case _:
            return clock.day(value), clock.day(value)


def _tags(operator: str, expression: Operand, value: Any, clock: Clock) -> Q:
    match operator:
        case "has_any":
            return Q(ArrayOverlaps(expression, _texts(value)))
        case "has_all":
            return Q(ArrayHasAll(expression, _texts(value)))
        case _:
            return Q(GreaterThan(Cardinality(expression), Value(0)))


def _reference(operator: str, expression: Operand, value: Any, clock: Clock) -> Q:
    return _known(expression) if operator == "known" else Q(In(expression, [number(item) for item in value]))


def _known(expression: Operand) -> Q:
    return Q(IsNull(expression, False))


def _characters(value: str) -> Value:
    return Value(value, output_field=CharField())


def _texts(values: Iterable[str]) -> Value:
    # As long as a text in rules may be: a cast to the length of a tag would cut a longer one until it fits.
    return Value(list(values), output_field=ArrayField(CharField(max_length=MAX_TEXT)))


def _instant(value: datetime) -> Value:
    return Value(value, output_field=DateTimeField())


def _calendar(value: date) -> Value:
    return Value(value, output_field=DateField())


_BY_TYPE: dict[ValueType, Callable[[str, Operand, Any, Clock], Q]] = {
    ValueType.TEXT: _text,
    ValueType.CHOICE: _choice,
    ValueType.NUMBER: _number,
    ValueType.MONEY: _number,
    ValueType.BOOLEAN: _boolean,
    ValueType.MOMENT: _moment,
    ValueType.DATE: _date,
    ValueType.TAGS: _tags,
    ValueType.REFERENCE: _reference,
}
