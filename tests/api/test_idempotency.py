"""Requests that are sent again."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.api.idempotency import KEPT_FOR
from accounts.models import IdempotencyKey
from accounts.permissions import API_SCOPES, Permission
from accounts.tasks import forget_idempotency_keys
from accounts.tenancy import tenant
from crm.models import Customer, Purchase, Visit
from tests.api.conftest import Caller, caller_of, errors_of
from tests.conftest import Cast
from tests.factories import CustomerFactory

Problem = Callable[..., dict[str, Any]]
SALE = {"lines": [{"unit_price_minor": 100}]}


def test_the_same_request_is_done_once_and_answered_again(cast: Cast, till: Caller) -> None:
    first = till.post("purchases/", SALE, idempotency_key="sale-1")
    again = till.post("purchases/", SALE, idempotency_key="sale-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert (again.content, again["Location"]) == (first.content, first["Location"])
    assert ("Idempotency-Replayed" in first, again["Idempotency-Replayed"]) == (False, "true")
    with tenant(cast.saffron.pk):
        assert Purchase.objects.count() == 1
    assert till.post("purchases/", SALE, idempotency_key="sale-2").json()["id"] != first.json()["id"]


def test_a_key_cannot_be_used_for_something_else(cast: Cast, till: Caller, assert_problem: Problem) -> None:
    till.post("purchases/", SALE, idempotency_key="k")
    assert_problem(till.post("purchases/", {"lines": [{"unit_price_minor": 200}]}, idempotency_key="k"), 409, "idempotency_key_reused")
    assert_problem(till.post("customers/", {"first_name": "A"}, idempotency_key="k"), 409, "idempotency_key_reused")
    with tenant(cast.saffron.pk):
        assert (Purchase.objects.count(), Customer.objects.count()) == (1, 0)


def test_a_refused_request_leaves_its_key_free(cast: Cast, till: Caller) -> None:
    assert till.post("purchases/", {"lines": []}, idempotency_key="k").status_code == 400
    assert till.post("purchases/", SALE, idempotency_key="k").status_code == 201


def test_keys_of_two_organizations_and_two_programs_do_not_meet(cast: Cast, till: Caller, rival: Caller, assert_problem: Problem) -> None:
    ours = till.post("customers/", {"first_name": "Ours"}, idempotency_key="k")
    theirs = rival.post("customers/", {"first_name": "Ours"}, idempotency_key="k")
    assert theirs.status_code == 201
    assert "Idempotency-Replayed" not in theirs
    assert theirs.json()["id"] != ours.json()["id"]
    another = caller_of(cast.saffron, API_SCOPES, cast)
    assert_problem(another.post("customers/", {"first_name": "Ours"}, idempotency_key="k"), 409, "idempotency_key_reused")


def test_a_replay_needs_the_scope_too(cast: Cast, key_with: Callable[..., Caller], assert_problem: Problem) -> None:
    caller = key_with(Permission.CUSTOMERS_VIEW)
    assert_problem(caller.post("customers/", {"first_name": "A"}, idempotency_key="k"), 403, "missing_scope")


@pytest.mark.parametrize("key", ["x" * 201, "\x7f"])
def test_a_key_has_to_be_printable_and_short(till: Caller, assert_problem: Problem, key: str) -> None:
    body = assert_problem(till.post("customers/", {"first_name": "A"}, idempotency_key=key), 400, "invalid")
    assert errors_of(body) == {"Idempotency-Key": "invalid_idempotency_key"}


def test_an_old_answer_gives_its_key_away(cast: Cast, till: Caller) -> None:
    till.post("customers/", {"first_name": "A"}, idempotency_key="k")
    with tenant(cast.saffron.pk):
        IdempotencyKey.objects.update(created_at=timezone.now() - KEPT_FOR - timedelta(minutes=1))
    assert till.post("customers/", {"first_name": "B"}, idempotency_key="k").json()["first_name"] == "B"


def test_purchases_refunds_and_visits_are_recorded_once_however_late_they_are_told_again(
    cast: Cast, till: Caller, assert_problem: Problem
) -> None:
    with tenant(cast.saffron.pk):
        customer = CustomerFactory.create().pk
    sale = till.post("purchases/", SALE, idempotency_key="sale")
    refund = f"purchases/{sale.json()['id']}/refund/"
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "sale": ("purchases/", SALE),
        "refund": (refund, {"amount_minor": 40}),
        "visit": ("visits/", {"customer": customer, "starts_at": "2026-03-01T10:00:00Z"}),
    }
    first = {key: till.post(path, body, idempotency_key=key) for key, (path, body) in calls.items()}
    assert [answer.status_code for answer in first.values()] == [201, 201, 201]
    with tenant(cast.saffron.pk):
        IdempotencyKey.objects.update(created_at=timezone.now() - 500 * KEPT_FOR)
    for _ in range(2):  # before the sweep and after it
        for key, (path, body) in calls.items():
            again = till.post(path, body, idempotency_key=key)
            assert (again.content, again["Idempotency-Replayed"]) == (first[key].content, "true")
            assert_problem(till.post(path, {**body, "x": 1}, idempotency_key=key), 409, "idempotency_key_reused")
        forget_idempotency_keys()
    with tenant(cast.saffron.pk):
        assert sorted(Purchase.objects.values_list("total_minor", flat=True)) == [-40, 100]
        assert Visit.objects.count() == 1


def test_old_answers_are_swept(cast: Cast, till: Caller, rival: Caller) -> None:
    for caller in (till, rival):
        caller.post("customers/", {"first_name": "A"}, idempotency_key="old")
    for organization in (cast.saffron, cast.rival):
        with tenant(organization.pk):
            IdempotencyKey.objects.update(created_at=timezone.now() - KEPT_FOR - timedelta(minutes=1))
    till.post("customers/", {"first_name": "B"}, idempotency_key="new")
    forget_idempotency_keys()
    with tenant(cast.saffron.pk):
        assert [row.key for row in IdempotencyKey.objects.all()] == ["new"]
    with tenant(cast.rival.pk):
        assert IdempotencyKey.objects.count() == 0


def test_of_many_at_once_one_is_done(committed_cast: Cast) -> None:
    caller = caller_of(committed_cast.saffron, API_SCOPES, committed_cast)
    start, answers = threading.Barrier(6, timeout=60), []

    def press() -> None:
        try:
            start.wait()
            answers.append(Caller(caller.secret).post("purchases/", SALE, idempotency_key="double"))
        finally:
            connection.close()

    threads = [threading.Thread(target=press) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [201] * 6
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" in answer for answer in answers) == 5
    with tenant(committed_cast.saffron.pk):
        assert Purchase.objects.count() == 1
