from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.actions import use_api_key
from accounts.models import ApiKey, AuditEntry, Membership, User
from accounts.queries import organization_id_by_slug
from accounts.tenancy import tenant
from tests.conftest import Cast


def _run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO())
    return out.getvalue().strip()


def test_from_nothing_to_a_working_key(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGULARS_PASSWORD", "a long enough password")
    _run("create_organization", "north", "North Cafés", "--currency", "eur", "--time-zone", "Europe/Berlin", "--region", "de")
    _run("create_user", "Owner@North.example", "--name", "Nora")
    _run("add_member", "north", "owner@north.example", "--role", "owner")
    secret = _run("create_api_key", "north", "till", "--scope", "customers.view")
    north = organization_id_by_slug("north")
    assert north is not None
    access = use_api_key(secret)
    assert access is not None
    assert (access.organization_id, sorted(access.permissions)) == (north, ["customers.view"])
    _run("revoke_api_key", "north", "till")
    assert use_api_key(secret) is None
    with tenant(north):
        assert Membership.objects.get().user.check_password("a long enough password")
        said = list(AuditEntry.objects.order_by("id").values_list("action", "actor_label"))
    assert said[1:] == [("member.added", "manage.py"), ("api_key.created", "manage.py"), ("api_key.revoked", "manage.py")]
    assert "north                   North Cafés                     en        EUR" in _run("list_organizations")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create_organization", "saffron", "Again"], "There is an organization “saffron” already"),
        (["create_organization", "moon", "Moon", "--time-zone", "Mars/Base"], "no time zone"),
        (["create_organization", "moon", "Moon", "--time-zone", "Iran"], "no time zone of a place"),
        (["create_user", "new@example.com", "--name", "n" * 121], "name:"),
        (["create_user", "a" * 60 + "@" + ".".join(["b" * 60] * 4) + ".com"], "email:"),
        (["create_api_key", "saffron", "n" * 81, "--scope", "customers.view"], "name:"),
        (["create_api_key", "saffron", "", "--scope", "customers.view"], "name:"),
        (["create_api_key", "saffron", "till", "--scope", "customers.view", "--days", "99999999"], "cannot be kept"),
        (["revoke_api_key", "saffron", "\0"], "cannot be kept"),
        (["create_organization", "bad slug", "Bad"], "slug:"),
        (["create_organization", "c", "C", "--currency", "dollars"], "currency:"),
        (["create_user", "alice@example.com"], "Somebody logs in with alice@example.com already"),
        (["create_user", "new@example.com"], "REGULARS_PASSWORD"),
        (["create_user", "no-address"], "valid email"),
        (["add_member", "nowhere", "alice@example.com", "--role", "owner"], "There is no organization “nowhere”"),
        (["add_member", "saffron", "nobody@example.com", "--role", "owner"], "Nobody logs in with nobody@example.com"),
        (["add_member", "saffron", "bob@example.com", "--role", "owner"], "is a member already"),
        (["add_member", "saffron", "charlie@example.com", "--role", "owner", "--location", "moon"], "known are: downtown, uptown"),
        (["create_api_key", "saffron", "till"], "Give at least one --scope"),
        (["create_api_key", "saffron", "till", "--scope", "members.change"], "Unknown scope: members.change"),
        (["revoke_api_key", "saffron", "till"], "0 working keys fit"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_and_changes_nothing(
    cast: Cast, arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REGULARS_PASSWORD", raising=False)
    with tenant(cast.saffron.pk):
        before = (User.objects.count(), Membership.objects.count(), AuditEntry.objects.count())
    with pytest.raises(CommandError, match=said):
        _run(*arguments)
    with tenant(cast.saffron.pk):
        assert (User.objects.count(), Membership.objects.count(), AuditEntry.objects.count()) == before
        assert not ApiKey.objects.exists()


@pytest.mark.django_db(databases=["default", "owner"])
def test_the_health_of_all_parts_is_told() -> None:
    lines = {line.split()[1]: line.split()[0] for line in _run("check_health").splitlines()}
    assert {name: lines[name] for name in ("database", "valkey", "wall")} == {"database": "ok", "valkey": "ok", "wall": "ok"}
