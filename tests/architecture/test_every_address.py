"""No page without its guard: not for strangers, not for another organization, not for a role that lacks the permission."""

from typing import Any

import pytest
from django.test import Client

from accounts.actions import add_member
from accounts.models import Role, User
from accounts.permissions import ROLE_PERMISSIONS, Permission
from accounts.tenancy import tenant
from tests.architecture.addresses import Address, addresses
from tests.architecture.rows import fingerprint, plant_rows
from tests.conftest import PASSWORD, Cast, signed_in

# Addresses that are open without a login, and why. A name that is not needed any more fails the test.
OPEN_ADDRESSES = {
    "set_language": "chooses a language before and after the login",
    "admin:login": "the login itself",
    "admin:logout": "whoever is not logged in is sent to the start page",
    "accounts:session": "asked by pages whose session may have ended; tells nothing but who asks",
    "admin_password_reset": "for those who cannot log in",
    "password_reset_done": "for those who cannot log in",
    "password_reset_confirm": "its token is its key",
    "password_reset_complete": "for those who cannot log in",
    "health-live": "asked by load balancers; says nothing of any organization",
    "health-ready": "asked by load balancers; says nothing of any organization",
    "open_pixel": "customers' mail programs ask for it; its signed token is its key",
    "tracked_link": "customers click it; its signed token is its key",
    "unsubscribe": "customers' right; its signed token is its key",
    "preferences": "customers' right; its signed token is its key",
    "confirm_preferences": "customers' right; its signed token is its key",
    "member_page": "members' own; its signed token is its key",
    "member_card": "members' own; its signed token is its key",
    "member_code": "members' own; its signed token is its key",
    "join": "friends of members are strangers; its signed token is its key",
    "schema": "the description of the API holds no organization's data",
    "api-docs": "the description of the API holds no organization's data",
    "": "the API's answer to addresses that it does not know",
}
START_PAGE = "/admin/"
# Pages that need a login and no permission.
UNGUARDED_PAGES = {"accounts:switch_organization": "lets one choose among one's own organizations only"}


def _pages() -> list[Address]:
    return [address for address in addresses() if not address.in_admin and not address.in_api and address.name not in OPEN_ADDRESSES]


def test_every_address_asks_for_a_login_or_is_open_for_a_reason(cast: Cast) -> None:
    stranger = Client(raise_request_exception=False)
    open_names = set()
    for address in addresses():
        response = stranger.get(address.path)
        asks = response.status_code in (401, 403) or (response.status_code == 302 and response["Location"].startswith("/admin/login/"))
        wrong_method = response.status_code == 405 and stranger.post(address.path).status_code in (302, 401, 403)
        if not asks and not wrong_method:
            open_names.add(address.name)
    assert open_names - set(OPEN_ADDRESSES) == set()
    assert set(OPEN_ADDRESSES) - {address.name for address in addresses()} == set(), "these reasons speak of addresses that are gone"


def test_every_page_names_the_permission_it_needs(cast: Cast) -> None:
    unguarded = {address.name for address in _pages() if not isinstance(address.permission, Permission)}
    assert unguarded == set(UNGUARDED_PAGES)


@pytest.mark.parametrize("role", list(Role))
def test_every_page_opens_for_the_roles_that_the_matrix_names_and_for_no_other(cast: Cast, role: Role) -> None:
    dora = User.objects.create_user("dora@example.com", PASSWORD, name="Dora")
    with tenant(cast.saffron.pk):
        add_member(user=dora, role=role, actor=cast.alice_acts)
    client = signed_in(dora)
    wrong = []
    for address in _pages():
        if not isinstance(address.permission, Permission):
            continue
        statuses = set()
        for ask in (client.get, client.post):
            response = ask(address.path)
            statuses.add(response.status_code)
            b"".join(response)  # a download holds its file open until it is read
        allowed = address.permission in ROLE_PERMISSIONS[role]
        if (403 in statuses) == allowed:
            wrong.append((address.name, role, sorted(statuses)))
    assert wrong == []


@pytest.fixture
def planted(committed_cast: Cast) -> Cast:
    plant_rows(committed_cast)
    return committed_cast


def test_another_organization_finds_none_of_saffrons_objects_and_changes_nothing(planted: Cast) -> None:
    charlie = signed_in(planted.charlie)
    charlie.raise_request_exception = False
    before = fingerprint(planted)
    shown = []
    for address in addresses():
        redirect = address.name == "admin:"  # Django's way from /1/ to /1/change/, whatever is there
        if not address.takes_arguments or address.name in OPEN_ADDRESSES or redirect:
            continue
        for ask in (charlie.get, charlie.post):
            response = ask(address.path)
            while (onward := response.headers.get("Location", START_PAGE)) != START_PAGE:
                response = charlie.get(onward)
            if not _refused(response):
                shown.append((address.name, ask.__name__, response.status_code))
    assert shown == []
    assert fingerprint(planted) == before


def _refused(response: Any) -> bool:
    # Django's admin sends those who ask for what is not there to its start page; other ways on are followed to their end.
    return response.status_code in (403, 404, 405) or "Location" in response
