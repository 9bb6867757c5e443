"""Visits over the API."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.tenancy import tenant
from crm.models import Customer, CustomerFacts, Visit
from tests.api.conftest import Caller
from tests.conftest import Cast
from tests.factories import CustomerFactory

Problem = Callable[..., dict[str, Any]]


@pytest.fixture
def customer_id(cast: Cast) -> int:
    with tenant(cast.saffron.pk):
        customer: Customer = CustomerFactory.create()
    return customer.pk


def test_a_visit_goes_from_booking_to_its_end(cast: Cast, till: Caller, customer_id: int, assert_problem: Problem) -> None:
    booked = till.post(
        "visits/", {"customer": customer_id, "starts_at": "2026-05-01T09:30:00+03:30", "service": "Beard trim", "location": cast.uptown.pk}
    )
    assert booked.status_code == 201
    body = booked.json()
    assert (body["state"], body["starts_at"], body["service"]) == ("booked", "2026-05-01T06:00:00Z", "Beard trim")
    visit = f"visits/{body['id']}/"
    assert till.post(f"{visit}state/", {"state": "arrived"}).json()["state"] == "arrived"
    assert till.post(f"{visit}state/", {"state": "completed"}).json()["state"] == "completed"
    assert till.post(f"{visit}state/", {"state": "completed"}).status_code == 200
    assert assert_problem(till.post(f"{visit}state/", {"state": "booked"}), 409, "wrong_state")["state"] == "completed"
    assert till.get(visit).json()["state"] == "completed"
    with tenant(cast.saffron.pk):
        assert CustomerFacts.objects.get(customer_id=customer_id).visit_count == 1


def test_a_walk_in_is_completed_at_once_but_not_in_the_future(cast: Cast, till: Caller, customer_id: int, assert_problem: Problem) -> None:
    body = {"customer": customer_id, "starts_at": "2026-05-01T09:30:00Z", "state": "completed", "amount_minor": 3_000}
    assert till.post("visits/", body).json()["state"] == "completed"
    late = assert_problem(till.post("visits/", {**body, "starts_at": "2050-01-01T00:00:00Z"}), 400, "invalid")
    assert [error["code"] for error in late["errors"]] == ["too_late"]
    with tenant(cast.saffron.pk):
        assert Visit.objects.count() == 1


def test_visits_are_filtered_and_latest_first(cast: Cast, till: Caller, customer_id: int) -> None:
    for day in (1, 2):
        till.post("visits/", {"customer": customer_id, "starts_at": f"2026-05-0{day}T09:00:00Z", "service": f"S{day}"})
    till.post(f"visits/{till.get('visits/').json()['results'][0]['id']}/state/", {"state": "no_show"})

    def services(query: str) -> list[str]:
        return [row["service"] for row in till.get(f"visits/?{query}").json()["results"]]

    assert services("") == ["S2", "S1"]
    assert services("state=no_show") == ["S2"]
    assert services("starts_before=2026-05-02T00:00:00Z") == ["S1"]
    assert services("customer=999999") == []
