"""Reads that cross or precede the tenant scope, and the few that the shell needs on every page."""

from dataclasses import dataclass

from django.db import connection
from django.utils import timezone

from accounts.audit import Actor
from accounts.models import ApiKey, Membership, Organization, Role, User
from accounts.models.audit import ActorKind
from accounts.permissions import API_SCOPES, ROLE_PERMISSIONS, Access, Permission
from accounts.tenancy import presented_api_key, signed_in_user


def organization_ids() -> list[int]:
    """Ids of the active organizations, for sweeps; the only thing that can be read across organizations."""
    with connection.cursor() as cursor:
        cursor.execute("select accounts_organization_ids()")
        return [row[0] for row in cursor.fetchall()]


def organization_id_by_slug(slug: str) -> int | None:
    """The id behind a slug, for administrators' commands."""
    with connection.cursor() as cursor:
        cursor.execute("select accounts_organization_id_by_slug(%s)", [slug])
        row = cursor.fetchone()
    return row[0] if row else None


@dataclass(frozen=True, slots=True)
class Seat:
    """One organization a user can work in."""

    organization_id: int
    name: str
    access: Access
    language: str
    time_zone: str
    currency: str = "USD"
    money_unit: str = "currency"


def seats_of(user: User) -> list[Seat]:
    """The organizations a user belongs to, by name."""
    with signed_in_user(user.pk):
        memberships = list(
            Membership.objects.filter(user=user, is_active=True, organization__is_active=True)
            .select_related("organization")
            .prefetch_related("location_limits")
            .order_by("organization__name")
        )
    return [_seat(user, membership) for membership in memberships]


def _seat(user: User, membership: Membership) -> Seat:
    organization = membership.organization
    role = Role(membership.role)
    limits = frozenset(limit.location_id for limit in membership.location_limits.all())
    access = Access(
        organization_id=organization.pk,
        actor=Actor(ActorKind.USER, user.pk, str(user)),
        permissions=ROLE_PERMISSIONS[role],
        role=role,
        location_ids=limits or None,
    )
    return Seat(
        organization.pk,
        organization.name,
        access,
        organization.language,
        organization.time_zone,
        organization.currency,
        organization.money_unit,
    )


def access_of_api_key(key_hash: str) -> Access | None:
    """What the key with this hash may do; ``None`` when it is unknown, revoked, expired or its organization is closed."""
    with presented_api_key(key_hash):
        keys = ApiKey.objects.select_related("organization")
        key = keys.filter(key_hash=key_hash, revoked_at=None, organization__is_active=True).first()
    if key is None or (key.expires_at is not None and key.expires_at <= timezone.now()):
        return None
    scopes = frozenset(Permission(scope) for scope in key.scopes if scope in set(API_SCOPES))
    return Access(key.organization.pk, Actor(ActorKind.API_KEY, key.pk, str(key)), scopes)


def current_organization() -> Organization:
    """The organization of the scope: the only row the wall lets through."""
    return Organization.objects.get()
