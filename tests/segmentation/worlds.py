"""Small random worlds and random rules over them, and their rows in the database."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from accounts.models import Location
from crm.events import NewEvent, record_events
from crm.models import AttributeDefinition, Customer, CustomerFacts
from segmentation.models import Segment, SegmentMember
from tests.segmentation.evaluator import Happening, Person

# Shortly after New York's clocks went back, so that days of 25 hours are inside the windows.
NOW = datetime(2026, 11, 3, 17, 30, tzinfo=UTC)
FACT_COLUMNS = {
    "visit_count": "visit_count",
    "purchase_count": "purchase_count",
    "spent": "spent_minor",
    "last_visit_at": "last_visit_at",
    "last_purchase_at": "last_purchase_at",
}
CITIES = ["", "Paris", "paris", "New York", "تهران", "100%_a\\b'"]
TAGS = ["vip", "new", "student"]
COLORS = ["red", "blue"]
KINDS = ["visit.completed", "purchase.completed", "page.viewed"]
# Moments around the edges of days and windows, in New York as in UTC.
MOMENTS = st.builds(
    lambda days, hours: NOW - timedelta(days=days, hours=hours),
    st.sampled_from([-3, 0, 1, 2, 3, 7, 30, 31, 365]),
    st.sampled_from([-13, -12, -1, 0, 1, 6, 12, 13]),
)
BIRTHDAYS = st.sampled_from([None, date(1996, 2, 29), date(1990, 11, 3), date(1990, 11, 4), date(1985, 12, 31), date(2000, 1, 1)])
DAYS = st.one_of(
    st.sampled_from(["2026-11-03", "2026-11-01", "2026-10-31", "2025-11-03", "1990-11-03"]),
    st.builds(
        lambda direction, unit, amount: {direction: {unit: amount}},
        st.sampled_from(["ago", "ahead"]),
        st.sampled_from(["days", "weeks", "months", "years"]),
        st.integers(0, 3),
    ),
)
DURATIONS = st.builds(lambda unit, amount: {unit: amount}, st.sampled_from(["hours", "days", "weeks", "months"]), st.integers(1, 31))
DAY_DURATIONS = st.builds(lambda unit, amount: {unit: amount}, st.sampled_from(["days", "weeks", "years"]), st.integers(1, 31))
PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        "total_minor": st.sampled_from([0, 100, 101, 2.5, "100", None]),
        "categories": st.sampled_from([[], ["Hair"], ["Hair", "Beard"], ["hair care"], "Hair", 7, None]),
        "paid": st.sampled_from([True, False, 1, "true", ""]),
        "0": st.sampled_from(["a", 1]),
    },
)


def people(locations: list[int]) -> st.SearchStrategy[Person]:
    values = st.fixed_dictionaries(
        {
            "city": st.sampled_from(CITIES),
            "gender": st.sampled_from(["", "female", "male"]),
            "birthday": BIRTHDAYS,
            "preferred_location": st.sampled_from([None, *locations]),
            "created_at": MOMENTS,
            "visit_count": st.integers(0, 3),
            "purchase_count": st.integers(0, 3),
            "spent": st.sampled_from([-50, 0, 100, 101, 300]),
            "last_visit_at": st.none() | MOMENTS,
            "last_purchase_at": st.none() | MOMENTS,
        }
    )
    attributes = st.fixed_dictionaries(
        {},
        optional={
            "nickname": st.sampled_from(["Al", "AL", "Bo"]),
            "points": st.sampled_from([0, 1, 2.5, -1]),
            "member": st.booleans(),
            "joined": st.sampled_from(["2026-11-03", "2026-10-04", "2000-02-29"]),
            "color": st.sampled_from(COLORS),
        },
    )
    happenings = st.lists(st.builds(Happening, st.sampled_from(KINDS), MOMENTS, PROPERTIES), max_size=5)
    tags = st.lists(st.sampled_from(TAGS), unique=True)
    return st.builds(Person, values, tags, attributes, happenings)


def rules(locations: list[int], segments: list[int]) -> st.SearchStrategy[dict[str, Any]]:
    # Chosen in two steps: one_of would flatten, and events would be a drop in the sea of comparisons of fields.
    kinds = [st.one_of(*_fields(locations)), _events(), *_memberships(segments)]
    leaf = st.sampled_from([0, 0, 1, 1, *range(2, len(kinds))]).flatmap(lambda index: kinds[index])
    return st.recursive(leaf, lambda inner: _groups(inner), max_leaves=6).map(_rooted)


def _rooted(rule: dict[str, Any]) -> dict[str, Any]:
    return rule if rule.keys() & {"all", "any", "none"} else {"all": [rule]}


def _groups(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda mode, children: {mode: children}, st.sampled_from(["all", "any", "none"]), st.lists(inner, min_size=1, max_size=3)
    )


def _memberships(segments: list[int]) -> list[st.SearchStrategy[dict[str, Any]]]:
    made = st.builds(lambda key, op: {"segment": key, "op": op}, st.sampled_from(segments), st.sampled_from(["in", "not_in"]))
    return [made] if segments else []


def _condition(key: str, operators: list[str], value: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(lambda op, value: {"field": key, "op": op, "value": value}, st.sampled_from(operators), value)


def _presence(key: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(lambda op: {"field": key, "op": op}, st.sampled_from(["known", "unknown"]))


Conditions = list[st.SearchStrategy[dict[str, Any]]]


def _fields(locations: list[int]) -> Conditions:
    tags = st.lists(st.sampled_from(TAGS), min_size=1)
    places = st.lists(st.sampled_from(locations), min_size=1)
    return [
        *_text_fields(),
        *_number_fields(),
        *_day_fields(),
        _condition("attribute.member", ["is"], st.booleans()),
        _condition("tags", ["has_any", "has_all", "has_none"], tags),
        _condition("preferred_location", ["any_of", "none_of"], places),
        *map(_presence, ["attribute.member", "tags", "preferred_location", "average_order", "attribute.points", "age", "last_visit_at"]),
    ]


def _text_fields() -> Conditions:
    made = []
    for key, texts in (("city", [city for city in CITIES if city]), ("attribute.nickname", ["al", "Bo", "o"])):
        made += [
            _condition(
                key, ["is", "is_not", "contains", "not_contains", "starts_with", "ends_with"], st.sampled_from([*texts, "a", "%", "_"])
            ),
            _condition(key, ["any_of", "none_of"], st.lists(st.sampled_from(texts), min_size=1)),
            _presence(key),
        ]
    for key, choices in (("gender", ["female", "male", "other"]), ("attribute.color", COLORS)):
        made += [
            _condition(key, ["is", "is_not"], st.sampled_from(choices)),
            _condition(key, ["any_of", "none_of"], st.lists(st.sampled_from(choices), min_size=1)),
            _presence(key),
        ]
    return made


def _number_fields() -> Conditions:
    made = []
    ordered = ["equals", "not_equals", "at_least", "at_most", "more_than", "less_than"]
    for key, numbers in (
        ("visit_count", [0, 1, 1.5, 3]),
        ("spent", [-50, 0, 100, 300]),
        ("average_order", [50, 100, 33]),
        ("attribute.points", [0, 1, 2.5, -1]),
        ("age", [30, 35, 36]),
    ):
        made += [
            _condition(key, ordered, st.sampled_from(numbers)),
            _condition(key, ["between"], st.lists(st.sampled_from(numbers), min_size=2, max_size=2).map(sorted)),
        ]
    return made


def _day_fields() -> Conditions:
    made = []
    for key in ("created_at", "last_visit_at", "last_purchase_at"):
        made += [
            _condition(key, ["in_last", "not_in_last", "in_next"], DURATIONS),
            _condition(key, ["before", "since", "on"], DAYS),
            _condition(key, ["between"], st.tuples(DAYS, DAYS).map(_in_order)),
        ]
    for key in ("birthday", "attribute.joined"):
        made += [
            _condition(key, ["in_last", "not_in_last", "in_next"], DAY_DURATIONS),
            _condition(key, ["before", "since", "on"], DAYS),
            _presence(key),
            _condition(key, ["anniversary_in_next"], st.builds(lambda days: {"days": days}, st.sampled_from([1, 30, 120, 366]))),
        ]
    return made


def _in_order(days: tuple[Any, Any]) -> list[Any]:
    # Two fixed days the wrong way round are refused; anything else is taken as it is.
    return sorted(days) if all(isinstance(day, str) for day in days) else list(days)


def _events() -> st.SearchStrategy[dict[str, Any]]:
    count = st.builds(lambda op, value: {"op": op, "value": value}, st.sampled_from(["at_least", "at_most", "exactly"]), st.integers(0, 3))
    bounds = st.fixed_dictionaries({}, optional={"from": DAYS, "to": DAYS}).filter(bool).map(_bounds_in_order)
    when = st.one_of(st.builds(lambda duration: {"last": duration}, DURATIONS), bounds)
    where = st.lists(_filters(), min_size=1, max_size=2)
    return st.builds(
        lambda kind, parts: {"event": kind, **parts},
        st.sampled_from(KINDS),
        st.fixed_dictionaries(
            {}, optional={"count": count.filter(lambda one: one != {"op": "at_least", "value": 0}), "when": when, "where": where}
        ),
    )


def _bounds_in_order(bounds: dict[str, Any]) -> dict[str, Any]:
    if len(bounds) == 2 and all(isinstance(day, str) for day in bounds.values()):
        bounds["from"], bounds["to"] = sorted(bounds.values())
    return bounds


def _filters() -> st.SearchStrategy[dict[str, Any]]:
    def wanted(name: str, operators: list[str], value: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
        return st.builds(lambda op, value: {"property": name, "op": op, "value": value}, st.sampled_from(operators), value)

    texts, numbers = st.sampled_from(["Hair", "hair", "Beard"]), st.sampled_from([100, 2.5, 0])
    mixed = st.sampled_from([True, False, 1, "a", "true"])
    return st.one_of(
        wanted("amount", ["at_least", "at_most", "more_than", "less_than", "is", "is_not"], numbers),
        wanted("categories", ["is", "is_not", "contains"], texts),
        wanted("categories", ["any_of", "none_of"], st.lists(texts, min_size=1)),
        wanted("paid", ["is", "is_not"], mixed),
        wanted("0", ["is", "is_not"], mixed),
        wanted("paid", ["any_of", "none_of"], st.lists(mixed, min_size=1)),
        st.builds(
            lambda name, op: {"property": name, "op": op},
            st.sampled_from(["total_minor", "categories", "paid"]),
            st.sampled_from(["known", "unknown"]),
        ),
    ).map(lambda one: {**one, "property": "total_minor"} if one["property"] == "amount" else one)


def declare_attributes() -> None:
    """The custom attributes that random people have."""
    AttributeDefinition.objects.bulk_create(
        AttributeDefinition(key=key, label=key.title(), type=kind, choices=COLORS if kind == "choice" else [])
        for key, kind in {"nickname": "text", "points": "number", "member": "boolean", "joined": "date", "color": "choice"}.items()
    )


def settle(persons: list[Person]) -> list[int]:
    """Write the people's rows; gives their ids in the same order."""
    rows = [
        Customer(
            tags=one.tags,
            attributes=one.attributes,
            preferred_location_id=one.values["preferred_location"],
            **{name: one.values[name] for name in ("city", "gender", "birthday")},
        )
        for one in persons
    ]
    Customer.objects.bulk_create(rows)
    for row, one in zip(rows, persons, strict=True):
        row.created_at = one.values["created_at"]  # auto_now_add has set it to the time of the test
    Customer.objects.bulk_update(rows, ["created_at"])
    CustomerFacts.objects.bulk_create(
        CustomerFacts(customer=row, **{column: one.values[key] for key, column in FACT_COLUMNS.items()})
        for row, one in zip(rows, persons, strict=True)
    )
    record_events(
        NewEvent(happening.kind, happening.at, row.pk, "test", happening.properties)
        for row, one in zip(rows, persons, strict=True)
        for happening in one.happenings
    )
    return [row.pk for row in rows]


def enlist(segment: Segment, keys: list[int]) -> None:
    SegmentMember.objects.bulk_create(SegmentMember(segment=segment, customer_id=key) for key in keys)


def locations() -> list[int]:
    return list(Location.objects.order_by("pk").values_list("pk", flat=True))
