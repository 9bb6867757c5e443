"""Segments over the API."""

from collections.abc import Callable
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from accounts.models import AuditEntry
from accounts.tenancy import tenant
from segmentation.models import Segment, SegmentMember
from segmentation.queries import SegmentTooSlow
from tests.api.conftest import Caller, errors_of
from tests.conftest import Cast
from tests.factories import CustomerFactory

Problem = Callable[..., dict[str, Any]]
SPENDERS = {"all": [{"field": "spent", "op": "at_least", "value": 500}]}


@pytest.fixture
def shoppers(cast: Cast) -> list[int]:
    """Dana spent 600, Eve 500 and Bo 400; Dana agreed to e-mail."""
    from datetime import UTC, datetime

    from crm.actions import set_consent
    from crm.models import Channel, ConsentState, Purpose

    with tenant(cast.saffron.pk):
        people = [
            CustomerFactory.create(first_name=name, facts__spent_minor=spent) for name, spent in (("Dana", 600), ("Eve", 500), ("Bo", 400))
        ]
        set_consent(customer=people[0], channel=Channel.EMAIL, purpose=Purpose.MARKETING, state=ConsentState.GRANTED, source="page",
                    now=datetime(2026, 1, 1, tzinfo=UTC), actor=cast.alice_acts)  # fmt: skip
    return [person.pk for person in people]


def test_a_segment_lives_from_creation_to_deletion(cast: Cast, till: Caller, assert_problem: Problem) -> None:
    created = till.post("segments/", {"name": "Spenders", "rules": SPENDERS})
    assert created.status_code == 201
    body = created.json()
    assert (body["name"], body["kind"], body["rules"], body["description"]) == ("Spenders", "dynamic", SPENDERS, "")
    path = f"segments/{body['id']}/"
    changed = till.patch(path, {"description": "Spent at least 5"})
    assert (changed.status_code, changed.json()["description"], changed.json()["rules"]) == (200, "Spent at least 5", SPENDERS)
    assert [row["name"] for row in till.get("segments/").json()["results"]] == ["Spenders"]
    assert errors_of(assert_problem(till.post("segments/", {"name": "Spenders", "rules": SPENDERS}), 400, "invalid")) == {
        "#/name": "unique"
    }
    gone = till.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert_problem(till.get(path), 404, "not_found")
    with tenant(cast.saffron.pk):
        actions = list(AuditEntry.objects.filter(action__startswith="segment.").order_by("id").values_list("action", flat=True))
    assert actions == ["segment.created", "segment.changed", "segment.deleted"]


@pytest.mark.parametrize("language", ["en", "fa"])
def test_a_name_that_is_taken_is_told_without_the_organization(till: Caller, language: str) -> None:
    till.post("segments/", {"name": "Spenders", "rules": SPENDERS})
    told = till.post("segments/", {"name": "Spenders", "rules": SPENDERS}, HTTP_ACCEPT_LANGUAGE=language).json()
    assert told["detail"] == {"en": "Segment with this Name already exists.", "fa": "گروه با این نام از قبل موجود است."}[language]
    assert [row["name"] for row in till.get("segments/").json()["results"]] == ["Spenders"]


@pytest.mark.parametrize(
    ("rules", "place"),
    [
        ({"all": [{"field": "shoe_size", "op": "is", "value": 1}]}, "#/rules/all/0/field"),
        ({"all": [{"any": [{"field": "spent", "op": "at_least", "value": "much"}]}]}, "#/rules/all/0/any/0/value"),
        ({"all": []}, "#/rules/all"),
        ({"some": []}, "#/rules"),
        ([1], "#/rules"),
        ("everybody", "#/rules"),
        (None, "#/rules"),
        ({"all": [{"segment": 4711}]}, "#/rules/all/0/segment"),
    ],
)
def test_rules_that_make_no_sense_are_told_at_their_node(cast: Cast, till: Caller, assert_problem: Problem, rules: Any, place: str) -> None:
    for path, body in (
        ("segments/", {"name": "Odd", "rules": rules}),
        ("segments/count/", {"rules": rules}),
        ("segments/preview/", {"rules": rules}),
    ):
        assert list(errors_of(assert_problem(till.post(path, body), 400, "invalid"))) == [place]
    with tenant(cast.saffron.pk):
        assert Segment.objects.count() == 0


