import re

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from accounts.actions import create_api_key, hash_api_key, use_api_key
from accounts.models import ApiKey, AuditEntry, Membership, Role
from accounts.permissions import Permission
from accounts.tenancy import tenant
from tests.conftest import Cast, signed_in
from tests.crm.counter import limit_bob_to_downtown


def test_a_key_is_shown_once_and_kept_as_a_hash(as_alice: Client, cast: Cast) -> None:
    page = as_alice.post("/admin/accounts/apikey/add/", {"name": "till", "scopes": ["customers.view"]})
    secret = re.search(r'value="(rgl_[\w-]+)"', page.content.decode())
    assert secret is not None
    assert "no-store" in page["Cache-Control"]
    with tenant(cast.saffron.pk):
        key = ApiKey.objects.get(name="till")
        assert (key.scopes, key.key_hash) == (["customers.view"], hash_api_key(secret[1]))
    for path in ("", f"{key.pk}/change/"):
        assert secret[1] not in as_alice.get(f"/admin/accounts/apikey/{path}").content.decode()


def test_a_revoked_key_is_useless_and_the_audit_log_tells_by_whom(as_alice: Client, cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        key, secret = create_api_key(name="till", scopes=[Permission.CUSTOMERS_VIEW], actor=cast.alice_acts)
    as_alice.post("/admin/accounts/apikey/", {"action": "revoke", "_selected_action": [key.pk]})
    assert use_api_key(secret) is None
    with tenant(cast.saffron.pk):
        assert AuditEntry.objects.get(action="api_key.revoked").actor_label == "Alice"


def test_a_key_cannot_get_what_keys_must_not_have(as_alice: Client, cast: Cast) -> None:
    page = as_alice.post("/admin/accounts/apikey/add/", {"name": "till", "scopes": ["members.change"]})
    assert "scopes" in page.context["adminform"].form.errors
    with tenant(cast.saffron.pk):
        assert not ApiKey.objects.exists()


def test_the_audit_log_shows_before_and_after_and_lets_nobody_change_it(as_alice: Client, cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        entry = AuditEntry.objects.filter(action="member.added").first()
    assert entry is not None
    page = as_alice.get(f"/admin/accounts/auditentry/{entry.pk}/change/").content.decode()
    assert '<th scope="row">Role</th><td></td><td>' in page
    assert as_alice.post(f"/admin/accounts/auditentry/{entry.pk}/change/", {"action": "forged"}).status_code == 403
    assert as_alice.post(f"/admin/accounts/auditentry/{entry.pk}/delete/", {"post": "yes"}).status_code == 403


def test_the_admin_writes_audit_entries_and_no_log_entries(as_alice: Client, cast: Cast) -> None:
    as_alice.post("/admin/accounts/location/add/", {"name": "Harbour", "slug": "harbour", "time_zone": "", "is_active": "on"})
    with tenant(cast.saffron.pk):
        entry = AuditEntry.objects.get(action="location.created", subject_label="Harbour")
    assert (entry.after or {})["slug"] == "harbour"
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("name", ["user", "organization"])
def test_platform_tables_are_shut_for_owners(as_alice: Client, cast: Cast, name: str) -> None:
    path = {"user": "/admin/accounts/user/", "organization": "/admin/django_celery_beat/periodictask/"}[name]
    assert as_alice.get(path).status_code == 403


def test_the_audit_log_is_shut_for_a_manager_of_some_locations(cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        entry = AuditEntry.objects.filter(action="member.added").first()
        Membership.objects.filter(user=cast.bob).update(role=Role.MANAGER)
    assert entry is not None
    paths = ("/admin/accounts/auditentry/", f"/admin/accounts/auditentry/{entry.pk}/change/")
    assert [signed_in(cast.bob).get(path).status_code for path in paths] == [200, 200]
    limit_bob_to_downtown(cast, Role.MANAGER)
    bob = signed_in(cast.bob)
    assert [bob.get(path).status_code for path in paths] == [403, 403]
    assert "/admin/accounts/auditentry/" not in bob.get("/").content.decode()
