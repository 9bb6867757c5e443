"""Conditions on events, as queries of customers' keys: one scan of a kind in its window, counted per customer."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import CharField, Count, F, QuerySet, Value
from django.db.models.fields.json import DataContains
from django.db.models.lookups import GreaterThan, IContains, In, IsNull

from crm.models import Event
from segmentation.compiler.comparisons import ORDER, any_of, number
from segmentation.expressions import IsNotTrue, JsonContainsText, JsonNumber, JsonText, JsonValue
from segmentation.fields import SegmentEvent
from segmentation.rules import Clock, EventCondition
from segmentation.rules.operators import COMPLEMENTS
from segmentation.rules.tree import PropertyFilter, Window


def counted_rows(condition: EventCondition, event: SegmentEvent | None, clock: Clock) -> QuerySet[Any]:
    """The events that the condition counts, whoever they belong to."""
    rows: QuerySet[Any] = event.rows() if event and event.rows else Event.objects.filter(kind=condition.kind)
    moment = event.moment if event and event.rows else "occurred_at"
    first, after = bounds(condition.window, clock)
    rows = rows.order_by().filter(**{f"{moment}__lte": clock.now})
    if first is not None:
        rows = rows.filter(**{f"{moment}__gte": first})
    if after is not None:
        rows = rows.filter(**{f"{moment}__lt": after})
    for wanted in condition.filters:
        rows = rows.filter(_filter(wanted, event))
    return rows


def customer_column(event: SegmentEvent | None) -> str:
    """The column of ``counted_rows`` that names the customer."""
    return event.customer if event and event.rows else "customer_id"


def customers_with(condition: EventCondition, event: SegmentEvent | None, clock: Clock, *, distinct: bool) -> QuerySet[Any]:
    """Keys of customers with the number of events that the condition, or its complement, is about.

    For a condition that holds for customers without any event, these are the ones it does not hold for. ``distinct``
    gives each key once, which the planner has to know where it hashes them.
    """
    customer = customer_column(event)
    rows = counted_rows(condition, event, clock).filter(**{f"{customer}__isnull": False}).values(customer)
    operator, value = threshold(condition)
    if (operator, value) == ("at_least", 1):
        return rows.distinct() if distinct else rows
    lookup = "how_many__gte" if operator == "at_least" else "how_many"
    keys: QuerySet[Any] = rows.annotate(how_many=Count("*")).filter(**{lookup: value}).values(customer)
    return keys


def threshold(condition: EventCondition) -> tuple[str, int]:
    """The count that is looked for in SQL: "at most 2" is the complement of "at least 3", "exactly 0" that of "at least 1"."""
    operator, value = condition.count.operator, condition.count.value
    if operator == "at_most":
        return "at_least", value + 1
    if operator == "exactly" and value == 0:
        return "at_least", 1
    return operator, value


def bounds(window: Window | None, clock: Clock) -> tuple[datetime | None, datetime | None]:
    """The first moment of a window and the first after it; ``None`` where it is open."""
    if window is None:
        return None, None
    if window.last is not None:
        return clock.moved(window.last, -1), None
    first = clock.starts(clock.day(window.first_day)) if window.first_day is not None else None
    after = clock.ends(clock.day(window.last_day)) if window.last_day is not None else None
    return first, after


def _filter(wanted: PropertyFilter, event: SegmentEvent | None) -> Any:
    positive = COMPLEMENTS.get(wanted.operator)
    operator = positive or wanted.operator
    condition = _in_column(operator, wanted, event) if event is not None and event.rows else _in_log(operator, wanted)
    return IsNotTrue(condition) if positive else condition


def _in_log(operator: str, wanted: PropertyFilter) -> Any:
    source, name = "properties", wanted.property
    value: Any = wanted.value  # of the shape that the operator asks for: parse_rules has seen to it
    if operator in ORDER:
        return ORDER[operator](JsonNumber(source, name), number(value))
    match operator:
        case "is":
            return DataContains(JsonValue(source, name), _json(value))
        case "any_of":
            return any_of(DataContains(JsonValue(source, name), _json(item)) for item in value)
        case "contains":
            return JsonContainsText(source, name, value)
        case _:
            return GreaterThan(JsonText(source, name), Value("", CharField()))


def _in_column(operator: str, wanted: PropertyFilter, event: SegmentEvent) -> Any:
    column = next(item for item in event.properties if item.key == wanted.property)
    path = F(column.path or column.key)
    value: Any = wanted.value
    if operator in ORDER:
        return ORDER[operator](path, number(value))
    match operator:
        case "is" | "any_of":
            values = value if isinstance(value, tuple) else (value,)
            return In(path, [number(item) if not isinstance(item, str) else Value(item, CharField()) for item in values])
        case "contains":
            return IContains(path, value)
        case _:
            return IsNull(path, False)


def _json(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
