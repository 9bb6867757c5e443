"""The terms of a program: read with exact faults, written back, described by a schema."""

from datetime import UTC, datetime
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from loyalty.rules.terms import (
    Cap,
    CapPer,
    EarnOn,
    Enrolment,
    Expiry,
    ExpiryKind,
    ProgramTerms,
    TermsError,
    parse_terms,
    terms_document,
    terms_schema,
)

FULL: dict[str, Any] = {
    "enrol": "by_hand",
    "redemption": {"points": 100, "minor": 100, "smallest": 100},
    "redeemed_share": 80,
    "pending_days": 14,
    "expiry": {"kind": "calendar", "months": 6, "calendar": "jalali", "month": 12, "day": 31},
    "earn": [
        {"key": "sales", "name": "Shopping", "on": "amount", "points": 1, "per_minor": 1000, "cap": {"points": 500, "per": "day"}},
        {"key": "oil", "on": "product", "points": 5, "products": ["OIL-1"], "budget": 10_000, "valid_from": "2026-01-01T00:00:00+00:00"},
        {"key": "wine", "on": "category", "points": 2, "per_minor": 500, "categories": ["Wine"], "locations": [3]},
        {"key": "class", "on": "event", "points": 10, "event": "class.attended"},
        {"key": "tenth", "on": "milestone", "points": 50, "milestone": {"count": 10, "of": "visits"}},
        {"key": "spring", "on": "visit", "points": 3, "rules": {"all": [{"field": "city", "op": "is", "value": "Paris"}]}},
    ],
    "multipliers": [{"key": "tuesday", "percent": 150, "weekdays": [1]}],
    "tiers": {
        "basis": "spend",
        "window": {"kind": "rolling", "months": 12},
        "grace_days": 30,
        "soft_landing": True,
        "levels": [
            {"key": "silver", "name": "Silver"},
            {"key": "gold", "threshold": 100_000, "percent": 125, "benefits": [{"kind": "discount", "value": 10}]},
        ],
    },
}


def faults(raw: Any) -> list[tuple[str, str]]:
    with pytest.raises(TermsError) as caught:
        parse_terms(raw)
    return [(problem.path, problem.code) for problem in caught.value.problems]


def test_terms_are_read_as_written() -> None:
    terms = parse_terms(FULL)
    sales, oil, *_others = terms.earn
    assert (terms.enrol, terms.expiry.kind, terms.pending_days) == (Enrolment.BY_HAND, ExpiryKind.CALENDAR, 14)
    assert (sales.on, sales.cap, oil.valid_from) == (EarnOn.AMOUNT, Cap(points=500, per=CapPer.DAY), datetime(2026, 1, 1, tzinfo=UTC))
    assert terms.tiers is not None
    assert [(level.key, level.percent) for level in terms.tiers.levels] == [("silver", 100), ("gold", 125)]


def test_empty_terms_earn_nothing_and_never_expire() -> None:
    assert parse_terms({}) == ProgramTerms(expiry=Expiry(kind=ExpiryKind.NEVER), earn=())


def test_terms_written_back_are_the_same_terms() -> None:
    terms = parse_terms(FULL)
    assert parse_terms(terms_document(terms)) == terms


def test_the_published_schema_accepts_what_is_read_and_refuses_what_is_not() -> None:
    schema = Draft202012Validator(terms_schema())
    assert schema.is_valid(FULL)
    assert schema.is_valid(terms_document(parse_terms(FULL)))
    assert not schema.is_valid({"earn": [{"key": "sales", "on": "amount", "points": 0}]})
    assert not schema.is_valid({"colour": "red"})


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ([], [("", "not_object")]),
        ({"colour": "red"}, [("colour", "unknown_key")]),
        ({"pending_days": True}, [("pending_days", "not_whole")]),
        ({"pending_days": -1}, [("pending_days", "out_of_range")]),
        ({"redeemed_share": 101}, [("redeemed_share", "out_of_range")]),
        ({"expiry": {"kind": "sometimes"}}, [("expiry.kind", "unknown_choice")]),
        ({"expiry": {"kind": "age", "months": 0}}, [("expiry.months", "too_few")]),
        ({"earn": {"key": "a"}}, [("earn", "not_list")]),
        ({"earn": [{"key": "A b", "on": "visit"}]}, [("earn[0].points", "missing"), ("earn[0].key", "text_pattern")]),
        ({"earn": [{"key": "a", "on": "amount", "points": 1}]}, [("earn[0].per_minor", "missing")]),
        ({"earn": [{"key": "a", "on": "visit", "points": 1, "event": "x.y"}]}, [("earn[0].event", "unused")]),
        ({"earn": [{"key": "a", "on": "visit", "points": 1, "rules": []}]}, [("earn[0].rules", "not_object")]),
        ({"earn": [{"key": "a", "on": "visit", "points": 1, "cap": {"points": 1.5, "per": "day"}}]}, [("earn[0].cap.points", "not_whole")]),
        ({"earn": [{"key": "a", "on": "visit", "points": 1}] * 2}, [("earn[1].key", "repeated")]),
        ({"multipliers": [{"key": "a", "percent": 150, "weekdays": [7]}]}, [("multipliers[0].weekdays[0]", "out_of_range")]),
        ({"multipliers": [{"key": "a", "percent": 1, "valid_from": "2026-01-01"}]}, [("multipliers[0].valid_from", "not_moment")]),
        ({"tiers": {"basis": "spend", "levels": []}}, [("tiers.levels", "missing")]),
        ({"tiers": {"basis": "spend", "levels": [{"key": "a"}, {"key": "b"}]}}, [("tiers.levels", "not_ascending")]),
    ],
)
def test_each_fault_is_told_with_the_path_to_its_node(raw: Any, expected: list[tuple[str, str]]) -> None:
    assert faults(raw) == expected


def test_all_faults_are_told_at_once_and_never_endlessly_many() -> None:
    assert len(faults({"earn": [{"key": 1}] * 200})) == 50
