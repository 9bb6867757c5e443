"""Writes of accounts: organizations, members, API keys."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime

from django.db import connection, transaction

from accounts.audit import SYSTEM, Actor, record_audit
from accounts.models import ApiKey, Location, Membership, MembershipLocation, Organization, Role, User
from accounts.permissions import API_SCOPES, Permission
from accounts.tenancy import tenant

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
def create_api_key(
    *, name: str, scopes: Iterable[Permission], actor: Actor, created_by: User | None = None, expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """Create a key in the current organization; returns it with its secret, which cannot be read again.

    Raises:
        ValueError: a scope that keys cannot have.
    """
    wanted = sorted(set(scopes))
    if refused := [scope for scope in wanted if scope not in API_SCOPES]:
        raise ValueError(f"API keys cannot have: {', '.join(refused)}")
    secret = KEY_PREFIX + secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        name=name,
        prefix=secret[:12],
        key_hash=hash_api_key(secret),
        scopes=[str(scope) for scope in wanted],
        created_by=created_by,
        expires_at=expires_at,
    )
    record_audit(action="api_key.created", subject=key, actor=actor, after={"name": name, "scopes": wanted})
    return key, secret


@transaction.atomic
def revoke_api_key(*, key: ApiKey, now: datetime, actor: Actor) -> None:
    """Make a key useless at once; revoking it again changes nothing."""
    if ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now):
        record_audit(action="api_key.revoked", subject=key, actor=actor, after={"revoked_at": now})


def hash_api_key(secret: str) -> str:
    """SHA-256: the secret has 256 bits of chance, so a slow hash would protect nothing more."""
    return hashlib.sha256(secret.encode()).hexdigest()
