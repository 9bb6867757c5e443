"""What somebody else has already: a name, an address, a number. It is told at the member of the body that says it."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from accounts.permissions import API_SCOPES
from accounts.tenancy import tenant
from crm.actions import NewLine, create_customer, record_purchase
from crm.models import Customer, Purchase
from loyalty.actions.programs import create_program
from loyalty.models import Program
from messaging.actions.templates import create_template
from messaging.models import MessageTemplate
from tests.api.conftest import Caller, caller_of, errors_of
from tests.api.loyalty_stage import Problem
from tests.api.world import NOON, SPENDERS
from tests.conftest import Cast
from tests.crm.test_actions import somebody_waits
from tests.waiting import wait_until

CUT = {"description": "Haircut", "unit_price_minor": 3_500}
DANA = {"email": "dana@example.com", "phone": "+12025550123", "external_id": "T-7"}


@pytest.fixture
def taken(cast: Cast, world: dict[str, int], till: Caller) -> dict[str, int]:
    """The world, in which one more of everything has a name of its own."""
    for path, body in (
        ("customers/", {"first_name": "Dana", **DANA}),
        ("purchases/", {"number": "R-1", "lines": [CUT]}),
        ("programs/", {"name": "Club", "slug": "club"}),
    ):
        assert till.post(path, body).status_code == 201
    return world


@pytest.mark.parametrize(
    ("path", "body", "places"),
    [
        ("customers/", {"email": "DANA@example.com"}, ["#/email"]),
        ("customers/", {"phone": "(202) 555-0123"}, ["#/phone"]),
        ("customers/", {"external_id": "T-7"}, ["#/external_id"]),
        ("customers/", DANA, ["#/email", "#/phone", "#/external_id"]),
        ("purchases/", {"number": "R-1", "lines": [CUT]}, ["#/number"]),
        ("purchases/{purchases}/refund/", {"number": "R-1", "amount_minor": 1}, ["#/number"]),
        ("till/sales/", {"number": "R-1", "lines": [CUT]}, ["#/number"]),
        ("till/refunds/", {"purchase": "{purchases}", "number": "R-1", "amount_minor": 1}, ["#/number"]),
        ("segments/", {"name": "Spenders", "rules": SPENDERS}, ["#/name"]),
        ("segments/{segments}/snapshot/", {"name": "Spenders"}, ["#/name"]),
        ("templates/", {"name": "Spring"}, ["#/name"]),
        ("programs/", {"name": "Another", "slug": "club"}, ["#/slug"]),
        ("programs/", {"name": "Club"}, ["#/name"]),
    ],
)
def test_what_is_taken_is_told_at_its_member(
    till: Caller, taken: dict[str, int], assert_problem: Problem, path: str, body: dict[str, Any], places: list[str]
) -> None:
    known = {name: taken["purchases"] if value == "{purchases}" else value for name, value in body.items()}
    listed = path.partition("/")[0].replace("till", "purchases") + "/"
    before = till.get(listed).json()
    told = assert_problem(till.post(path.format(**taken), known, idempotency_key="again"), 400, "invalid")
    assert errors_of(told) == dict.fromkeys(places, "unique")
    assert till.get(listed).json() == before


@pytest.mark.parametrize(
    ("resource", "change", "place"),
    [("customers", {"email": "dana@example.com"}, "#/email"), ("programs", {"slug": "club"}, "#/slug")],
)
def test_a_change_to_what_is_taken_is_told_at_its_member(
    till: Caller, taken: dict[str, int], assert_problem: Problem, resource: str, change: dict[str, str], place: str
) -> None:
    path = f"{resource}/{taken[resource]}/"
    before = till.get(path).json()
    assert errors_of(assert_problem(till.patch(path, change), 400, "invalid")) == {place: "unique"}
    assert till.get(path).json() == before


def test_a_number_that_is_taken_is_told_in_a_tills_queue_too(cast: Cast, till: Caller, taken: dict[str, int]) -> None:
    sale = {"sequence": 1, "key": "q-1", "kind": "sale", "occurred_at": "2026-03-02T10:00:00Z", "body": {"number": "R-1", "lines": [CUT]}}
    with tenant(cast.saffron.pk):
        before = Purchase.objects.count()
    [told] = till.post("till-operations/", {"till": "front", "operations": [sale]}).json()["operations"]
    assert (told["status"], errors_of(told["operation"]["answer"])) == (400, {"#/number": "unique"})
    with tenant(cast.saffron.pk):
        assert Purchase.objects.count() == before


RACES: dict[str, tuple[str, dict[str, Any], Callable[[Cast], object], Any]] = {
    "#/phone": ("customers/", {"phone": DANA["phone"]}, lambda cast: create_customer(
        actor=cast.alice_acts, now=NOON, first_name="Dana", phone=DANA["phone"]), Customer),
    "#/number": ("purchases/", {"number": "R-1", "lines": [CUT]}, lambda cast: record_purchase(
        lines=[NewLine(1_000)], number="R-1", purchased_at=NOON, now=NOON, actor=cast.alice_acts), Purchase),
    "#/name": ("templates/", {"name": "Spring"}, lambda cast: create_template(name="Spring", actor=cast.alice_acts), MessageTemplate),
}  # fmt: skip


@pytest.mark.parametrize("place", RACES)
def test_who_says_the_same_at_the_same_moment_is_told_the_same(committed_cast: Cast, assert_problem: Problem, place: str) -> None:
    path, body, write, model = RACES[place]
    told = second_of_two(committed_cast, path, body, write)
    assert errors_of(assert_problem(told, 400, "invalid")) == {place: "unique"}
    assert caller_of(committed_cast.saffron, API_SCOPES, committed_cast).post(path, body).json() == told.json()
    with tenant(committed_cast.saffron.pk):
        assert model.objects.count() == 1


def second_of_two(cast: Cast, path: str, body: dict[str, Any], write: Callable[[Cast], object]) -> Any:
    """The answer to a call that looks before somebody else's writing is there to be seen, and writes after it."""
    late, answers = caller_of(cast.saffron, API_SCOPES, cast), []

    def call() -> None:
        try:
            answers.append(late.post(path, body))
        finally:
            connection.close()

    with tenant(cast.saffron.pk):
        write(cast)
        thread = threading.Thread(target=call)
        thread.start()
        wait_until(somebody_waits, "the second writer did not wait for the first")
    thread.join(30)
    return answers[0]


def test_a_slug_that_was_made_of_a_name_is_no_member_of_the_body(committed_cast: Cast, assert_problem: Problem) -> None:
    """Another request brought the same one at the same moment; sent again, it is told where to say one."""
    told = second_of_two(committed_cast, "programs/", {"name": "Club"}, lambda cast: create_program(name="Club", actor=cast.alice_acts))
    assert_problem(told, 409, "conflict")
    with tenant(committed_cast.saffron.pk):
        assert [program.name for program in Program.objects.all()] == ["Club"]
