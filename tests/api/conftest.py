"""Callers of the API: Saffron's till, Rival's program, and keys with fewer scopes."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.actions import create_api_key
from accounts.models import Membership, MembershipLocation, Organization
from accounts.permissions import API_SCOPES, Permission
from accounts.tenancy import tenant
from tests.api.documents import assert_documented
from tests.api.world import make_world
from tests.conftest import Cast

JSON = "application/json"


@dataclass
class Caller:
    """A program that calls the API with its key, and finds every answer in the document."""

    secret: str
    client: Client = field(default_factory=Client)

    def call(self, method: str, path: str, body: Any = None, *, idempotency_key: str = "", **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.secret}"} if self.secret else {}
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        data: dict[str, Any] = (
            {} if body is None else {"data": body if isinstance(body, str | bytes) else json.dumps(body), "content_type": JSON}
        )
        response = self.client.generic(method, f"/api/v1/{path}", headers=headers, **data, **options)
        assert_documented(response)
        return response

    def get(self, path: str, **options: Any) -> Any:
        return self.call("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        return self.call("POST", path, {} if body is None else body, **options)

    def patch(self, path: str, body: Any, **options: Any) -> Any:
        return self.call("PATCH", path, body, **options)

    def delete(self, path: str, **options: Any) -> Any:
        return self.call("DELETE", path, **options)


def caller_of(organization: Organization, scopes: Iterable[Permission], cast: Cast) -> Caller:
    """A caller with a new key of the organization."""
    actor = cast.charlie_acts if organization == cast.rival else cast.alice_acts
    with tenant(organization.pk):
        _key, secret = create_api_key(name="Till", scopes=scopes, actor=actor)
    return Caller(secret)


@pytest.fixture(autouse=True)
def fresh_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def till(cast: Cast) -> Caller:
    """Saffron's program, with every scope a key can have."""
    return caller_of(cast.saffron, API_SCOPES, cast)


@pytest.fixture
def rival(cast: Cast) -> Caller:
    """Rival's program, with every scope a key can have."""
    return caller_of(cast.rival, API_SCOPES, cast)


@pytest.fixture
def nobody() -> Caller:
    return Caller("")


@pytest.fixture
def key_with(cast: Cast) -> Callable[..., Caller]:
    """Makes a caller of Saffron with the given scopes."""
    return lambda *scopes: caller_of(cast.saffron, scopes, cast)


@pytest.fixture
def assert_problem() -> Callable[..., dict[str, Any]]:
    """Checks that an answer is a problem with this status and code, and hands out its body."""

    def check(response: Any, status: int, code: str) -> dict[str, Any]:
        assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json"), response.content
        body: dict[str, Any] = response.json()
        assert (body["status"], body["type"]) == (status, f"urn:regulars:problem:{code}")
        return body

    return check


def errors_of(body: dict[str, Any]) -> dict[str, str]:
    """Place → code of a problem's errors."""
    return {error.get("pointer", error.get("parameter", "")): error["code"] for error in body["errors"]}


@pytest.fixture
def limited(cast: Cast) -> Cast:
    """Bob at the front desk, limited to Downtown."""
    with tenant(cast.saffron.pk):
        MembershipLocation.objects.create(membership=Membership.objects.get(user=cast.bob), location=cast.downtown)
    return cast


@pytest.fixture
def world(cast: Cast) -> dict[str, int]:
    """One thing of every kind in Saffron; ids by resource."""
    return make_world(cast)
