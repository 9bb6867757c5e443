"""Programs over the API: begun, given terms, opened and closed; terms tried before they are written."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.audit import SYSTEM
from accounts.models import Role
from accounts.permissions import Permission
from accounts.tenancy import tenant
from crm.actions import NewLine, record_purchase
from loyalty.models import Program
from tests.api.conftest import Caller, errors_of
from tests.api.loyalty_stage import Ask, ask_in_browser, audited, person_of, traces
from tests.conftest import Cast
from tests.factories import CustomerFactory
from tests.loyalty.ledger_stage import make_member
from tests.loyalty.program_stage import SALES, open_program

Problem = Callable[..., dict[str, Any]]
TERMS: dict[str, Any] = {"earn": [SALES]}


@pytest.fixture
def program(cast: Cast) -> Program:
    """An active program with terms."""
    with tenant(cast.saffron.pk):
        return open_program()


def test_a_program_is_begun_given_terms_opened_and_closed(cast: Cast, till: Caller, assert_problem: Problem) -> None:
    created = till.post("programs/", {"name": "Café Club", "points_name": "beans"}, idempotency_key="k")
    assert created.status_code == 201, created.content
    body = created.json()
    path = f"programs/{body['id']}/"
    assert created["Location"] == f"/api/v1/{path}"
    assert (body["name"], body["slug"], body["points_name"], body["state"]) == ("Café Club", "cafe-club", "beans", "draft")
    again = till.post("programs/", {"name": "Café Club", "points_name": "beans"}, idempotency_key="k")
    assert (again.content, again["Idempotency-Replayed"]) == (created.content, "true")

    before = traces(cast)
    assert_problem(till.post(f"{path}activate/"), 409, "not_ready")
    assert_problem(till.post(f"{path}close/"), 409, "wrong_state")
    assert traces(cast) == before
    assert till.post(f"{path}terms/", {"document": TERMS}).json()["version"] == 1
    assert till.post(f"{path}activate/").json() == body | {"state": "active"}
    assert till.post(f"{path}close/").json() == body | {"state": "closed"}
    assert till.post(f"{path}activate/").json() == body | {"state": "active"}
    before = traces(cast)
    assert till.post(f"{path}activate/").json() == body | {"state": "active"}
    assert traces(cast) == before

    renamed = till.patch(path, {"name": "Club", "slug": "club"})
    assert (renamed.status_code, renamed.json()) == (200, body | {"state": "active", "name": "Club", "slug": "club"})
    assert till.get(path).json()["terms"]["document"]["earn"][0]["key"] == "sales"
    steps = ["created", "activated", "closed", "activated", "changed"]
    assert audited(cast, "program") == [(f"program.{step}", "Till") for step in steps]


def test_a_name_that_makes_no_slug_gets_one(till: Caller, program: Program) -> None:
    assert till.post("programs/", {"name": "باشگاه"}).json()["slug"] == "program-2"


@pytest.mark.parametrize(
    ("body", "place", "why"),
    [
        ({"name": ""}, "#/name", "blank"),
        ({"name": None}, "#/name", "null"),
        ({"name": "n" * 121}, "#/name", "max_length"),
        ({"slug": "two words"}, "#/slug", "invalid"),
        ({"slug": "s" * 61}, "#/slug", "max_length"),
        ({"slug": "points"}, "#/slug", "unique"),
        ({"points_name": ""}, "#/points_name", "blank"),
        ({"points_name": "p" * 41}, "#/points_name", "max_length"),
        ({"state": "active"}, "#/state", "unknown_field"),
        ({"draft": {}}, "#/draft", "unknown_field"),
    ],
)
def test_a_program_that_makes_no_sense_is_told_at_its_place(
    cast: Cast, till: Caller, program: Program, assert_problem: Problem, body: dict[str, Any], place: str, why: str
) -> None:
    other = till.post("programs/", {"name": "Other"}).json()["id"]
    before = traces(cast)
    for response in (till.post("programs/", {"name": "New", **body}), till.patch(f"programs/{other}/", body)):
        assert errors_of(assert_problem(response, 400, "invalid")) == {place: why}
    assert traces(cast) == before


def test_terms_are_tried_on_last_years_sales_and_nothing_is_written(cast: Cast, till: Caller, program: Program) -> None:
    now = timezone.now()
    with tenant(cast.saffron.pk):
        buyer, _idle = (make_member(program, customer=CustomerFactory.create()) for _ in range(2))
        sold_at = now - timedelta(days=10)
        record_purchase(lines=[NewLine(50_000)], purchased_at=sold_at, now=now, actor=SYSTEM, customer=buyer.customer, number="S1")
    before = traces(cast)
    twice = {"earn": [SALES | {"points": 2}], "redemption": {"points": 100, "minor": 100}, "redeemed_share": 60}
    tried = till.post(f"programs/{program.pk}/terms/simulate/", {"document": twice})
    assert tried.status_code == 200, tried.content
    assert tried.json() == {
        "members": 2, "members_in_all": 2, "before": {"points": 50, "cost_minor": 40}, "after": {"points": 100, "cost_minor": 60},
        "winners": 1, "losers": 0, "unchanged": 1,
    }  # fmt: skip
    assert traces(cast) == before


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "#/document"),
        ({"document": "all"}, "#/document"),
        ({"document": {"earn": [{"key": "a", "on": "visit", "points": 0}]}}, "#/document/earn/0/points"),
        ({"document": TERMS, "valid_from": "2030-01-01T00:00:00Z"}, "#/valid_from"),
    ],
)
def test_terms_that_make_no_sense_are_not_tried(
    cast: Cast, till: Caller, program: Program, assert_problem: Problem, body: dict[str, Any], place: str
) -> None:
    before = traces(cast)
    refused = assert_problem(till.post(f"programs/{program.pk}/terms/simulate/", body), 400, "invalid")
    assert list(errors_of(refused)) == [place]
    assert traces(cast) == before


def writes(program: Program) -> list[Ask]:
    path = f"programs/{program.pk}/"
    return [
        Ask("PATCH", path, {"name": "Mine"}),
        Ask("POST", f"{path}close/"),
        Ask("POST", f"{path}activate/"),
        Ask("POST", f"{path}terms/", {"document": TERMS}),
        Ask("POST", f"{path}terms/simulate/", {"document": TERMS}),
    ]


def test_who_may_not_changes_nothing(
    cast: Cast, key_with: Callable[..., Caller], as_bob: Any, program: Program, assert_problem: Problem
) -> None:
    asks = [Ask("POST", "programs/", {"name": "New"}), *writes(program)]
    key, marketer = key_with(Permission.LOYALTY_VIEW, Permission.POINTS_CHANGE), person_of(cast, Role.MARKETER)
    key.get("programs/")
    before = traces(cast)
    for ask in asks:
        assert_problem(key.call(ask.method, ask.path, ask.body or {}), 403, "missing_scope")
        assert_problem(ask_in_browser(as_bob, ask), 403, "missing_scope")
    assert traces(cast) == before
    assert [ask_in_browser(marketer, ask).status_code for ask in asks] == [201, 200, 200, 200, 201, 200]


def test_another_organization_sees_and_changes_nothing(cast: Cast, rival: Caller, program: Program, assert_problem: Problem) -> None:
    before = traces(cast)
    for ask in writes(program):
        assert_problem(rival.call(ask.method, ask.path, ask.body or {}), 404, "not_found")
    assert rival.post("programs/", {"name": "Points", "slug": "points"}).status_code == 201
    assert [row["slug"] for row in rival.get("programs/").json()["results"]] == ["points"]
    assert traces(cast) == before
