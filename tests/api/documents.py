"""Whether an answer keeps to the OpenAPI document: its status, its kind, each of its members, and none beside them."""

import json
import re
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from config.api_documents import openapi_document

PROBLEM = "application/problem+json"


def assert_documented(response: Any) -> None:
    """Check an answer of the API; what the document does not know (an address, a method) is none of its operations."""
    responses = _responses(response.wsgi_request.method, response.wsgi_request.path)
    if responses is None or response.status_code >= 500:
        return
    told = f"{response.wsgi_request.method} {response.wsgi_request.path} → {response.status_code}"
    assert str(response.status_code) in responses, told
    documented = responses[str(response.status_code)]
    assert ("Location" in response) == ("Location" in documented.get("headers", {})), told
    content = documented.get("content")
    if content is None:
        assert response.content == b"", told
        return
    kind = response["Content-Type"].partition(";")[0]
    assert kind in content, told
    schema, body = content[kind]["schema"], response.json()
    faults = [f"{fault.json_path}: {fault.message}" for fault in _validator(json.dumps(schema)).iter_errors(body)]
    assert faults == [], told
    if kind == PROBLEM:
        assert any(_fits(variant, body) for variant in schema.get("anyOf", [schema])), (told, body)


def _fits(variant: dict[str, Any], body: dict[str, Any]) -> bool:
    """Whether a problem is of this kind and has no member that the document does not name."""
    known = openapi_document("en")["components"]["schemas"][variant["$ref"].rpartition("/")[2]]["properties"]
    return body.keys() <= known.keys() and bool(_validator(json.dumps(variant)).is_valid(body))


@cache
def _validator(schema: str) -> Any:
    return Draft202012Validator({**json.loads(schema), "components": openapi_document("en")["components"]})


@cache
def _operations() -> list[tuple[str, re.Pattern[str], dict[str, Any]]]:
    # Addresses without a parameter come first: `vouchers/lookup/` is no voucher.
    paths = sorted(openapi_document("en")["paths"].items(), key=lambda item: item[0].count("{"))
    return [
        (method.upper(), re.compile(re.sub(r"\{\w+\}", "[0-9]+", path).rstrip("/") + "/?"), operation["responses"])
        for path, operations in paths
        for method, operation in operations.items()
        if isinstance(operation, dict) and "responses" in operation
    ]


def _responses(method: str, path: str) -> dict[str, Any] | None:
    return next((responses for known, pattern, responses in _operations() if known == method and pattern.fullmatch(path)), None)
