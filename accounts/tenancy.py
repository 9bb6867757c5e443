"""The tenant scope: the one door through which every edge enters an organization's data."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import connection, transaction

from accounts.postgresql.prepared import quoted, run_command
from accounts.postgresql.wall import ORGANIZATION_SETTING, USER_SETTING

_current: ContextVar[int | None] = ContextVar("organization_id", default=None)


class TenantScopeError(RuntimeError):
    """Data of an organization was asked for outside its scope, or inside another's."""


@contextmanager
def tenant(organization_id: int, **settings: str) -> Iterator[None]:
    """Open a transaction in which the database shows and accepts rows of this organization alone.

    Entering the scope of the same organization again is a savepoint.

    Args:
        settings: further ones of PostgreSQL that hold until the end of the transaction.

    Raises:
        TenantScopeError: inside the scope of another organization.
    """
    outer = _current.get()
    if outer is not None and outer != organization_id:
        raise TenantScopeError(f"inside organization {outer}, cannot enter {organization_id}")
    is_outermost = not connection.in_atomic_block
    with transaction.atomic():
        set_local(**{ORGANIZATION_SETTING: str(organization_id)}, **settings)
        token = _current.set(organization_id)
        try:
            yield
        finally:
            _current.reset(token)
        # The end of a transaction and a rollback restore the setting by themselves; a normal end inside an outer transaction has to.
        if outer is None and not is_outermost and not connection.needs_rollback:
            set_local(**{ORGANIZATION_SETTING: ""})


@contextmanager
def tenant_beside(organization_id: int) -> Iterator[None]:
    """Write into this organization within the transaction that is open, and go on in the scope it was opened in.

    Only for what the platform changes and several organizations have to be told of; everything else has one scope.
    """
    outer = _current.get()
    with transaction.atomic():
        set_local(**{ORGANIZATION_SETTING: str(organization_id)})
        token = _current.set(organization_id)
        try:
            yield
        finally:
            _current.reset(token)
        if not connection.needs_rollback:
            set_local(**{ORGANIZATION_SETTING: "" if outer is None else str(outer)})


def current_organization_id() -> int:
    """The organization of the scope we are in.

    Raises:
        TenantScopeError: outside any scope.
    """
    if (organization_id := _current.get()) is None:
        raise TenantScopeError("outside every organization; enter one with tenant(organization_id)")
    return organization_id


@contextmanager
def signed_in_user(user_id: int) -> Iterator[None]:
    """Show, before an organization is chosen, the memberships and organizations of one user."""
    with transaction.atomic():
        set_local(**{USER_SETTING: str(user_id)})
        yield
        if not connection.needs_rollback:
            set_local(**{USER_SETTING: ""})


def set_local(**settings: str) -> None:
    """Set PostgreSQL settings until the end of the transaction."""
    run_command("; ".join(f"set local {setting} = {quoted(value)}" for setting, value in settings.items()))
