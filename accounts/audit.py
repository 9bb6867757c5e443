"""Audit entries, written in the transaction of the change they tell of."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from django.db import models
from django.utils import timezone

from accounts.models.audit import ActorKind
from accounts.postgresql.prepared import run_prepared
from accounts.tenancy import current_organization_id

_INSERT: Final = """
insert into accounts_auditentry (
    organization_id, at, actor_kind, actor_id, actor_label, action, subject_type, subject_id, subject_label, before, after
) values (
    %(organization)s, %(at)s, %(actor_kind)s, %(actor_id)s, %(actor_label)s, %(action)s, %(subject_type)s, %(subject_id)s,
    %(subject_label)s, %(before)s, %(after)s
)
"""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a user, an API key, a customer, or the product itself."""

    kind: ActorKind
    id: int | None = None
    label: str = ""


SYSTEM = Actor(ActorKind.SYSTEM, label="Regulars")


def record_audit(
    *,
    action: str,
    subject: models.Model,
    actor: Actor,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Write one audit entry inside the current tenant scope.

    Args:
        action: ``noun.verb_in_past_tense``, such as ``campaign.launched``.
        before, after: the fields that changed; values are made fit for JSON.
    """
    entry = {
        "organization": current_organization_id(),
        "at": timezone.now(),
        "actor_kind": str(actor.kind),
        "actor_id": actor.id,
        "actor_label": actor.label[:160],
        "action": action,
        "subject_type": subject._meta.label_lower,
        "subject_id": subject.pk,
        "subject_label": str(subject)[:200],
        "before": _plain(before),
        "after": _plain(after),
    }
    run_prepared(_INSERT, entry)


def changed_fields(instance: models.Model, values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Set ``values`` on the instance; return what differed as (before, after)."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for name, value in values.items():
        old = getattr(instance, name)
        if old != value:
            before[name], after[name] = old, value
            setattr(instance, name, value)
    return before, after


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in value]
        case datetime() | date():
            return value.isoformat()
        case Decimal():
            return str(value)
        case models.Model():
            return value.pk
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)
