from django.test import Client

from accounts.actions import add_member
from accounts.models import AuditEntry, Membership, Role, User
from accounts.permissions import ROLE_PERMISSIONS, Permission
from accounts.tenancy import tenant
from tests.conftest import PASSWORD, Cast, signed_in
from tests.crm.counter import limit_bob_to_downtown

ADD = "/admin/accounts/membership/add/"


def _membership(cast: Cast, user: User) -> Membership:
    return Membership.objects.get(user=user)


def test_an_owner_adds_a_member_by_e_mail_who_has_no_password_yet(as_alice: Client, cast: Cast) -> None:
    values = {"email": "Fay@Example.com", "name": "Fay", "role": "front_desk", "locations": [cast.downtown.pk]}
    assert as_alice.post(ADD, values).status_code == 302
    with tenant(cast.saffron.pk):
        fay = Membership.objects.get(user__email="fay@example.com")
        assert (fay.role, [limit.location_id for limit in fay.location_limits.all()]) == ("front_desk", [cast.downtown.pk])
        entry = AuditEntry.objects.get(action="member.added", subject_id=fay.pk)
        assert (entry.actor_label, (entry.after or {})["role"]) == ("Alice", "front_desk")
    assert not fay.user.has_usable_password()


def test_somebody_with_an_account_joins_without_a_new_password(as_alice: Client, cast: Cast) -> None:
    page = as_alice.post(ADD, {"email": "charlie@example.com", "name": "", "role": "analyst"}, follow=True).content.decode()
    assert "A link to choose a password" not in page
    assert len(signed_in(cast.charlie).get("/").context["seats"]) == 2


def test_a_member_is_added_once_and_the_form_says_so(as_alice: Client, cast: Cast) -> None:
    page = as_alice.post(ADD, {"email": "bob@example.com", "name": "", "role": "analyst"})
    assert page.status_code == 200
    assert page.context["adminform"].form.errors["email"] == ["This person is a member already; change the role in the list."]