def test_rules_are_counted_and_previewed_without_being_saved(cast: Cast, till: Caller, shoppers: list[int]) -> None:
    assert till.post("segments/count/", {"rules": SPENDERS}).json() == {"customers": 2, "reachable": 1}
    preview = till.post("segments/preview/", {"rules": SPENDERS, "limit": 1}).json()
    assert [(row["first_name"], row["facts"]["spent_minor"]) for row in preview["customers"]] == [("Eve", 500)]
    with tenant(cast.saffron.pk):
        assert Segment.objects.count() == 0


def test_who_is_in_a_segment_is_counted_listed_and_kept(cast: Cast, till: Caller, shoppers: list[int]) -> None:
    segment = till.post("segments/", {"name": "Spenders", "rules": SPENDERS}).json()["id"]
    assert till.get(f"segments/{segment}/count/").json() == {"customers": 2, "reachable": 1}
    page = till.get(f"segments/{segment}/customers/?limit=1").json()
    assert [row["first_name"] for row in page["results"]] == ["Eve"]
    assert "cursor=" in page["next"]
    kept = till.post(f"segments/{segment}/snapshot/", {"name": "Spenders in March"})
    assert (kept.status_code, kept.json()["kind"], kept.json()["member_count"]) == (201, "static", 2)
    assert [row["first_name"] for row in till.get(f"segments/{kept.json()['id']}/customers/").json()["results"]] == ["Eve", "Dana"]


def test_a_fixed_list_is_changed_by_hand(cast: Cast, till: Caller, shoppers: list[int], assert_problem: Problem) -> None:
    dana, eve, bo = shoppers
    listed = till.post("segments/", {"name": "Invited", "kind": "static"}).json()["id"]
    assert till.post(f"segments/{listed}/members/", {"add": [dana, eve]}).json() == {"added": 2, "removed": 0}
    assert till.post(f"segments/{listed}/members/", {"add": [eve, bo], "remove": [dana]}).json() == {"added": 1, "removed": 1}
    assert till.get(f"segments/{listed}/count/").json()["customers"] == 2
    assert errors_of(assert_problem(till.post(f"segments/{listed}/members/", {"add": [999_999]}), 400, "invalid")) == {"#/add": "invalid"}
    gone = assert_problem(till.post(f"segments/{listed}/members/", {"add": [dana], "remove": [999_999]}), 400, "invalid")
    assert errors_of(gone) == {"#/remove": "invalid"}
    assert errors_of(assert_problem(till.post(f"segments/{listed}/members/", {"add": [bo], "remove": [bo]}), 400, "invalid")) == {
        "#/remove": "ambiguous"
    }
    ruled = till.post("segments/", {"name": "Spenders", "rules": SPENDERS}).json()["id"]
    assert_problem(till.post(f"segments/{ruled}/members/", {"add": [bo]}), 409, "wrong_kind")
    with tenant(cast.saffron.pk):
        assert SegmentMember.objects.count() == 2


def test_a_segment_that_another_uses_stays(cast: Cast, till: Caller, assert_problem: Problem) -> None:
    inner = till.post("segments/", {"name": "Spenders", "rules": SPENDERS}).json()["id"]
    till.post("segments/", {"name": "Outer", "rules": {"all": [{"segment": inner}]}})
    body = assert_problem(till.delete(f"segments/{inner}/"), 409, "in_use")
    assert "Outer" in body["detail"]
    with tenant(cast.saffron.pk):
        assert Segment.objects.count() == 2


def test_counting_too_long_is_told(cast: Cast, till: Caller, assert_problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_args: Any, **_options: Any) -> None:
        raise SegmentTooSlow("Counting took longer than 5 s and was stopped.")

    monkeypatch.setattr("segmentation.api.size", slow)
    assert_problem(till.post("segments/count/", {"rules": SPENDERS}), 503, "too_slow")


def test_the_schema_of_rules_accepts_rules_and_refuses_others(cast: Cast, till: Caller) -> None:
    schema = till.get("segments/schema/").json()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.validate(SPENDERS, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"all": [{"field": "shoe_size", "op": "is", "value": 1}]}, schema)
