"""What platform administrators change of a user."""

import pytest
from django.test import Client

from accounts.actions import add_member
from accounts.models import AuditEntry, Role, User
from accounts.tenancy import tenant
from tests.conftest import PASSWORD, Cast, signed_in


@pytest.fixture
def boss(cast: Cast) -> User:
    return User.objects.create_user("boss@example.com", PASSWORD, is_superuser=True, name="Boss")


def _close_charlie(client: Client, cast: Cast) -> None:
    values = {"email": "Charles@Example.com", "name": "Charlie", "language": ""}
    assert client.post(f"/admin/accounts/user/{cast.charlie.pk}/change/", values).status_code == 302


@pytest.mark.parametrize("has_a_seat", [False, True])
def test_every_organization_of_a_user_is_told_what_the_platform_changed(cast: Cast, boss: User, has_a_seat: bool) -> None:
    with tenant(cast.saffron.pk):
        add_member(user=cast.charlie, role=Role.ANALYST, actor=cast.alice_acts)
        if has_a_seat:
            add_member(user=boss, role=Role.ANALYST, actor=cast.alice_acts)
    _close_charlie(signed_in(boss), cast)
    for organization in (cast.saffron, cast.rival):
        with tenant(organization.pk):
            entry = AuditEntry.objects.get(action="user.changed")
        assert (entry.actor_label, entry.subject_id) == ("Boss", cast.charlie.pk)
        assert entry.before == {"email": "charlie@example.com", "is_active": True}
        assert entry.after == {"email": "charles@example.com", "is_active": False}


def test_a_change_of_nobody_elses_is_not_told_to_others(cast: Cast, boss: User) -> None:
    _close_charlie(signed_in(boss), cast)
    with tenant(cast.saffron.pk):
        assert not AuditEntry.objects.filter(action="user.changed").exists()


def test_an_address_in_other_letters_is_the_same_address(cast: Cast, boss: User) -> None:
    values = {"email": "Alice@Example.com", "name": "x", "language": "", "is_active": "on"}
    page = signed_in(boss).post("/admin/accounts/user/add/", values)
    assert page.context["adminform"].form.errors["email"] == ["Someone already logs in with this address."]
    assert User.objects.filter(email__iexact="alice@example.com").count() == 1
