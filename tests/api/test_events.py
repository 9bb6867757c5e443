"""Events of other systems over the API."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tenancy import tenant
from crm.models import Event
from tests.api.conftest import Caller, errors_of
from tests.conftest import Cast
from tests.factories import CustomerFactory

Problem = Callable[..., dict[str, Any]]


def test_an_event_with_a_key_is_recorded_once(cast: Cast, till: Caller) -> None:
    event = {"kind": "class.attended", "key": "booking-7", "properties": {"room": "A"}, "occurred_at": "2026-02-01T10:00:00Z"}
    first = till.post("events/", event)
    again = till.post("events/", event)
    assert (first.status_code, again.status_code) == (201, 200)
    assert (first.json()["recorded"], first.json()["event"]["kind"], first.json()["event"]["properties"]) == (
        True,
        "class.attended",
        {"room": "A"},
    )
    assert again.json() == {"recorded": False, "event": None}
    with tenant(cast.saffron.pk):
        assert Event.objects.count() == 1


def test_a_batch_counts_what_is_new_in_a_bounded_number_of_queries(cast: Cast, till: Caller) -> None:
    with tenant(cast.saffron.pk):
        customers = [CustomerFactory.create(external_id=f"T-{number}") for number in range(20)]
    events = [{"kind": "class.attended", "key": f"k{customer.pk}", "customer": customer.pk} for customer in customers]
    events += [{"kind": "class.attended", "key": f"n{customer.pk}", "customer_external_id": customer.external_id} for customer in customers]
    till.post("events/batch/", {"events": events[:1]})
    with CaptureQueriesContext(connection) as queries:
        response = till.post("events/batch/", {"events": events})
    assert (response.status_code, response.json()) == (200, {"recorded": 39, "duplicates": 1})
    assert len(queries) <= 17
    with tenant(cast.saffron.pk):
        assert Event.objects.filter(customer=customers[3]).count() == 2


def test_one_wrong_event_refuses_the_batch(cast: Cast, till: Caller, assert_problem: Problem) -> None:
    good = {"kind": "class.attended"}
    body = assert_problem(till.post("events/batch/", {"events": [good, {**good, "customer": 4711}, {"kind": "nonsense"}]}), 400, "invalid")
    assert errors_of(body) == {"#/events/1/customer": "does_not_exist", "#/events/2/kind": "invalid"}
    with tenant(cast.saffron.pk):
        assert Event.objects.count() == 0


@pytest.mark.parametrize(
    ("event", "errors"),
    [
        ({"kind": "purchase.completed"}, {"#/kind": "reserved"}),
        ({"kind": "Class Attended"}, {"#/kind": "invalid"}),
        ({"kind": "class.attended", "properties": {"text": "x" * 17_000}}, {"#/properties": "max_length"}),
        ({"kind": "class.attended", "properties": [1]}, {"#/properties": "not_a_dict"}),
        ({"kind": "class.attended", "key": "x" * 121}, {"#/key": "max_length"}),
        ({"kind": "class.attended", "occurred_at": "9999-12-31T23:59:59Z"}, {"#/occurred_at": "too_late"}),
        ({"kind": "class.attended", "customer": 1, "customer_external_id": "T"}, {"#/customer": "does_not_exist"}),
        ([], {"#": "invalid"}),
    ],
)
def test_an_event_that_cannot_be_is_refused(cast: Cast, till: Caller, assert_problem: Problem, event: Any, errors: dict[str, str]) -> None:
    assert errors_of(assert_problem(till.post("events/", event), 400, "invalid")) == errors
    with tenant(cast.saffron.pk):
        assert Event.objects.count() == 0


def test_events_are_listed_as_they_were_recorded(cast: Cast, till: Caller) -> None:
    for day in (3, 1, 2):
        till.post("events/", {"kind": f"class.day{day}", "occurred_at": f"2026-02-0{day}T10:00:00Z"})
    assert [event["kind"] for event in till.get("events/").json()["results"]] == ["class.day2", "class.day1", "class.day3"]
    assert [event["kind"] for event in till.get("events/?occurred_from=2026-02-02T00:00:00Z").json()["results"]] == [
        "class.day2",
        "class.day3",
    ]
    assert [event["kind"] for event in till.get("events/?kind=class.day1&source=api").json()["results"]] == ["class.day1"]
