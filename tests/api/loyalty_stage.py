"""What loyalty's part of the API did, row by row, and who asks for it: people of a role, keys with too little."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db.models import Model
from django.test import Client

from accounts.actions import add_member
from accounts.models import AuditEntry, Role, User
from accounts.tenancy import tenant
from crm.models import Customer, Event
from tests.api.conftest import JSON
from tests.conftest import PASSWORD, Cast, signed_in

Problem = Callable[..., dict[str, Any]]


@dataclass(frozen=True)
class Ask:
    """A call that is to be refused."""

    method: str
    path: str
    body: Any = None


def traces(cast: Cast) -> dict[str, list[Any]]:
    """All of Saffron's rows that loyalty can change."""
    models: list[type[Model]] = [*apps.get_app_config("loyalty").get_models(), AuditEntry, Event, Customer]
    with tenant(cast.saffron.pk):
        return {model.__name__: list(model._default_manager.order_by("pk").values_list()) for model in models}


def audited(cast: Cast, kind: str) -> list[tuple[str, str]]:
    """Actions on one kind of thing, each with who did it."""
    with tenant(cast.saffron.pk):
        found = AuditEntry.objects.filter(action__startswith=f"{kind}.").order_by("pk")
        return [(action, label.partition(" (")[0]) for action, label in found.values_list("action", "actor_label")]


def person_of(cast: Cast, role: Role) -> Client:
    """Somebody of Saffron with a role, in their browser."""
    user = User.objects.create_user(f"{role}@example.com", PASSWORD, name=str(role))
    with tenant(cast.saffron.pk):
        add_member(user=user, role=role, actor=cast.alice_acts)
    return signed_in(user)


def ask_in_browser(client: Client, ask: Ask) -> Any:
    headers = {"Idempotency-Key": f"{ask.method} {ask.path}"}
    return client.generic(ask.method, f"/api/v1/{ask.path}", data=json.dumps(ask.body or {}), content_type=JSON, headers=headers)
