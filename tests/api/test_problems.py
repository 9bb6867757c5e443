"""Errors as problem details, to the letter."""

from typing import Any

import pytest
from django.db import IntegrityError, OperationalError
from django.test import Client
from psycopg import errors as postgres

from accounts.api.errors import problem_response
from accounts.tenancy import tenant
from crm.models import Customer
from tests.api.conftest import Caller
from tests.conftest import Cast


def test_a_problem_names_each_place(till: Caller) -> None:
    response = till.post("purchases/", {"lines": [{"unit_price_minor": 1, "quantity": 0.5}, {}]})
    assert response.json() == {
        "type": "urn:regulars:problem:invalid",
        "title": "The request is not valid.",
        "status": 400,
        "detail": "A valid integer is required.",
        "instance": "/api/v1/purchases/",
        "errors": [
            {"pointer": "#/lines/0/quantity", "code": "invalid", "detail": "A valid integer is required."},
            {"pointer": "#/lines/1/unit_price_minor", "code": "required", "detail": "This field is required."},
        ],
    }


def test_a_pointer_escapes_what_it_must(till: Caller) -> None:
    errors = till.post("customers/", {"first_name": "A", "a/b~c": 1}).json()["errors"]
    assert [error["pointer"] for error in errors] == ["#/a~1b~0c"]


def test_a_problem_without_places_has_none(cast: Cast) -> None:
    assert Client().get("/api/v1/customers/").json() == {
        "type": "urn:regulars:problem:not_authenticated",
        "title": "The caller is not known.",
        "status": 401,
        "detail": "Authentication credentials were not provided.",
        "instance": "/api/v1/customers/",
    }


@pytest.mark.parametrize(
    ("cause", "status", "code"),
    [
        (postgres.QueryCanceled(), 503, "too_slow"),
        (postgres.DeadlockDetected(), 409, "busy"),
        (postgres.LockNotAvailable(), 409, "busy"),
    ],
)
def test_a_busy_database_is_told(cause: Exception, status: int, code: str) -> None:
    error = OperationalError()
    error.__cause__ = cause
    response = problem_response(error, {})
    assert response is not None
    assert (response.status_code, response.data["type"]) == (status, f"urn:regulars:problem:{code}")


def test_an_outage_is_not_explained_away() -> None:
    assert problem_response(OperationalError(), {}) is None
    assert problem_response(ZeroDivisionError(), {}) is None


def test_a_contradiction_found_by_the_database_changes_nothing(cast: Cast, till: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def contradicted(**values: Any) -> None:
        Customer.objects.create(first_name="Half done")
        raise IntegrityError

    monkeypatch.setattr("crm.api.customers.create_customer", contradicted)
    response = till.post("customers/", {"first_name": "A"})
    assert (response.status_code, response.json()["type"]) == (409, "urn:regulars:problem:conflict")
    with tenant(cast.saffron.pk):
        assert Customer.objects.count() == 0


@pytest.mark.parametrize("path", ["customers/{}/", "purchases/{}/", "campaigns/{}/recipients/"])
def test_a_number_that_no_row_can_have_is_not_found(till: Caller, path: str) -> None:
    assert [till.get(path.format("9" * digits)).status_code for digits in (18, 19, 5_000)] == [404, 404, 404]
