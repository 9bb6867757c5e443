"""The OpenAPI document, and whether the API keeps to it under every kind of input."""

import os
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from django.test import Client
from hypothesis import strategies
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from accounts.permissions import API_SCOPES
from config.api_documents import openapi_document
from config.wsgi import django_application
from tests.api.conftest import caller_of
from tests.api.endpoints import endpoints
from tests.conftest import Cast

SCHEMA = schemathesis.openapi.from_dict(openapi_document("en"))
SCHEMA.app = django_application
OPERATIONS: list[Any] = [result.ok() for result in SCHEMA.get_all_operations() if isinstance(result, Ok)]


def resource_of(operation: Any) -> str:
    """``customers`` of ``/api/v1/customers/{id}/``."""
    return str(operation.path.split("/")[3])


CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
BOUNDS: dict[str, Any] = {
    "max_examples": int(os.environ.get("API_EXAMPLES", "8")),
    "deadline": None,
    "derandomize": True,
    "database": None,
    "phases": [hypothesis.Phase.explicit, hypothesis.Phase.generate],
    "suppress_health_check": list(hypothesis.HealthCheck),
}


def test_the_document_is_valid_and_without_warnings(db: None) -> None:
    output = StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=output)
    assert output.getvalue().startswith("openapi: 3.1.0")


def test_every_operation_is_documented_with_its_scope_and_its_problems(db: None) -> None:
    document = Client().get("/api/schema/").json()
    operations = {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in ("get", "post", "patch", "delete", "put")
    }
    assert len(operations) == len(endpoints())
    documented = sorted(tuple(operation["x-scopes"]) for operation in operations.values())
    assert documented == sorted(tuple(map(str, endpoint.permissions)) for endpoint in endpoints())
    assert [key for key, operation in operations.items() if not {"400", "401", "403", "429"} <= set(operation["responses"])] == []
    assert [key for key, operation in operations.items() if not operation.get("summary")] == []


@pytest.mark.parametrize("assert_formats", [True, False])
@pytest.mark.parametrize(
    ("component", "name"),
    [("Customer", "email"), ("Reward", "picture_url"), ("NewCustomerInput", "language"), ("NewCustomerInput", "country")],
)
def test_an_empty_text_keeps_to_the_document_whether_or_not_formats_are_looked_at(component: str, name: str, assert_formats: bool) -> None:
    schema = openapi_document("en")["components"]["schemas"][component]["properties"][name]
    checker = Draft202012Validator.FORMAT_CHECKER if assert_formats else None
    assert [fault.message for fault in Draft202012Validator(schema, format_checker=checker).iter_errors("")] == []
    assert not Draft202012Validator(schema, format_checker=checker).is_valid("x" * 300)


def test_the_documentation_loads_nothing_from_elsewhere(db: None) -> None:
    page = Client().get("/api/docs/")
    assert page.status_code == 200
    assert b"https://" not in page.content
    assert "script-src 'self'" in page["Content-Security-Policy"]
    assert b"<script>" not in page.content
    assert Client().get("/api/docs/?script=").status_code == 200


@pytest.fixture
def same_connection(cast: Cast) -> Iterator[None]:
    """Calls through WSGI stay on the connection of the test."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.parametrize("resource", sorted({resource_of(operation) for operation in OPERATIONS}))
def test_no_input_breaks_the_api_or_its_document(
    same_connection: None, cast: Cast, world: dict[str, int], settings: Any, tmp_path: Path, subtests: pytest.Subtests, resource: str
) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    secret = caller_of(cast.saffron, API_SCOPES, cast).secret
    for operation in OPERATIONS:
        if resource_of(operation) == resource:
            with subtests.test(operation.label), transaction.atomic():
                try_out(operation, secret, {**world, "id": world[resource]} if resource in world else world)
                transaction.set_rollback(True)  # the next operation finds the world as it was


def try_out(operation: Any, secret: str, ids: dict[str, int]) -> None:
    """Call it with right and wrong input, at addresses of things that are there and of others that are not."""
    known = {name: value for name, value in ids.items() if f"{{{name}}}" in operation.path}
    right, wrong = (operation.as_strategy(generation_mode=mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE))

    @hypothesis.settings(**BOUNDS)
    @hypothesis.given(right | wrong, strategies.booleans())
    def call(case: Any, is_known: bool) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {secret}"}
        if is_known:
            # What would end most calls at the door is left to the others.
            case.path_parameters = {**(case.path_parameters or {}), **known}
            case.headers.pop("Idempotency-Key", None)
            case.query = {name: value for name, value in (case.query or {}).items() if name != "cursor"}
        response = case.call_and_validate(checks=CHECKS)
        assert response.status_code != 401, "the key is ours: every call has to come through the door"

    call()
