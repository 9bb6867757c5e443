"""The permission matrix over every operation of the API."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import AuditEntry
from accounts.permissions import API_SCOPES
from accounts.tenancy import tenant
from crm.models import Event
from tests.api.conftest import Caller, caller_of
from tests.api.endpoints import endpoints
from tests.conftest import Cast

Problem = Callable[..., dict[str, Any]]
ALL = endpoints()
NOWHERE = dict.fromkeys({name for endpoint in ALL for name in (*endpoint.parameters, endpoint.resource)}, 1)


def test_every_operation_asks_for_a_permission_that_keys_can_have() -> None:
    assert [endpoint.name for endpoint in ALL if not endpoint.permissions or set(endpoint.permissions) - API_SCOPES] == []


def test_nobody_gets_in_without_a_key(db: None, nobody: Caller, assert_problem: Problem, subtests: pytest.Subtests) -> None:
    for endpoint in ALL:
        with subtests.test(endpoint.name):
            assert_problem(nobody.call(endpoint.method, endpoint.path(NOWHERE)), 401, "not_authenticated")


def test_every_other_scope_is_not_enough(cast: Cast, assert_problem: Problem, subtests: pytest.Subtests) -> None:
    for permission in sorted({permission for endpoint in ALL for permission in endpoint.permissions}):
        caller = caller_of(cast.saffron, API_SCOPES - {permission}, cast)
        for endpoint in (endpoint for endpoint in ALL if permission in endpoint.permissions):
            with subtests.test(endpoint.name, permission=permission):
                body = assert_problem(caller.call(endpoint.method, endpoint.path(NOWHERE)), 403, "missing_scope")
                assert f"“{permission}”" in body["detail"]


def test_another_organizations_things_are_not_there_and_stay_as_they_are(
    cast: Cast, rival: Caller, assert_problem: Problem, world: dict[str, int]
) -> None:
    def traces() -> tuple[int, int]:
        with tenant(cast.saffron.pk):
            return AuditEntry.objects.count(), Event.objects.count()

    before = traces()
    with_ids = [endpoint for endpoint in ALL if endpoint.parameters]
    for endpoint in with_ids:
        assert_problem(rival.call(endpoint.method, endpoint.path(world), None if endpoint.method == "GET" else {}), 404, "not_found")
    assert traces() == before
    with tenant(cast.rival.pk):
        assert Event.objects.count() == 0


def test_ones_own_things_are_there(cast: Cast, till: Caller, world: dict[str, int]) -> None:
    answers = {endpoint.name: till.get(endpoint.path(world)).status_code for endpoint in ALL if endpoint.method == "GET"}
    assert {name: status for name, status in answers.items() if status != 200} == {}


def test_another_organizations_lists_are_empty(cast: Cast, rival: Caller, world: dict[str, int]) -> None:
    lists = [endpoint for endpoint in ALL if endpoint.action == "list" and not endpoint.parameters]
    assert len(lists) == 17
    assert {endpoint.name: rival.get(endpoint.path({})).json()["results"] for endpoint in lists} == {
        endpoint.name: [] for endpoint in lists
    }
