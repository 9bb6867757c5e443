"""Imports over the API."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.tenancy import tenant
from crm.imports.actions import run_import
from crm.models import Customer, ImportJob
from tests.api.conftest import Caller, errors_of
from tests.conftest import Cast

Problem = Callable[..., dict[str, Any]]
PEOPLE = "First name,E-mail,Town\nDana,dana@example.com,Rome\nBo,not an address,Oslo\n"


@pytest.fixture(autouse=True)
def own_folder(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"


def send(caller: Caller, text: str | bytes, *, key: str = "", **fields: Any) -> Any:
    raw = text.encode() if isinstance(text, str) else text
    data = {"kind": "customers", "file": SimpleUploadedFile("people.csv", raw), **fields}
    headers = {"Authorization": f"Bearer {caller.secret}"} | ({"Idempotency-Key": key} if key else {})
    return caller.client.post("/api/v1/imports/", data, headers=headers)


def test_a_file_is_taken_and_followed_to_its_end(cast: Cast, till: Caller) -> None:
    response = send(till, PEOPLE, columns=json.dumps({"city": ["Town"]}))
    assert response.status_code == 201, response.content
    body = response.json()
    assert (body["kind"], body["state"], body["file_name"], body["is_dry_run"], body["progress"]) == (
        "customers",
        "queued",
        "people.csv",
        False,
        0.0,
    )
    run_import(organization_id=cast.saffron.pk, job_id=body["id"])
    done = till.get(f"imports/{body['id']}/").json()
    assert (done["state"], done["row_count"], done["progress"]) == ("done", 2, 1.0)
    assert done["counts"]["created"] >= 1
    findings = till.get(f"imports/{body['id']}/findings/").json()["results"]
    assert [(finding["row"], finding["field"]) for finding in findings] == [(3, "email")]
    with tenant(cast.saffron.pk):
        assert Customer.objects.get(email="dana@example.com").city == "Rome"
    assert [row["id"] for row in till.get("imports/").json()["results"]] == [body["id"]]


def test_the_same_upload_is_taken_once(cast: Cast, till: Caller, assert_problem: Problem) -> None:
    first, again = (send(till, PEOPLE, key="monday") for _ in range(2))
    assert (again.content, again["Idempotency-Replayed"]) == (first.content, "true")
    assert_problem(send(till, PEOPLE + "Eve,eve@example.com,Bern\n", key="monday"), 409, "idempotency_key_reused")
    with tenant(cast.saffron.pk):
        assert ImportJob.objects.count() == 1


@pytest.mark.parametrize(
    ("text", "fields", "place"),
    [
        (PEOPLE, {"kind": "spells"}, "#/kind"),
        (PEOPLE, {"columns": "[1]"}, "#/columns"),
        (PEOPLE, {"columns": '{"email": "E-mail"}'}, "#/columns"),
        (PEOPLE, {"columns": '{"shoe": ["Town"]}'}, "#/columns"),
        (PEOPLE, {"delimiter": "::"}, "#/delimiter"),
        (PEOPLE, {"date_order": "ymd"}, "#/date_order"),
        (PEOPLE, {"encoding": "klingon"}, "#/encoding"),
        (PEOPLE, {"colour": "red"}, "#/colour"),
        (b"\x00\x01\x02" * 50, {}, "#/file"),
        ("", {}, "#/file"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(
    cast: Cast, till: Caller, assert_problem: Problem, text: str | bytes, fields: dict[str, Any], place: str
) -> None:
    assert set(errors_of(assert_problem(send(till, text, **fields), 400, "invalid"))) == {place}
    with tenant(cast.saffron.pk):
        assert ImportJob.objects.count() == 0


def test_a_file_is_not_json_and_not_endless(till: Caller, assert_problem: Problem, settings: Any) -> None:
    assert_problem(till.post("imports/", {"kind": "customers"}), 415, "unsupported_media_type")
    settings.API_MAX_UPLOAD_BYTES = 10
    assert_problem(send(till, PEOPLE), 413, "body_too_large")
