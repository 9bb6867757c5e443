"""Who works in two organizations never writes into the one they did not mean."""

import re

import pytest
from django.test import Client

from accounts.actions import add_member
from accounts.models import AuditEntry, Location, Membership, Role
from accounts.tenancy import tenant
from tests.conftest import Cast

ADD = "/admin/accounts/location/add/"
HARBOUR = {"name": "Harbour", "slug": "harbour", "time_zone": "", "is_active": "on"}


@pytest.fixture
def charlie(cast: Cast, as_charlie: Client) -> Client:
    """Charlie owns Rival Cuts and Saffron Barbers, and has chosen Saffron."""
    with tenant(cast.saffron.pk):
        add_member(user=cast.charlie, role=Role.OWNER, actor=cast.alice_acts)
    _switch(as_charlie, cast.saffron.pk)
    return as_charlie


def _switch(client: Client, organization_id: int) -> None:
    assert client.post("/accounts/organization/", {"organization": organization_id}).status_code == 302


def _close_seat(cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        Membership.objects.filter(user=cast.charlie).update(is_active=False)


def _opened(client: Client, page: str = ADD) -> dict[str, str]:
    """What a form that is open in a tab will send along."""
    fields = set(re.findall(r'<input type="hidden" name="(in_organization)" value="(\d+)">', client.get(page).content.decode()))
    assert len(fields) == 1
    return dict(fields)


def _harbours(cast: Cast) -> list[int]:
    found: list[int] = []
    for organization in (cast.saffron, cast.rival):
        with tenant(organization.pk):
            found += Location.objects.filter(slug="harbour").values_list("organization_id", flat=True)
    return found


def test_a_form_opened_before_the_switch_in_another_tab_is_refused(cast: Cast, charlie: Client) -> None:
    form = _opened(charlie)
    _switch(charlie, cast.rival.pk)
    refused = charlie.post(ADD, HARBOUR | form)
    assert (refused.status_code, _harbours(cast)) == (409, [])
    assert "You work in another organization now" in refused.content.decode()
    assert charlie.post(ADD, HARBOUR | _opened(charlie)).status_code == 302
    assert _harbours(cast) == [cast.rival.pk]


def test_what_a_script_sends_says_where_it_was_opened_too(cast: Cast, charlie: Client) -> None:
    _switch(charlie, cast.rival.pk)
    assert charlie.post(ADD, HARBOUR, headers={"X-Organization": str(cast.saffron.pk)}).status_code == 409
    assert _harbours(cast) == []
    assert charlie.post(ADD, HARBOUR, headers={"X-Organization": str(cast.rival.pk)}).status_code == 302


def test_a_form_of_an_organization_whose_seat_was_closed_lands_nowhere_else(cast: Cast, charlie: Client) -> None:
    form = _opened(charlie)
    _close_seat(cast)
    assert charlie.post(ADD, HARBOUR | form).status_code == 409
    assert charlie.post(ADD, HARBOUR).status_code == 409  # says nothing, so the session's word counts
    assert _harbours(cast) == []
    assert charlie.post(ADD, HARBOUR | _opened(charlie)).status_code == 302
    assert _harbours(cast) == [cast.rival.pk]


def test_old_pages_still_switch_the_organization_and_log_out(cast: Cast, charlie: Client) -> None:
    form = _opened(charlie)
    _close_seat(cast)
    assert charlie.post("/accounts/organization/", {"organization": cast.rival.pk, **form}).status_code == 302
    assert charlie.get("/").context["access"].organization_id == cast.rival.pk
    charlie.post("/admin/logout/", form)
    assert "_auth_user_id" not in charlie.session


def test_forms_outside_every_organization_name_none() -> None:
    page = Client().get("/admin/login/").content.decode()
    assert ("csrfmiddlewaretoken" in page, "in_organization" in page) == (True, False)


def test_an_entry_whose_first_page_is_missing_is_told_by_the_next_page(cast: Cast, charlie: Client) -> None:
    for page, status in (("/customers/99999999/", 404), ("/customers/", 200), ("/customers/", 200)):
        assert charlie.get(page).status_code == status
    with tenant(cast.saffron.pk):
        assert [entry.actor_label for entry in AuditEntry.objects.filter(action="organization.entered")] == ["Charlie"]
