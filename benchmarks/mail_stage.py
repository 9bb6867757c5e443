"""What the mail benchmark sends from: an organization, customers who agreed, a personalised message of about 3 kB."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import connection
from django.utils import timezone

from accounts.models import Organization
from accounts.tenancy import tenant
from benchmarks.database import analyze
from benchmarks.memory import watched
from benchmarks.processor import family, parent, processor_seconds
from config.processes import Processes, sender
from crm.models import Channel, Customer, Purpose
from messaging.models import Delivery, Dispatch, DispatchState, MessageTemplate, SenderAccount, TemplateVersion
from messaging.planning import Audience, plan_dispatch
from messaging.tasks import ring, sweep_dispatches

HTML = """<!doctype html><html><body>
<h1>Hello {{ customer.first_name }}</h1>
<p>It has been a while since your last visit to {{ organization.name }} in {{ customer.city|default("your town") }}.
{% if customer.visit_count > 0 %}You have been with us {{ customer.visit_count }} times, and we saved your favourite chair.
{% else %}We would love to meet you, and the first coffee is on us.{% endif %}</p>
<p><a href="https://saffron.example/book">Book your next visit</a> or see
<a href="https://saffron.example/offers">this month's offers</a>.</p>
<p>New on the shelf: cedar beard oil, a matte clay that holds through summer, and gift cards in any amount. Bring a friend
before the end of the month and both of you get a fifth off the next cut, on any day but Saturday.</p>
<p>We open at nine, the kettle is on from ten, and the chair by the window is free most mornings. See you soon.</p>
<p><a href="{{ unsubscribe_url }}">Unsubscribe</a></p>
</body></html>"""
SEND_SECONDS = 600.0
SWEEP_SECONDS = 5.0  # as beat does: what was deferred would wait for ever
_CUSTOMERS = """
insert into crm_customer (organization_id, external_id, first_name, last_name, email, phone, gender, language, time_zone, street, city,
    state, postal_code, country, search_key, created_at, updated_at)
select %(org)s, 'c' || n, 'Person' || n, 'Example', 'person' || n || '@example.net', '', '', '', '', '', 'Springfield', '', '', 'US', '',
    now(), now()
from generate_series(%(first)s, %(last)s) as n
"""
_FACTS = """
insert into crm_customerfacts (organization_id, customer_id, visit_count)
select organization_id, id, id %% 9 from crm_customer where organization_id = %(org)s on conflict do nothing
"""
_CONSENTS = """
insert into crm_consent (organization_id, customer_id, channel, purpose, state, changed_at)
select organization_id, id, 'email', 'marketing', 'granted', now() from crm_customer where organization_id = %(org)s
on conflict do nothing
"""


@dataclass(frozen=True, slots=True)
class Sent:
    """One measured dispatch."""

    people: int
    seconds: float
    plan_seconds: float
    peak_mb: float
    sender_cpu_us: float
    postgres_cpu_us: float

    @property
    def rate(self) -> float:
        return self.people / self.seconds


def fill(organization: Organization, people: int) -> None:
    """Bring the organization to this many customers, all of whom agreed to offers."""
    with tenant(organization.pk), connection.cursor() as cursor:
        before = Customer.objects.count()
        cursor.execute(_CUSTOMERS, {"org": organization.pk, "first": before + 1, "last": people})
        cursor.execute(_FACTS, {"org": organization.pk})
        cursor.execute(_CONSENTS, {"org": organization.pk})
    analyze("crm_customer", "crm_customerfacts", "crm_consent")


def open_stage(organization: Organization, *, connections: int, options: dict[str, object], credentials: dict[str, str]) -> Dispatch:
    """A new dispatch through this SMTP server, not planned yet."""
    with tenant(organization.pk):
        values: dict[str, Any] = {
            "from_email": "shop@saffron.example", "from_name": "Saffron Barbers", "connections": connections,
            "options": options, "credentials": credentials,
        }  # fmt: skip
        account, _ = SenderAccount.objects.update_or_create(name="Bench", defaults=values)
        template, _ = MessageTemplate.objects.get_or_create(name="Bench")
        version, _ = TemplateVersion.objects.get_or_create(
            template=template, number=1, defaults={"subject": "{{ customer.first_name }}, your chair is waiting", "html": HTML}
        )
        return Dispatch.objects.create(label="Bench", channel=Channel.EMAIL, purpose=Purpose.MARKETING, account=account, version=version)


def send(organization: Organization, dispatch: Dispatch, people: int, folder: Path) -> Sent:
    """Launch and wait for the last stored status, with a worker of its own that is ready before the clock starts."""
    with Processes(folder / "logs") as processes:
        processes.start(sender(ready_file=folder / "sender.ready"))
        sender_pids = family(processes.running["sender"].pid)
        with watched(sender_pids[1:] or sender_pids) as peak:
            with tenant(organization.pk):
                last = Customer.objects.order_by("pk").values_list("pk", flat=True)[people - 1]
            started = timezone.now()
            with tenant(organization.pk):
                audience = Audience(Channel.EMAIL, Purpose.MARKETING, Customer.objects.filter(pk__lte=last))
                reach = plan_dispatch(dispatch_id=dispatch.pk, audience=audience, now=started)
            planned = timezone.now()
            assert reach is not None
            assert reach.planned == people, reach
            spent = [processor_seconds(sender_pids), processor_seconds(family(_postmaster()))]
            ring(organization.pk, dispatch.pk)
            completed = _wait(organization, dispatch, processes)
            spent = [processor_seconds(sender_pids) - spent[0], processor_seconds(family(_postmaster())) - spent[1]]
    _check(organization, dispatch, people)
    seconds, plan_seconds = (completed - started).total_seconds(), (planned - started).total_seconds()
    return Sent(people, seconds, plan_seconds, peak.mb, *(1e6 * each / people for each in spent))


def _wait(organization: Organization, dispatch: Dispatch, processes: Processes) -> datetime:
    """When the dispatch completed, which is after every status was stored: by its own row, or the clock would tick with the asking."""
    swept = time.monotonic()
    until = swept + SEND_SECONDS
    while time.monotonic() < until:
        processes.check()
        with tenant(organization.pk):
            state, completed_at = Dispatch.objects.values_list("state", "completed_at").get(pk=dispatch.pk)
        if state == DispatchState.COMPLETED and completed_at is not None:
            return completed_at
        assert state == DispatchState.RUNNING, state
        if time.monotonic() > swept + SWEEP_SECONDS:
            sweep_dispatches()
            swept = time.monotonic()
        time.sleep(0.1)  # asking costs the two cores more than it tells
    raise TimeoutError(f"The dispatch did not complete within {SEND_SECONDS:.0f} s.")


def _check(organization: Organization, dispatch: Dispatch, people: int) -> None:
    with tenant(organization.pk):
        assert Delivery.objects.filter(dispatch_id=dispatch.pk, state="sent", sent_at__isnull=False).count() == people
        assert Dispatch.objects.get(pk=dispatch.pk).sent_count == people


def _postmaster() -> int:
    """PostgreSQL's first process; it is no process of this machine where the server is another's."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        return parent(cursor.fetchone()[0])
