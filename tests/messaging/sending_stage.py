"""What a sending test stands on: a sender, a message, people, a planned dispatch and its chunks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from accounts.tenancy import tenant
from messaging.models import Chunk, Delivery, Dispatch, DispatchState, MessageTemplate, SenderAccount, TemplateVersion
from messaging.sending.run import RunResult, send_dispatch

HTML = """<p>Dear {{ customer.first_name }}</p><p><a href="https://saffron.example/book">Book</a></p>
<p><a href="{{ unsubscribe_url }}">Unsubscribe</a></p>"""

_PEOPLE = """
with people as (
    insert into crm_customer (organization_id, external_id, first_name, last_name, email, phone, gender, language, time_zone,
        street, city, state, postal_code, country, search_key, created_at, updated_at)
    select %(org)s, '', 'Person' || n, '', 'person' || n || '@example.net', '', '', '', '', '', '', '', '', '', '', now(), now()
    from generate_series(%(first)s, %(last)s) as n returning id, email
), facts as (
    insert into crm_customerfacts (organization_id, customer_id) select %(org)s, id from people
)
insert into messaging_delivery (organization_id, dispatch_id, customer_id, address, state, reason)
select %(org)s, %(dispatch)s, id, email, 'planned', '' from people order by id
"""
_CHUNKS = """
insert into messaging_chunk (organization_id, dispatch_id, first_id, last_id, done_through, sending_through)
select %(org)s, %(dispatch)s, min(id), max(id), min(id) - 1, min(id) - 1
from (select id, (row_number() over (order by id) - 1) / %(size)s as number
      from messaging_delivery where organization_id = %(org)s and dispatch_id = %(dispatch)s) as numbered
group by number order by number
"""


@dataclass(frozen=True)
class Stage:
    """One dispatch of one organization, ready to run."""

    organization_id: int
    dispatch_id: int
    account_id: int
    now: datetime | None = None

    def at(self, now: datetime) -> Stage:
        return replace(self, now=now)

    def run(self) -> RunResult:
        """Work on the dispatch in this process, as a task would."""
        return send_dispatch(organization_id=self.organization_id, dispatch_id=self.dispatch_id, clock=lambda: self.now or timezone.now())

    def dispatch(self) -> Dispatch:
        with tenant(self.organization_id):
            return Dispatch.objects.get(pk=self.dispatch_id)

    def account(self) -> SenderAccount:
        with tenant(self.organization_id):
            return SenderAccount.objects.get(pk=self.account_id)

    def set_account(self, **values: Any) -> None:
        with tenant(self.organization_id):
            SenderAccount.objects.filter(pk=self.account_id).update(**values)

    def states(self) -> dict[str, int]:
        """How many deliveries are in each state."""
        with tenant(self.organization_id):
            found: dict[str, int] = {}
            for state in Delivery.objects.filter(dispatch_id=self.dispatch_id).values_list("state", flat=True):
                found[state] = found.get(state, 0) + 1
            return found

    def delivery(self, person: int) -> Delivery:
        with tenant(self.organization_id):
            return Delivery.objects.get(dispatch_id=self.dispatch_id, address=f"person{person}@example.net")

    def counts(self) -> tuple[int, int, int]:
        """The dispatch's counters: sent, failed, ambiguous."""
        dispatch = self.dispatch()
        return dispatch.sent_count, dispatch.failed_count, dispatch.ambiguous_count

    def open_chunks(self) -> list[Chunk]:
        with tenant(self.organization_id):
            return list(Chunk.objects.filter(dispatch_id=self.dispatch_id, finished_at=None).order_by("pk"))

    def end_leases(self) -> None:
        """Make every lease run out now."""
        with tenant(self.organization_id):
            Chunk.objects.exclude(lease=None).update(leased_until=datetime(2000, 1, 1, tzinfo=UTC))


def set_stage(
    organization_id: int, port: int, *, people: int, chunk: int = 100, html: str = HTML, first_person: int = 1, **account: Any
) -> Stage:
    """Plan a message to this many people through an SMTP server on loopback."""
    values = {
        "from_email": "shop@example.com",
        "connections": 4,
        "options": {"host": "127.0.0.1", "port": port, "security": "none", "hello_name": "shop.example"},
    } | account
    with tenant(organization_id):
        sender, _ = SenderAccount.objects.update_or_create(name="Post office", defaults=values)
        template, _ = MessageTemplate.objects.get_or_create(name="Hello")
        number = template.versions.count() + 1
        version = TemplateVersion.objects.create(template=template, number=number, subject="Hello {{ customer.first_name }}", html=html)
        dispatch = Dispatch.objects.create(
            label="Hello", channel="email", purpose="marketing", account=sender, version=version,
            state=DispatchState.RUNNING, started_at=timezone.now(), planned_count=people,
        )  # fmt: skip
        plan = {
            "org": organization_id, "dispatch": dispatch.pk, "first": first_person, "last": first_person + people - 1, "size": chunk,
        }  # fmt: skip
        with connection.cursor() as cursor:
            cursor.execute(_PEOPLE, plan)
            cursor.execute(_CHUNKS, plan)
    return Stage(organization_id, dispatch.pk, sender.pk)