def test_the_last_owner_stays(as_alice: Client, cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        alice = _membership(cast, cast.alice)
    page = as_alice.post(f"/admin/accounts/membership/{alice.pk}/change/", {"role": "analyst", "is_active": "on"})
    assert page.context["adminform"].form.errors["role"] == ["An organization needs an owner. Make somebody else owner first."]
    with tenant(cast.saffron.pk):
        assert _membership(cast, cast.alice).role == Role.OWNER


def test_a_manager_makes_no_owner_and_changes_none(cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        Membership.objects.filter(user=cast.bob).update(role=Role.MANAGER)
        alice = _membership(cast, cast.alice)
    manager = signed_in(cast.bob)
    page = manager.post(ADD, {"email": "gil@example.com", "name": "", "role": "owner"})
    assert "role" in page.context["adminform"].form.errors
    assert manager.post(f"/admin/accounts/membership/{alice.pk}/change/", {"role": "analyst"}).status_code == 403
    with tenant(cast.saffron.pk):
        assert _membership(cast, cast.alice).role == Role.OWNER
        assert not Membership.objects.filter(user__email="gil@example.com").exists()


def test_a_manager_reads_what_an_owner_may_do_here(cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        Membership.objects.filter(user=cast.bob).update(role=Role.MANAGER)
        alice = _membership(cast, cast.alice)
    answer = signed_in(cast.bob).get(f"/admin/accounts/membership/{alice.pk}/change/")
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "Owner" in page
    assert 'name="role"' not in page
    assert 'name="locations"' not in page


def _limits(cast: Cast, user: User) -> set[int]:
    with tenant(cast.saffron.pk):
        return set(_membership(cast, user).locations.values_list("pk", flat=True))


def test_a_manager_of_some_locations_changes_neither_their_own_limits_nor_who_works_elsewhere(cast: Cast) -> None:
    limit_bob_to_downtown(cast, Role.MANAGER)
    dora, eve, fay = (User.objects.create_user(f"{name}@example.com", PASSWORD, name=name) for name in ("dora", "eve", "fay"))
    with tenant(cast.saffron.pk):
        everywhere = add_member(user=dora, role=Role.FRONT_DESK, actor=cast.alice_acts)
        uptown = add_member(user=eve, role=Role.FRONT_DESK, actor=cast.alice_acts, locations=[cast.uptown])
        both = add_member(user=fay, role=Role.FRONT_DESK, actor=cast.alice_acts, locations=[cast.downtown, cast.uptown])
        own = _membership(cast, cast.bob)
    manager = signed_in(cast.bob)
    for seat in (own, everywhere, uptown, both):
        values = {"role": "manager", "is_active": "on", "locations": [cast.downtown.pk]}
        assert manager.post(f"/admin/accounts/membership/{seat.pk}/change/", values).status_code == 403
    assert [_limits(cast, user) for user in (cast.bob, dora, eve, fay)] == [
        {cast.downtown.pk},
        set(),
        {cast.uptown.pk},
        {cast.downtown.pk, cast.uptown.pk},
    ]


def test_a_manager_of_some_locations_hands_on_some_of_these_and_never_all(cast: Cast) -> None:
    limit_bob_to_downtown(cast, Role.MANAGER)
    manager = signed_in(cast.bob)
    values = {"email": "gil@example.com", "name": "", "role": "manager"}
    for locations in ([], [cast.uptown.pk], [cast.downtown.pk, cast.uptown.pk]):
        page = manager.post(ADD, {**values, "locations": locations})
        assert "locations" in page.context["adminform"].form.errors
        assert not User.objects.filter(email="gil@example.com").exists()
    assert manager.post(ADD, {**values, "locations": [cast.downtown.pk]}).status_code == 302
    gil = User.objects.get(email="gil@example.com")
    with tenant(cast.saffron.pk):
        seat = _membership(cast, gil)
    change = f"/admin/accounts/membership/{seat.pk}/change/"
    page = manager.post(change, {"role": "manager", "is_active": "on"})
    assert "locations" in page.context["adminform"].form.errors
    assert _limits(cast, gil) == {cast.downtown.pk}
    assert manager.post(change, {"role": "analyst", "is_active": "on", "locations": [cast.downtown.pk]}).status_code == 302
    with tenant(cast.saffron.pk):
        assert _membership(cast, gil).role == Role.ANALYST


def test_a_changed_role_counts_from_the_next_page_on(as_alice: Client, cast: Cast) -> None:
    bob = signed_in(cast.bob)
    assert bob.get("/admin/accounts/auditentry/").status_code == 403
    with tenant(cast.saffron.pk):
        seat = _membership(cast, cast.bob)
    as_alice.post(f"/admin/accounts/membership/{seat.pk}/change/", {"role": "manager", "is_active": "on"})
    assert bob.get("/admin/accounts/auditentry/").status_code == 200
    as_alice.post(f"/admin/accounts/membership/{seat.pk}/change/", {"role": "manager"})
    assert bob.get("/").status_code == 403


def test_the_front_desk_opens_no_settings(as_bob: Client) -> None:
    for path in ("organization", "location", "membership", "apikey", "auditentry", "user"):
        assert as_bob.get(f"/admin/accounts/{path}/").status_code == 403, path


def test_only_owners_change_the_organization_and_members_at_all_levels() -> None:
    holders = {permission: {role for role in Role if permission in ROLE_PERMISSIONS[role]} for permission in Permission}
    assert holders[Permission.ORGANIZATION_CHANGE] == {Role.OWNER}
    assert holders[Permission.API_KEYS_CHANGE] == {Role.OWNER}
    assert holders[Permission.MEMBERS_CHANGE] == {Role.OWNER, Role.MANAGER}


def test_switching_organizations_is_audited_where_one_arrives(cast: Cast, as_alice: Client) -> None:
    as_alice.post(ADD, {"email": "charlie@example.com", "name": "", "role": "analyst"})
    charlie = signed_in(cast.charlie)
    charlie.post("/accounts/organization/", {"organization": cast.saffron.pk})
    assert charlie.get("/").context["access"].organization_id == cast.saffron.pk
    with tenant(cast.saffron.pk):
        assert [entry.actor_label for entry in AuditEntry.objects.filter(action="organization.entered")] == ["Charlie"]


def test_nobody_switches_to_an_organization_that_is_not_theirs(cast: Cast, as_charlie: Client) -> None:
    assert as_charlie.post("/accounts/organization/", {"organization": cast.saffron.pk}).status_code == 403
    assert as_charlie.get("/").context["access"].organization_id == cast.rival.pk
