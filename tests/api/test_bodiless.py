"""What is asked without a body refuses one that says something, as every body refuses what it does not know."""

from typing import Any

import pytest

from config.api_documents import openapi_document
from tests.api.conftest import Caller, errors_of
from tests.api.endpoints import Endpoint, endpoints
from tests.api.loyalty_stage import Problem, traces
from tests.conftest import Cast


def asks_no_body(endpoint: Endpoint) -> bool:
    return endpoint.method != "GET" and "requestBody" not in _operation(endpoint)


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    paths = openapi_document("en")["paths"]
    return paths[f"/api/v1/{endpoint.pattern.replace('{pk}', '{id}')}"][endpoint.method.lower()]  # type: ignore[no-any-return]


BODILESS = [endpoint for endpoint in endpoints() if asks_no_body(endpoint)]


def test_there_are_such_operations() -> None:
    assert len(BODILESS) >= 14


@pytest.mark.parametrize("endpoint", BODILESS, ids=lambda endpoint: endpoint.name)
def test_a_body_that_nothing_reads_is_refused(
    cast: Cast, till: Caller, world: dict[str, int], assert_problem: Problem, endpoint: Endpoint
) -> None:
    before = traces(cast)
    told = till.call(endpoint.method, endpoint.path(world), {"at": "2090-05-01T09:30:00Z"}, idempotency_key="again")
    assert errors_of(assert_problem(told, 400, "invalid")) == {"#/at": "unknown_field"}
    assert traces(cast) == before
