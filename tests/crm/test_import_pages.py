"""Importing on pages: a file, its columns, its progress, its summary, and who may not."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.tenancy import tenant
from crm.imports.actions import run_import
from crm.models import Customer, ImportJob
from tests.conftest import Cast
from tests.crm.import_files import imported

CONTENT = "Mail;Vorname;Stadt\nava@example.com;=Ava;Reno\nwrong;Ben;Boise\n"


@pytest.fixture(autouse=True)
def silent_bell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm.imports.actions.ring_for_import", lambda organization_id, job_id: None)


def upload(client: Client, content: str = CONTENT, kind: str = "customers") -> str:
    answer = client.post("/imports/new/", {"kind": kind, "file": SimpleUploadedFile("leute.csv", content.encode())})
    assert answer.status_code == 302, answer.content.decode()
    return str(answer["Location"])


def only_job(cast: Cast) -> ImportJob:
    with tenant(cast.saffron.pk):
        return ImportJob.objects.get()


def test_a_file_is_uploaded_its_columns_checked_imported_and_summed_up(cast: Cast, as_alice: Client) -> None:
    columns = upload(as_alice)
    page = as_alice.get(columns).content.decode()
    assert "Vorname" in page
    assert "ava@example.com" in page
    assert "An email address must have an @-sign." in page
    with tenant(cast.saffron.pk):
        assert Customer.objects.count() == 0
    choice = {"column_0": "email", "column_1": "first_name", "column_2": "city", "encoding": "utf-8", "date_order": "dmy"}
    shown = as_alice.post(columns, choice)["Location"]
    job = only_job(cast)
    assert shown == f"/imports/{job.pk}/"
    waiting = as_alice.get(shown).content.decode()
    assert 'hx-trigger="every 2s"' in waiting
    run_import(organization_id=cast.saffron.pk, job_id=job.pk, workers=1)
    fragment = as_alice.get(shown, headers={"HX-Request": "true"})
    assert "HX-Request" in fragment["Vary"]  # going back shows the page, not what was asked for last at its address
    done = fragment.content.decode()
    assert "hx-trigger" not in done
    assert "1 customers created." in done
    assert "wrong;Ben;Boise" in done
    assert "the download has all" not in done
    with tenant(cast.saffron.pk):
        assert Customer.objects.values_list("email", "first_name", "city").get() == ("ava@example.com", "=Ava", "Reno")
    assert "leute.csv" in as_alice.get("/imports/").content.decode()


def test_of_two_columns_of_one_name_the_chosen_one_is_imported(cast: Cast, as_alice: Client) -> None:
    columns = upload(as_alice, "Email,Email\nold@example.com,new@example.com\n")
    as_alice.post(columns, {"column_0": "", "column_1": "email", "encoding": "utf-8", "date_order": "dmy"})
    run_import(organization_id=cast.saffron.pk, job_id=only_job(cast).pk, workers=1)
    with tenant(cast.saffron.pk):
        assert Customer.objects.values_list("email", flat=True).get() == "new@example.com"


def test_a_rehearsal_changes_nothing_and_can_be_done_for_real(cast: Cast, as_alice: Client) -> None:
    columns = upload(as_alice)
    choice = {"column_0": "email", "column_1": "first_name", "column_2": "", "encoding": "utf-8", "date_order": "dmy", "rehearse": "1"}
    shown = as_alice.post(columns, choice)["Location"]
    rehearsal = only_job(cast)
    run_import(organization_id=cast.saffron.pk, job_id=rehearsal.pk, workers=1)
    assert "This was a rehearsal" in as_alice.get(shown).content.decode()
    with tenant(cast.saffron.pk):
        assert Customer.objects.count() == 0
    as_alice.post(f"{shown}again/")
    with tenant(cast.saffron.pk):
        real = ImportJob.objects.exclude(pk=rehearsal.pk).get()
    run_import(organization_id=cast.saffron.pk, job_id=real.pk, workers=1)
    with tenant(cast.saffron.pk):
        assert Customer.objects.count() == 1


def test_choices_that_cannot_be_imported_are_said_on_the_page(cast: Cast, as_alice: Client) -> None:
    columns = upload(as_alice)
    page = as_alice.post(columns, {"column_1": "first_name", "encoding": "utf-8", "date_order": "dmy"})
    assert page.status_code == 200
    assert "No column holds an e-mail address" in page.content.decode()
    assert only_job(cast).state == "draft"
    answer = as_alice.post("/imports/new/", {"kind": "customers", "file": SimpleUploadedFile("x.csv", b"%PDF-1.4")})
    assert "This is a PDF" in answer.content.decode()


def test_rejected_rows_are_downloaded_without_formulas(cast: Cast, as_alice: Client) -> None:
    job = imported(cast.saffron, cast.alice_acts, "email,name\nwrong,x\n=cmd|' /C calc'!A0,y\n")
    answer = as_alice.get(f"/imports/{job.pk}/rows.csv?only=rejected")
    assert answer["Content-Disposition"] == f'attachment; filename="import-{job.pk}-rows.csv"'
    lines = answer.content.decode("utf-8-sig").splitlines()
    assert lines[1].startswith("2,yes,email,")
    assert lines[1].endswith('"wrong,x"')
    assert "\"'=cmd|' /C calc'!A0,y\"" in lines[2]


def test_those_who_may_not_import_see_nothing_and_change_nothing(cast: Cast, as_bob: Client, as_charlie: Client) -> None:
    job = imported(cast.saffron, cast.alice_acts, "email\na@example.com\nwrong\n")
    for path in ("", "new/", f"{job.pk}/", f"{job.pk}/columns/", f"{job.pk}/rows.csv"):
        assert as_bob.get(f"/imports/{path}").status_code == 403
    for path in (f"{job.pk}/", f"{job.pk}/columns/", f"{job.pk}/rows.csv"):
        assert as_charlie.get(f"/imports/{path}").status_code == 404
    assert as_charlie.post(f"/imports/{job.pk}/again/").status_code == 404
    assert as_bob.post("/imports/new/", {"kind": "customers", "file": SimpleUploadedFile("x.csv", b"email\n")}).status_code == 403
    with tenant(cast.rival.pk):
        assert ImportJob.objects.count() == 0
