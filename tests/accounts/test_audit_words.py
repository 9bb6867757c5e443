"""Audit entries are told in the reader's words, whatever part of the product wrote them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from django.utils import translation

from accounts.audit_words import VERBS, told_action, told_field, told_kind
from accounts.models import AuditEntry
from accounts.tenancy import tenant
from tests.conftest import Cast

ROOT = Path(__file__).resolve().parents[2]
APPS = ("accounts", "analytics", "campaigns", "config", "crm", "loyalty", "messaging", "segmentation")
# How the product calls what writes an entry, with the action first or by name.
WRITERS = {"record_audit", "_audited", "_audit", "_record", "_change_state", "_verb", "_kept"}


def written_verbs() -> Iterator[tuple[str, str]]:
    for path in (path for app in APPS for path in sorted((ROOT / app).rglob("*.py")) if "migrations" not in path.parts):
        for call in (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)):
            if getattr(call.func, "id", getattr(call.func, "attr", "")) not in WRITERS:
                continue
            for said in [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "action")]:
                if isinstance(said, ast.Constant) and isinstance(said.value, str):
                    yield said.value.rpartition(".")[2], f"{path.relative_to(ROOT)}:{call.lineno}"


def test_every_action_that_is_written_has_words() -> None:
    found = list(written_verbs())
    assert len(found) > 40
    assert [place for verb, place in found if verb not in VERBS] == []


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_has_its_persian_words(verb: str) -> None:
    with translation.override("fa"):
        assert not str(VERBS[verb]).isascii()


def test_an_action_is_told_with_the_kind_of_its_subject() -> None:
    with translation.override("en"):
        assert told_action("campaign.launched", "campaigns.campaign") == "Campaign: launched"
        assert told_action("points.given", "loyalty.member") == "Points: given"
        assert told_action("spaceship.landed", "crm.customer") == "spaceship.landed"
        assert (told_kind("crm.customer"), told_kind("gone.thing")) == ("Customer", "gone.thing")
        assert (told_field("crm.customer", "first_name"), told_field("crm.customer", "paid_minor")) == ("First name", "Paid minor")
    with translation.override("fa"):
        assert told_action("campaign.launched", "campaigns.campaign") == "کارزار: راه‌اندازی شد"


def test_the_audit_log_is_told_in_the_readers_language(as_alice: Client, cast: Cast) -> None:
    as_alice.post("/admin/accounts/location/add/", {"name": "Harbour", "slug": "harbour", "time_zone": "", "is_active": "on"})
    with translation.override("fa"):
        told = told_action("location.created", "accounts.location")
    as_alice.cookies["django_language"] = "fa"
    page = as_alice.get("/admin/accounts/auditentry/").content.decode()
    assert told in page
    assert "location.created" not in page


def test_the_page_of_an_audit_entry_is_titled_in_the_readers_language(as_alice: Client, cast: Cast) -> None:
    as_alice.post("/admin/accounts/location/add/", {"name": "Harbour", "slug": "harbour", "time_zone": "", "is_active": "on"})
    with tenant(cast.saffron.pk):
        entry = AuditEntry.objects.get(action="location.created", subject_label="Harbour")
    with translation.override("fa"):
        told = told_action("location.created", "accounts.location")
    as_alice.cookies["django_language"] = "fa"
    page = as_alice.get(f"/admin/accounts/auditentry/{entry.pk}/change/")
    assert page.context["subtitle"] == f"{told} · Harbour"
    assert "location.created: Harbour" not in page.content.decode()
