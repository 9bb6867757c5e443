"""Reads that cross or precede the tenant scope, and the few that the shell needs on every page."""

from dataclasses import dataclass

from django.apps import apps
from django.db import connection
from django.db.models import Q

from accounts.audit import Actor
from accounts.models import Membership, Organization, Role, User
from accounts.models.audit import ActorKind
from accounts.permissions import OF_ALL_LOCATIONS, ROLE_PERMISSIONS, Access
from accounts.tenancy import signed_in_user


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
        permissions=ROLE_PERMISSIONS[role] - (OF_ALL_LOCATIONS if limits else frozenset()),
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


def current_organization() -> Organization:
    """The organization of the scope: the only row the wall lets through."""
    return Organization.objects.get()


def is_money_recorded() -> bool:
    """Whether any amount stands in the organization's books, whose columns say by ``_minor`` that they are money."""
    columns = [(model, field.name) for model in apps.get_models() for field in model._meta.local_fields if field.name.endswith("_minor")]
    return any(model._base_manager.filter(Q(**{f"{name}__gt": 0}) | Q(**{f"{name}__lt": 0})).exists() for model, name in columns)
