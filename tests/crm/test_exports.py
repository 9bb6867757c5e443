"""Customers leave as files that come back unchanged, for those who may, and with an entry in the audit log."""

import csv
import io
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client

from accounts import exports
from accounts.actions import create_location
from accounts.exports import TableFormat
from accounts.models import Role
from accounts.models.audit import AuditEntry
from accounts.tenancy import tenant
from crm.actions import create_customer, set_consent
from crm.exports import export_customers
from crm.models import AttributeDefinition, Channel, Consent, ConsentState, Customer, Purpose
from segmentation.actions import create_segment
from tests.conftest import Cast, signed_in
from tests.crm.counter import NOW, Counter, limit_bob_to_downtown, open_counter
from tests.crm.import_files import counts, imported

HEADER = (
    "external_id,email,phone,first_name,last_name,birthday,gender,language,time_zone,street,city,state,postal_code,country,"
    "preferred_location,tags,consent_email,consent_sms,consent_whatsapp"
)


@pytest.fixture
def counter(cast: Cast) -> Counter:
    return open_counter(cast)


def declare_attributes() -> None:
    for key, kind in (("points", "number"), ("vip", "boolean"), ("since", "date"), ("note", "text"), ("size", "choice")):
        AttributeDefinition.objects.create(key=key, label=key.title(), type=kind, choices=["S", "M"] if kind == "choice" else [])


def write_down_everybody(cast: Cast) -> None:
    """People whose every field has something to trip over."""
    acts: dict[str, Any] = {"actor": cast.alice_acts, "now": NOW}
    with tenant(cast.saffron.pk):
        declare_attributes()
        full = create_customer(
            external_id="=A1", email="=a|b@example.com", phone="+12025550188", first_name='=HYPERLINK("x")', last_name="'t Hooft", gender="female",
            birthday=date(1990, 2, 3), language="fa-IR", time_zone="Asia/Tehran", street="1, Main; St", city="تهران", state="'=x", postal_code="-01",
            country="IR", tags=["+vip", "a b", 'q"q', "c,d"], preferred_location=cast.downtown,
            attributes={"points": 7.25, "vip": False, "since": "2024-01-31", "note": "@two\nlines", "size": "M"}, **acts,
        )  # fmt: skip
        create_customer(first_name="Nameless", tags=["a\\b"], attributes={"points": -3, "vip": True}, external_id="77", **acts)
        create_customer(first_name="علی", last_name="می‌رود", phone="+989121234567", **acts)
        for channel, state in ((Channel.EMAIL, ConsentState.GRANTED), (Channel.SMS, ConsentState.WITHDRAWN)):
            set_consent(customer=full, channel=channel, purpose=Purpose.MARKETING, state=state, source="page", **acts)


def everything(cast: Cast) -> tuple[list[Any], list[Any]]:
    with tenant(cast.saffron.pk):
        return list(Customer.objects.order_by("pk").values()), list(Consent.objects.order_by("pk").values())


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_what_was_exported_and_is_imported_again_changes_nothing(cast: Cast, tmp_path: Path, ending: str) -> None:
    write_down_everybody(cast)
    before, file = everything(cast), tmp_path / f"people.{ending}"
    call_command("export_customers", str(file), organization=cast.saffron.slug)
    job = imported(cast.saffron, cast.alice_acts, file)
    assert counts(job) == {"read": 3, "unchanged": 3}
    assert everything(cast) == before
    assert [column for column in job.plan["header"] if column not in job.plan["plan"]] == []


def test_another_organization_makes_the_same_customers_of_the_file(cast: Cast, tmp_path: Path) -> None:
    write_down_everybody(cast)
    file = tmp_path / "people.csv"
    call_command("export_customers", str(file), organization=cast.saffron.slug)
    with tenant(cast.rival.pk):
        declare_attributes()
        create_location(name="Downtown", slug="downtown", actor=cast.charlie_acts)
    assert counts(imported(cast.rival, cast.charlie_acts, file)) == {"read": 3, "created": 3, "consents": 2}
    again = tmp_path / "again.csv"
    call_command("export_customers", str(again), organization=cast.rival.slug)
    assert again.read_bytes() == file.read_bytes()


def test_no_cell_runs_as_a_formula(cast: Cast) -> None:
    write_down_everybody(cast)
    with tenant(cast.saffron.pk):
        header, *rows = exported(cast)
    assert ",".join(header) == f"{HEADER},attributes.note,attributes.points,attributes.since,attributes.size,attributes.vip"
    assert rows[0] == [
        "'=A1", "'=a|b@example.com", "+12025550188", "'=HYPERLINK(\"x\")", "'t Hooft", "1990-02-03", "female", "fa-IR", "Asia/Tehran",
        "1, Main; St", "تهران", "''=x", "-01", "IR", "downtown", "'+vip;a b;c;d;q\"q", "yes", "no", "", "'@two lines", "7.25", "2024-01-31", "M", "no",
    ]  # fmt: skip
    assert all(cell[:1] not in "=@|%\t\r" for row in rows for cell in row if cell)


def exported(cast: Cast) -> list[list[str]]:
    out = io.BytesIO()
    export_customers(customers=Customer.objects.all(), table_format=TableFormat.CSV, out=out, actor=cast.alice_acts)
    return rows_of(out.getvalue())


