"""Each operator of each type, on a fixed world, with exactly the customers it chooses."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from crm.events import NewEvent, record_events
from crm.models import AttributeDefinition, Customer
from segmentation.queries import rules_customers
from segmentation.rules.operators import OPERATORS, property_operators
from tests.conftest import Cast
from tests.factories import CustomerFactory

NOW = datetime(2026, 11, 3, 17, 30, tzinfo=UTC)  # 12:30 in New York
EVERYBODY = {"Ann", "Ben", "Cyd"}


def ago(**parts: float) -> datetime:
    return NOW - timedelta(**parts)


@pytest.fixture
def town(in_saffron: Cast) -> Cast:
    """Ann is known in every respect, Ben in most, and of Cyd there is only the name."""
    for key, kind in {"nick": "text", "shoe": "number", "member": "boolean", "joined": "date", "color": "choice"}.items():
        AttributeDefinition.objects.create(key=key, label=key, type=kind, choices=["red", "blue"] if kind == "choice" else [])
    ann = CustomerFactory.create(
        first_name="Ann", city="New York", gender="female", birthday=date(1996, 2, 29), tags=["new", "vip"], preferred_location=in_saffron.uptown,
        attributes={"nick": "Annie", "shoe": 38.5, "member": True, "joined": "2026-10-30", "color": "red"},
        facts__visit_count=3, facts__purchase_count=2, facts__spent_minor=9_001, facts__last_visit_at=ago(days=2),
    )  # fmt: skip
    ben = CustomerFactory.create(
        first_name="Ben", city="york 50%", gender="male", birthday=date(2000, 11, 3), tags=["vip"], preferred_location=in_saffron.downtown,
        attributes={"nick": "B", "shoe": 44, "member": False, "joined": "2026-11-03", "color": "blue"},
        facts__visit_count=1, facts__purchase_count=1, facts__spent_minor=500, facts__last_visit_at=datetime(2026, 10, 4, 3, 30, tzinfo=UTC),
    )  # fmt: skip
    CustomerFactory.create(first_name="Cyd")
    Customer.objects.update(created_at=ago(days=400))
    record_events([
        NewEvent("purchase.completed", ago(days=1), ann.pk, "till", {"total_minor": 5_000, "categories": ["Hair", "Care"], "payment_method": "card"}),
        NewEvent("purchase.completed", ago(days=40), ann.pk, "till", {"total_minor": 4_001, "categories": ["Beard"], "payment_method": "cash"}),
        NewEvent("purchase.completed", ago(hours=3), ben.pk, "till", {"total_minor": 500, "categories": [], "payment_method": "card"}),
        NewEvent("purchase.completed", ago(hours=-3), ben.pk, "till", {"total_minor": 9_999}),
        NewEvent("purchase.completed", ago(hours=1), None, "till", {"total_minor": 100}),
        NewEvent("quiz.finished", ago(days=1), ann.pk, "api", {"score": 7.5, "passed": True, "level": "A1"}),
        NewEvent("quiz.finished", ago(days=1), ben.pk, "api", {"score": "7.5", "passed": "yes"}),
    ])  # fmt: skip
    return in_saffron


def names(rules: dict[str, Any]) -> set[str]:
    return set(rules_customers(rules, now=NOW).values_list("first_name", flat=True))


CASES: list[tuple[str, str, Any, set[str]]] = [
    ("city", "is", "NEW YORK", {"Ann"}), ("city", "is_not", "new york", {"Ben", "Cyd"}), ("city", "any_of", ["york 50%", "x"], {"Ben"}),
    ("city", "none_of", ["york 50%", "x"], {"Ann", "Cyd"}), ("city", "contains", "york", {"Ann", "Ben"}), ("city", "contains", "0%", {"Ben"}),
    ("city", "contains", "_", set()), ("city", "not_contains", "0%", {"Ann", "Cyd"}), ("city", "starts_with", "york", {"Ben"}),
    ("city", "ends_with", "york", {"Ann"}), ("city", "known", None, {"Ann", "Ben"}), ("city", "unknown", None, {"Cyd"}),
    ("gender", "is", "male", {"Ben"}), ("gender", "is_not", "male", {"Ann", "Cyd"}), ("gender", "any_of", ["male", "female"], {"Ann", "Ben"}),
    ("gender", "none_of", ["male"], {"Ann", "Cyd"}), ("gender", "known", None, {"Ann", "Ben"}), ("gender", "unknown", None, {"Cyd"}),
    ("visit_count", "equals", 3, {"Ann"}), ("visit_count", "not_equals", 3, {"Ben", "Cyd"}), ("visit_count", "at_least", 1, {"Ann", "Ben"}),
    ("visit_count", "at_most", 1, {"Ben", "Cyd"}), ("visit_count", "more_than", 1, {"Ann"}), ("visit_count", "more_than", 2.5, {"Ann"}),
    ("visit_count", "less_than", 1, {"Cyd"}), ("visit_count", "less_than", 0.5, {"Cyd"}), ("visit_count", "between", [1, 3], {"Ann", "Ben"}),
    ("age", "equals", 26, {"Ben"}), ("age", "at_least", 26, {"Ann", "Ben"}), ("age", "less_than", 30, {"Ben"}), ("age", "unknown", None, {"Cyd"}),
    ("age", "known", None, {"Ann", "Ben"}), ("attribute.shoe", "equals", 38.5, {"Ann"}), ("attribute.shoe", "not_equals", 38.5, {"Ben", "Cyd"}),
    ("attribute.shoe", "between", [40, 44], {"Ben"}), ("attribute.shoe", "unknown", None, {"Cyd"}),
    ("spent", "equals", 500, {"Ben"}), ("spent", "not_equals", 500, {"Ann", "Cyd"}), ("spent", "at_least", 9_001, {"Ann"}),
    ("spent", "at_most", 500, {"Ben", "Cyd"}), ("spent", "more_than", 500, {"Ann"}), ("spent", "less_than", 500, {"Cyd"}),
    ("spent", "between", [1, 9_001], {"Ann", "Ben"}), ("average_order", "at_least", 4_500, {"Ann"}), ("average_order", "more_than", 4_500, {"Ann"}),
    ("average_order", "at_most", 4_500, {"Ben"}), ("average_order", "known", None, {"Ann", "Ben"}), ("average_order", "unknown", None, {"Cyd"}),
    ("attribute.member", "is", True, {"Ann"}), ("attribute.member", "is", False, {"Ben"}), ("attribute.member", "known", None, {"Ann", "Ben"}),
    ("attribute.member", "unknown", None, {"Cyd"}),
    # Ben came at 23:30 on the 3rd of October in New York, 30 days and a half before now.
    ("last_visit_at", "in_last", {"days": 30}, {"Ann"}), ("last_visit_at", "in_last", {"days": 31}, {"Ann", "Ben"}),
    ("last_visit_at", "in_last", {"hours": 48}, {"Ann"}), ("last_visit_at", "not_in_last", {"days": 30}, {"Ben", "Cyd"}),
    ("last_visit_at", "in_next", {"days": 30}, set()), ("last_visit_at", "before", "2026-10-04", {"Ben"}),
    ("last_visit_at", "since", "2026-10-04", {"Ann"}), ("last_visit_at", "on", "2026-10-03", {"Ben"}),
    ("last_visit_at", "on", {"ago": {"days": 2}}, {"Ann"}), ("last_visit_at", "between", ["2026-10-03", {"ago": {"days": 3}}], {"Ben"}),
    ("last_visit_at", "known", None, {"Ann", "Ben"}), ("last_visit_at", "unknown", None, {"Cyd"}),
    ("created_at", "in_last", {"years": 2}, EVERYBODY), ("created_at", "before", {"ago": {"years": 1}}, EVERYBODY),
    ("birthday", "before", "2000-01-01", {"Ann"}), ("birthday", "since", "2000-01-01", {"Ben"}), ("birthday", "on", "2000-11-03", {"Ben"}),
    ("birthday", "between", ["1996-02-29", "1996-02-29"], {"Ann"}), ("birthday", "in_last", {"years": 27}, {"Ben"}),
    ("birthday", "not_in_last", {"years": 27}, {"Ann", "Cyd"}), ("birthday", "in_next", {"days": 1}, set()),
    ("birthday", "anniversary_in_next", {"days": 1}, {"Ben"}), ("birthday", "anniversary_in_next", {"days": 117}, {"Ann", "Ben"}),
    ("birthday", "anniversary_in_next", {"days": 116}, {"Ben"}), ("birthday", "known", None, {"Ann", "Ben"}), ("birthday", "unknown", None, {"Cyd"}),
    ("attribute.joined", "in_last", {"weeks": 1}, {"Ann", "Ben"}), ("attribute.joined", "in_next", {"days": 1}, {"Ben"}),
    ("attribute.joined", "before", "2026-11-01", {"Ann"}), ("attribute.nick", "is", "ANNIE", {"Ann"}), ("attribute.nick", "is_not", "annie", {"Ben", "Cyd"}),
    ("attribute.color", "is", "red", {"Ann"}), ("attribute.color", "none_of", ["red"], {"Ben", "Cyd"}), ("attribute.color", "unknown", None, {"Cyd"}),
    ("tags", "has_any", ["vip", "old"], {"Ann", "Ben"}), ("tags", "has_all", ["vip", "new"], {"Ann"}), ("tags", "has_none", ["new"], {"Ben", "Cyd"}),
    ("tags", "known", None, {"Ann", "Ben"}), ("tags", "unknown", None, {"Cyd"}),
    ("preferred_location", "known", None, {"Ann", "Ben"}), ("preferred_location", "unknown", None, {"Cyd"}),
]  # fmt: skip


@pytest.mark.parametrize("key", dict.fromkeys(key for key, *_rest in CASES))
def test_each_operator_of_a_field_chooses_exactly_these(town: Cast, key: str) -> None:
    for operator, value, chosen in [case[1:] for case in CASES if case[0] == key]:
        condition = {"field": key, "op": operator} if value is None else {"field": key, "op": operator, "value": value}
        assert names({"all": [condition]}) == chosen, condition
        assert names({"none": [condition]}) == EVERYBODY - chosen, condition
        assert names({"any": [condition, condition]}) == chosen, condition


def test_every_operator_of_every_type_is_tried(town: Cast) -> None:
    from segmentation.words import Words

    words = Words()
    tried: dict[Any, set[str]] = {}
    for key, operator, _value, _chosen in CASES:
        field = words.field(key)
        assert field is not None, key
        tried.setdefault(field.type, set()).add(operator)
    untried = {kind: set(operators) - tried.get(kind, set()) for kind, operators in OPERATORS.items()}
    assert {kind.value: left for kind, left in untried.items() if left} == {"reference": {"any_of", "none_of"}}  # below, for their ids


def test_a_location_is_chosen_by_its_number(town: Cast) -> None:
    uptown = town.uptown.pk
    assert names({"all": [{"field": "preferred_location", "op": "any_of", "value": [uptown]}]}) == {"Ann"}
    assert names({"all": [{"field": "preferred_location", "op": "none_of", "value": [uptown]}]}) == {"Ben", "Cyd"}


def bought(**parts: Any) -> dict[str, Any]:
    return {"event": "purchase.completed", **parts}


def where(name: str, operator: str, *value: Any) -> dict[str, Any]:
    return {"where": [{"property": name, "op": operator, **({"value": value[0]} if value else {})}]}


EVENTS: list[tuple[dict[str, Any], set[str]]] = [
    (bought(), {"Ann", "Ben"}),
    (bought(count={"op": "at_least", "value": 2}), {"Ann"}),  # what Ben buys in three hours has not happened yet
    (bought(count={"op": "at_most", "value": 1}), {"Ben", "Cyd"}),
    (bought(count={"op": "at_most", "value": 0}), {"Cyd"}),
    (bought(count={"op": "exactly", "value": 0}), {"Cyd"}),
    (bought(count={"op": "exactly", "value": 1}), {"Ben"}),
    (bought(when={"last": {"hours": 4}}), {"Ben"}),
    (bought(when={"last": {"days": 30}}, count={"op": "exactly", "value": 1}), {"Ann", "Ben"}),
    (bought(when={"from": "2026-09-24", "to": "2026-09-24"}), {"Ann"}),
    (bought(when={"from": {"ago": {"days": 1}}}), {"Ann", "Ben"}),
    (bought(when={"to": {"ago": {"months": 1}}}), {"Ann"}),
    (bought(**where("total_minor", "at_least", 4_001), count={"op": "exactly", "value": 2}), {"Ann"}),
    (bought(**where("total_minor", "more_than", 5_000)), set()),
    (bought(**where("total_minor", "at_most", 500)), {"Ben"}),
    (bought(**where("total_minor", "less_than", 4_001.5), count={"op": "exactly", "value": 1}), {"Ann", "Ben"}),
    (bought(**where("categories", "is", "Hair")), {"Ann"}),
    (bought(**where("categories", "is", "hair")), set()),
    (bought(**where("categories", "contains", "HAI")), {"Ann"}),
    (bought(**where("categories", "any_of", ["Beard", "Nails"])), {"Ann"}),
    (bought(**where("categories", "none_of", ["Hair", "Beard"])), {"Ben"}),
    (bought(**where("payment_method", "is_not", "card")), {"Ann"}),
    (bought(**where("payment_method", "known"), count={"op": "exactly", "value": 2}), {"Ann"}),
    (bought(**where("payment_method", "unknown")), set()),
    ({"event": "quiz.finished", **where("score", "at_least", 7)}, {"Ann"}),
    ({"event": "quiz.finished", **where("score", "is", "7.5")}, {"Ben"}),
    ({"event": "quiz.finished", **where("passed", "is", True)}, {"Ann"}),
    ({"event": "quiz.finished", **where("level", "unknown")}, {"Ben"}),
    ({"event": "never.happened"}, set()),
    ({"event": "never.happened", "count": {"op": "at_most", "value": 5}}, EVERYBODY),
]  # fmt: skip


def test_events_are_counted_in_their_windows(town: Cast) -> None:
    for condition, chosen in EVENTS:
        assert names({"all": [condition]}) == chosen, condition
        assert names({"none": [condition]}) == EVERYBODY - chosen, condition
        assert names({"any": [condition, condition]}) == chosen, condition
        assert names({"any": [{"none": [condition]}, {"none": [condition]}]}) == EVERYBODY - chosen, condition


def test_every_operator_of_a_property_is_tried() -> None:
    tried = {part["op"] for condition, _chosen in EVENTS for part in condition.get("where", [])}
    assert set(property_operators(None)) == tried


def test_text_in_rules_is_never_sql(town: Cast) -> None:
    for text in ("'; drop table crm_customer; --", "%s", "%(x)s", "\\", "{0}", "$1"):
        assert names({"all": [{"field": "city", "op": "contains", "value": text}]}) == set()
        assert names({"all": [{"field": "tags", "op": "has_any", "value": [text]}]}) == set()
        assert names({"all": [{"event": text, **where(text, "is", text)}]}) == set()
        assert names({"all": [{"event": "purchase.completed", **where(text, "contains", text)}]}) == set()
        assert names({"all": [{"event": "purchase.completed", **where(text, "at_least", 1)}]}) == set()


def test_an_attribute_whose_type_was_changed_is_unknown_rather_than_an_error(town: Cast) -> None:
    Customer.objects.filter(first_name="Ann").update(attributes={"shoe": "large", "member": "maybe", "joined": "2026-02-31", "color": 5})
    for key in ("shoe", "member", "joined"):
        assert names({"all": [{"field": f"attribute.{key}", "op": "unknown"}]}) == {"Ann", "Cyd"}
    assert names({"all": [{"field": "attribute.shoe", "op": "at_least", "value": 0}]}) == {"Ben"}
