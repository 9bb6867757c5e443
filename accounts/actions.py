"""Writes of accounts: organizations, members, API keys."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils.translation import gettext as _

from accounts.audit import SYSTEM, Actor, changed_fields, record_audit
from accounts.models import ApiKey, Location, Membership, MembershipLocation, Organization, Role, User
from accounts.models.audit import ActorKind
from accounts.permissions import API_SCOPES, Access, Permission
from accounts.queries import seats_of
from accounts.tenancy import tenant, tenant_beside

KEY_PREFIX = "rgl_"


def create_organization(*, name: str, slug: str, actor: Actor = SYSTEM, **conventions: str) -> Organization:
    """Create an organization; ``conventions`` are its language, time_zone, currency, region and so on.

    The id is drawn first, because the wall lets a row in only inside its own scope.
    """
    with connection.cursor() as cursor:
        cursor.execute("select nextval(pg_get_serial_sequence('accounts_organization', 'id'))")
        organization_id = cursor.fetchone()[0]
    with tenant(organization_id):
        organization = Organization(pk=organization_id, name=name, slug=slug, **conventions)
        organization.full_clean(validate_unique=False)
        organization.save(force_insert=True)
        record_audit(action="organization.created", subject=organization, actor=actor, after={"name": name, "slug": slug})
    return organization


@transaction.atomic
def create_location(*, name: str, slug: str, actor: Actor, address: str = "", phone: str = "") -> Location:
    """Open a branch in the current organization."""
    location = Location.objects.create(name=name, slug=slug, address=address, phone=phone)
    record_audit(action="location.created", subject=location, actor=actor, after={"name": name, "slug": slug})
    return location


@transaction.atomic
def add_member(*, user: User, role: Role, actor: Actor, locations: Iterable[Location] = ()) -> Membership:
    """Give a user a role in the current organization, optionally only at some locations."""
    membership = Membership.objects.create(user=user, role=role)
    limits = [MembershipLocation(membership=membership, location=location) for location in locations]
    MembershipLocation.objects.bulk_create(limits)
    after = {"user": user.email, "role": role, "locations": [limit.location_id for limit in limits]}
    record_audit(action="member.added", subject=membership, actor=actor, after=after)
    return membership


@transaction.atomic
def invite_member(*, email: str, role: Role, actor: Actor, name: str = "", locations: Iterable[Location] = ()) -> Membership:
    """Add the person with this address to the current organization; who has no account gets one without a password.

    Raises:
        ValidationError: they are a member already.
    """
    address = email.strip().lower()
    user, _created = User.objects.get_or_create(email=address, defaults={"name": name, "password": make_password(None)})
    if Membership.objects.filter(user=user).exists():
        raise ValidationError({"email": _("This person is a member already; change the role in the list.")})
    return add_member(user=user, role=role, actor=actor, locations=locations)


@transaction.atomic
def change_member(*, membership: Membership, role: Role, is_active: bool, locations: Iterable[Location], actor: Actor) -> Membership:
    """Give a member another role or other locations, or close or reopen their seat.

    Raises:
        ValidationError: it would leave the organization without an owner.
    """
    # Two owners who demote each other at once meet here: the second waits and then finds one owner left.
    owners = set(Membership.objects.select_for_update().filter(role=Role.OWNER, is_active=True).values_list("pk", flat=True))
    if owners == {membership.pk} and (role != Role.OWNER or not is_active):
        raise ValidationError({"role": _("An organization needs an owner. Make somebody else owner first.")})
    membership = Membership.objects.get(pk=membership.pk)
    wanted = sorted(location.pk for location in locations)
    limits = sorted(MembershipLocation.objects.filter(membership=membership).values_list("location_id", flat=True))
    before, after = changed_fields(membership, {"role": role, "is_active": is_active})
    if wanted != limits:
        before["locations"], after["locations"] = limits, wanted
        MembershipLocation.objects.filter(membership=membership).delete()
        MembershipLocation.objects.bulk_create(MembershipLocation(membership=membership, location_id=pk) for pk in wanted)
    if after:
        membership.save(update_fields=["role", "is_active"])
        record_audit(action="member.changed", subject=membership, actor=actor, before=before, after=after)
    return membership


@transaction.atomic
def change_user(*, user: User, before: dict[str, Any], after: dict[str, Any], actor: Actor) -> None:
    """Save what the platform changed of a user, and tell every organization they work in."""
    user.save()
    for seat in seats_of(user):
        with tenant_beside(seat.organization_id):
            record_audit(action="user.changed", subject=user, actor=actor, before=before, after=after)


@transaction.atomic
def create_api_key(
    *, name: str, scopes: Iterable[Permission], actor: Actor, created_by: User | None = None, expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """Create a key in the current organization; returns it with its secret, which cannot be read again.

    Raises:
        ValueError: a scope that keys cannot have.
        ValidationError: a name that cannot be kept.
    """
    wanted = sorted(set(scopes))
    if refused := [scope for scope in wanted if scope not in API_SCOPES]:
        raise ValueError(f"API keys cannot have: {', '.join(refused)}")
    secret = KEY_PREFIX + secrets.token_urlsafe(32)
    key = ApiKey(
        name=name,
        prefix=secret[:12],
        key_hash=hash_api_key(secret),
        scopes=[str(scope) for scope in wanted],
        created_by=created_by,
        expires_at=expires_at,
    )
    key.validate(trusted={"created_by"})
    key.save(force_insert=True)
    record_audit(action="api_key.created", subject=key, actor=actor, after={"name": name, "scopes": wanted})
    return key, secret


@transaction.atomic
def revoke_api_key(*, key: ApiKey, now: datetime, actor: Actor) -> None:
    """Make a key useless at once; revoking it again changes nothing."""
    if ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now):
        record_audit(action="api_key.revoked", subject=key, actor=actor, after={"revoked_at": now})


def use_api_key(secret: str) -> Access | None:
    """What the key may do; ``None`` when it is unknown, revoked, expired or its organization is closed.

    Outside every scope. That it was used is written at most once a minute.
    """
    if not secret.startswith(KEY_PREFIX):
        return None
    for key in ApiKey.objects.raw("select * from accounts_use_api_key(%s)", [hash_api_key(secret)]):
        scopes = frozenset(Permission(scope) for scope in key.scopes if scope in set(API_SCOPES))
        return Access(key.organization_id or 0, Actor(ActorKind.API_KEY, key.pk, str(key)), scopes)
    return None


def hash_api_key(secret: str) -> str:
    """SHA-256: the secret has 256 bits of chance, so a slow hash would protect nothing more."""
    return hashlib.sha256(secret.encode()).hexdigest()