def rows_of(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_the_page_downloads_who_is_found_and_says_so_in_the_audit_log(as_alice: Client, counter: Counter) -> None:
    cast = counter.cast
    with tenant(cast.saffron.pk):
        create_customer(actor=cast.alice_acts, now=NOW, first_name="Dan", phone="+12025550188")
        create_customer(actor=cast.alice_acts, now=NOW, first_name="Eve", phone="+12025550189")
    names = {query: names_in(as_alice.get(f"/customers/download/{query}")) for query in ("", "?q=dan", "?q=dan&who=regular", "?who=email")}
    assert names == {"": ["Dana", "Dan", "Eve"], "?q=dan": ["Dana", "Dan"], "?q=dan&who=regular": [], "?who=email": ["Dana"]}
    workbook = as_alice.get("/customers/download/?q=eve&format=xlsx")
    assert workbook["Content-Type"] == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    assert workbook["Content-Disposition"] == 'attachment; filename="customers.xlsx"'
    assert b"".join(workbook)[:2] == b"PK"
    assert told(cast) == [
        ("Alice", {"rows": 3, "format": "csv"}), ("Alice", {"rows": 2, "format": "csv"}), ("Alice", {"rows": 0, "format": "csv"}),
        ("Alice", {"rows": 1, "format": "csv"}), ("Alice", {"rows": 1, "format": "xlsx"}),
    ]  # fmt: skip


def names_in(response: Any) -> list[str]:
    return [row[3] for row in rows_of(b"".join(response))[1:]]


def told(cast: Cast) -> list[Any]:
    with tenant(cast.saffron.pk):
        return list(AuditEntry.objects.filter(action="customers.exported").order_by("pk").values_list("actor_label", "after"))


def test_a_segment_is_downloaded_from_its_page_and_by_command(as_alice: Client, counter: Counter, tmp_path: Path) -> None:
    cast = counter.cast
    with tenant(cast.saffron.pk):
        create_customer(actor=cast.alice_acts, now=NOW, first_name="Eve", phone="+12025550189")
        rules = {"all": [{"field": "spent", "op": "at_least", "value": 1}]}
        segment = create_segment(name="Buyers", rules=rules, actor=cast.alice_acts, now=NOW)
    assert f"/segments/{segment.pk}/download/?format=csv" in as_alice.get(f"/segments/{segment.pk}/").content.decode()
    assert names_in(as_alice.get(f"/segments/{segment.pk}/download/")) == ["Dana"]
    file = tmp_path / "buyers.csv"
    call_command("segment", "export", str(segment.pk), str(file), organization=cast.saffron.slug)
    assert [row[3] for row in rows_of(file.read_bytes())[1:]] == ["Dana"]


@pytest.mark.parametrize("action", ["export_csv", "export_xlsx"])
def test_the_admin_downloads_those_chosen(as_alice: Client, counter: Counter, action: str) -> None:
    page = as_alice.post("/admin/crm/customer/", {"action": action, "_selected_action": [counter.dana.pk]})
    ending = action.removeprefix("export_")
    assert page["Content-Disposition"] == f'attachment; filename="customers.{ending}"'
    assert b"".join(page)
    assert told(counter.cast) == [("Alice", {"rows": 1, "format": ending})]


@pytest.mark.parametrize("role", [Role.FRONT_DESK, Role.SUPPORT])
def test_who_may_not_export_is_offered_no_download_and_gets_none(counter: Counter, role: Role) -> None:
    limit_bob_to_downtown(counter.cast, role)
    bob = signed_in(counter.cast.bob)
    assert "/customers/download/" not in bob.get("/customers/").content.decode()
    assert bob.get("/customers/download/").status_code == 403
    for action in ("export_csv", "export_xlsx"):
        page = bob.post("/admin/crm/customer/", {"action": action, "_selected_action": [counter.dana.pk]})
        assert "Content-Disposition" not in page
    assert told(counter.cast) == []


def test_another_organization_downloads_its_own_alone(as_charlie: Client, counter: Counter) -> None:
    assert names_in(as_charlie.get("/customers/download/")) == []
    page = as_charlie.post("/admin/crm/customer/", {"action": "export_csv", "_selected_action": [counter.dana.pk]})
    assert b"Dana" not in (b"".join(page) if page.streaming else page.content)
    assert told(counter.cast) == []


def test_a_sheet_that_would_overflow_is_refused_and_leaves_nothing(
    as_alice: Client, counter: Counter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "MOST_SHEET_ROWS", 1)
    page = as_alice.get("/customers/download/?format=xlsx", follow=True)
    assert "Choose CSV." in page.content.decode()
    file = tmp_path / "people.xlsx"
    with pytest.raises(CommandError, match="Choose CSV"):
        call_command("export_customers", str(file), organization=counter.cast.saffron.slug)
    with tenant(counter.cast.saffron.pk), pytest.raises(ValidationError):
        export_customers(customers=Customer.objects.all(), table_format=TableFormat.XLSX, out=io.BytesIO(), actor=counter.cast.alice_acts)
    assert not file.exists()
    assert told(counter.cast) == []


def test_the_command_never_writes_over_a_file(counter: Counter, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("mine")
    for name, words in (
        (str(file), "is there already"),
        ("people.pdf", "has to end in .csv or .xlsx"),
        (str(tmp_path / "no/x.csv"), "cannot"),
    ):
        with pytest.raises(CommandError, match=words):
            call_command("export_customers", name, organization=counter.cast.saffron.slug)
    assert file.read_text() == "mine"
    assert told(counter.cast) == []
