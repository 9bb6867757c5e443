"""Who may call, how often, and with what bodies."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from redis.exceptions import ConnectionError as ValkeyIsDown

from accounts.actions import create_api_key, revoke_api_key
from accounts.models import ApiKey, AuditEntry
from accounts.permissions import Permission
from accounts.tenancy import tenant
from crm.models import Customer
from tests.api.conftest import Caller
from tests.api.endpoints import endpoints
from tests.conftest import PASSWORD, Cast, signed_in
from tests.factories import CustomerFactory

Problem = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("secret", ["", "rgl_forged", "forged", "rgl_" + "ü", "rgl_\x00"])
def test_without_a_key_that_is_known_nobody_gets_in(cast: Cast, assert_problem: Problem, secret: str) -> None:
    response = Client().get("/api/v1/customers/", headers={"Authorization": f"Bearer {secret}"})
    assert_problem(response, 401, "authentication_failed")
    assert response["WWW-Authenticate"] == 'Bearer realm="Regulars"'


def test_a_key_is_useless_once_revoked_expired_or_its_organization_closed(cast: Cast, till: Caller, assert_problem: Problem) -> None:
    assert till.get("customers/").status_code == 200
    with tenant(cast.saffron.pk):
        ApiKey.objects.update(expires_at=timezone.now())
    assert_problem(till.get("customers/"), 401, "authentication_failed")
    with tenant(cast.saffron.pk):
        ApiKey.objects.update(expires_at=timezone.now() + timedelta(hours=1))
    assert till.get("customers/").status_code == 200
    with tenant(cast.saffron.pk):
        revoke_api_key(key=ApiKey.objects.get(), now=timezone.now(), actor=cast.alice_acts)
    assert_problem(till.get("customers/"), 401, "authentication_failed")


def test_when_a_key_was_used_is_written_once_a_minute(cast: Cast, till: Caller) -> None:
    def last_used() -> Any:
        with tenant(cast.saffron.pk):
            return ApiKey.objects.get().last_used_at

    assert last_used() is None
    till.get("customers/")
    first = last_used()
    assert timezone.now() - first < timedelta(seconds=10)
    till.get("customers/")
    assert last_used() == first
    with tenant(cast.saffron.pk):
        ApiKey.objects.update(last_used_at=first - timedelta(minutes=2))
    till.get("customers/")
    assert last_used() > first


def test_a_key_does_what_its_scopes_say(cast: Cast, key_with: Callable[..., Caller], assert_problem: Problem) -> None:
    reader = key_with(Permission.CUSTOMERS_VIEW)
    assert reader.get("customers/").status_code == 200
    body = assert_problem(reader.post("customers/", {"first_name": "A"}), 403, "missing_scope")
    assert "customers.change" in body["detail"]
    with tenant(cast.saffron.pk):
        assert Customer.objects.count() == 0


def test_a_session_reads_with_its_role_and_changes_with_the_csrf_token(cast: Cast, assert_problem: Problem) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(cast.bob, backend="django.contrib.auth.backends.ModelBackend")
    assert browser.get("/api/v1/customers/").status_code == 200
    assert_problem(browser.get("/api/v1/events/batch/"), 405, "method_not_allowed")
    assert_problem(browser.post("/api/v1/customers/", {"first_name": "A"}, content_type="application/json"), 403, "permission_denied")
    browser.get("/api/docs/?script=")
    token = browser.cookies["csrftoken"].value
    response = browser.post("/api/v1/customers/", {"first_name": "A"}, content_type="application/json", headers={"X-CSRFToken": token})
    assert response.status_code == 201
    response = browser.post("/api/v1/events/", {"kind": "a.b"}, content_type="application/json", headers={"X-CSRFToken": token})
    assert_problem(response, 403, "missing_scope")
    with tenant(cast.saffron.pk):
        assert AuditEntry.objects.get(action="customer.created").actor_label == "Bob"


def test_a_shown_key_counts_more_than_who_is_signed_in(cast: Cast, rival: Caller) -> None:
    with tenant(cast.saffron.pk):
        CustomerFactory.create()
    rival.client = signed_in(cast.alice)
    assert rival.get("customers/").json()["results"] == []
    shouted = rival.client.get("/api/v1/customers/", headers={"Authorization": f"BEARER {rival.secret}"})
    assert shouted.json()["results"] == []


def test_who_belongs_nowhere_gets_nothing(cast: Cast, assert_problem: Problem) -> None:
    from accounts.models import User

    stranger = User.objects.create_user("eve@example.com", PASSWORD)
    assert_problem(signed_in(stranger).get("/api/v1/customers/"), 403, "permission_denied")


def test_too_many_requests_are_told_when_to_come_back(
    cast: Cast, till: Caller, rival: Caller, assert_problem: Problem, settings: Any
) -> None:
    settings.API_REQUESTS_PER_MINUTE = 3
    assert [till.get("customers/").status_code for _ in range(3)] == [200, 200, 200]
    response = till.get("customers/")
    assert_problem(response, 429, "throttled")
    assert 1 <= int(response["Retry-After"]) <= 60
    assert rival.get("customers/").status_code == 200


def test_without_valkey_everything_is_answered_and_nothing_limited(
    cast: Cast, till: Caller, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.API_REQUESTS_PER_MINUTE = 1

    def down(*_args: Any, **_options: Any) -> None:
        raise ValkeyIsDown

    monkeypatch.setattr("redis.client.Pipeline.execute", down)
    assert [till.get("customers/").status_code for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("{", 400, "parse_error"),
        (b"\xff\xfe", 400, "parse_error"),
        ("[" * 100_000, 400, "parse_error"),
        ('{"first_name": NaN}', 400, "parse_error"),
        ('{"first_name": ' + "9" * 5_000 + "}", 400, "parse_error"),
        ('{"a": ' * 40 + "1" + "}" * 40, 400, "invalid"),
        ('{"first_name": "\\ud800"}', 400, "invalid"),
        ('{"first_name": 1e999}', 400, "invalid"),
        ('{"\\u0000": 1}', 400, "invalid"),
        ("[]", 400, "invalid"),
        ("null", 400, "invalid"),
        ('"text"', 400, "invalid"),
        ("7", 400, "invalid"),
        ("", 400, "invalid"),
        ('{"first_name": "' + "x" * 5 * 1024 * 1024 + '"}', 413, "body_too_large"),
    ],
)
def test_a_body_that_is_no_use_is_refused(till: Caller, assert_problem: Problem, body: str | bytes, status: int, code: str) -> None:
    assert_problem(till.call("POST", "customers/", body), status, code)


def test_a_body_of_another_kind_is_refused(till: Caller, assert_problem: Problem) -> None:
    response = till.client.post("/api/v1/customers/", {"first_name": "A"}, headers={"Authorization": f"Bearer {till.secret}"})
    assert_problem(response, 415, "unsupported_media_type")


def test_what_is_not_there_is_told_in_the_same_words(till: Caller, assert_problem: Problem) -> None:
    assert_problem(till.get("nothing/"), 404, "not_found")
    assert_problem(till.get("customers/0/"), 404, "not_found")
    assert_problem(till.get(f"customers/{10**30}/"), 404, "not_found")
    assert_problem(till.get("customers/abc/"), 404, "not_found")
    assert_problem(Client(enforce_csrf_checks=True).post("/api/v1/nothing/"), 404, "not_found")
    assert_problem(till.delete("customers/1/"), 405, "method_not_allowed")


def test_answers_are_kept_by_no_cache_and_methods_are_told(cast: Cast, till: Caller, assert_problem: Problem) -> None:
    response = till.get("customers/")
    assert (response["Cache-Control"], response["Allow"]) == ("no-store", "GET, HEAD, POST")
    assert_problem(till.call("OPTIONS", "customers/"), 405, "method_not_allowed")
    assert till.call("HEAD", "customers/").status_code == 200


def test_the_slash_at_the_end_may_be_missing(cast: Cast, till: Caller) -> None:
    assert till.get("customers").status_code == 200
    assert till.post("customers", {"first_name": "A"}).status_code == 201


def test_an_unforeseen_error_leaves_nothing_behind(
    cast: Cast, till: Caller, assert_problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: Any, **_options: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("crm.api.customers.CustomerOutput.to_representation", broken)
    till.client.raise_request_exception = False
    assert_problem(till.post("customers/", {"first_name": "A"}, idempotency_key="k"), 500, "error")
    with tenant(cast.saffron.pk):
        assert Customer.objects.count() == 0
        assert AuditEntry.objects.filter(action="customer.created").count() == 0


def test_lists_are_read_in_a_bounded_number_of_queries(
    cast: Cast, till: Caller, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with tenant(cast.saffron.pk):
        CustomerFactory.create_batch(30)
    till.get("customers/")
    # One for the key, one for the scope and its limits, one read; a savepoint of the test around it and the end of the scope.
    with django_assert_max_num_queries(6):
        assert len(till.get("customers/").json()["results"]) == 30


def test_answers_are_utf_8_json(cast: Cast, till: Caller) -> None:
    response = till.post("customers/", {"first_name": "سارا"})
    assert response["Content-Type"] == "application/json"
    assert "سارا" in response.content.decode()
    assert json.loads(response.content)["first_name"] == "سارا"


def test_errors_speak_the_callers_language(cast: Cast, till: Caller) -> None:
    response = till.client.get("/api/v1/customers/999999/", headers={"Authorization": f"Bearer {till.secret}", "Accept-Language": "fa"})
    assert response["Content-Language"] == "fa"


def test_scopes_that_keys_cannot_have_stay_out_of_reach(cast: Cast) -> None:
    with tenant(cast.saffron.pk), pytest.raises(ValueError, match=r"members\.change"):
        create_api_key(name="Greedy", scopes=[Permission.MEMBERS_CHANGE], actor=cast.alice_acts)


def test_an_id_larger_than_any_is_nothing_anywhere(cast: Cast, till: Caller, world: dict[str, int], subtests: pytest.Subtests) -> None:
    for endpoint in (endpoint for endpoint in endpoints() if endpoint.parameters):
        with subtests.test(endpoint.name):
            path = endpoint.path(dict.fromkeys({*endpoint.parameters, endpoint.resource}, 10**25))
            assert till.call(endpoint.method, path, None if endpoint.method == "GET" else {}).status_code == 404
