"""Planning a campaign (consent, suppression, exclusion, cap decided; ledger and chunks written) beside a bare insert of the same rows."""

import time
from datetime import timedelta

from django.db import connection, connections
from django.utils import timezone

from accounts.models import Organization
from accounts.tenancy import tenant
from benchmarks.database import analyze, benchmark_database, benchmark_organization
from benchmarks.memory import peak_mb
from benchmarks.result import Result, measured
from crm.models import Channel, Customer, Purpose
from messaging.models import Delivery, Dispatch, MessageTemplate, SenderAccount, TemplateVersion
from messaging.planning import Audience, Reach, plan_dispatch

ROWS = {"small": 5_000, "full": 1_000_000}
LIMIT = 2.0
ROUNDS = 3

_CUSTOMERS = """
insert into crm_customer (organization_id, external_id, first_name, last_name, email, phone, gender, language, time_zone, street, city,
    state, postal_code, country, search_key, created_at, updated_at)
select %(org)s, 'c' || n, 'First' || n, 'Last', case when n %% 51 = 0 then '' else 'shopper' || n || '@example.test' end, '', '', '', '', '',
    case when n %% 11 = 0 then 'Excluded' else 'Springfield' end, '', '', 'US', '', now(), now()
from generate_series(1, %(rows)s) as n
"""
_CONSENTS = """
insert into crm_consent (organization_id, customer_id, channel, purpose, state, changed_at)
select organization_id, id, 'email', 'marketing', case when id %% 20 = 0 then 'withdrawn' else 'granted' end, now()
from crm_customer where organization_id = %(org)s and id %% 8 <> 1
"""
_SUPPRESSIONS = """
insert into messaging_suppression (organization_id, channel, address, reason, detail, created_at)
select organization_id, 'email', email, 'bounce', '', now()
from crm_customer where organization_id = %(org)s and id %% 100 = 7 and email <> ''
"""
_KEEP = """
create temporary table plan_rows as select organization_id, dispatch_id, customer_id, address, state, reason
from messaging_delivery where dispatch_id = %(dispatch)s order by id
"""
_BARE = """
insert into messaging_delivery (organization_id, dispatch_id, customer_id, address, state, reason)
select organization_id, dispatch_id, customer_id, address, state, reason from plan_rows
"""


def run(size: str) -> Result:
    """Both in turns on the same empty ledger, the best of three each; the bare insert reads its rows ready-made from a table."""
    rows = ROWS[size]
    with benchmark_database("plan_audience"):
        organization = benchmark_organization()
        with tenant(organization.pk):
            _fill(organization, rows)
        analyze("crm_customer", "crm_consent", "messaging_suppression")
        ours, bare = [], []
        for number in range(ROUNDS if size == "full" else 1):
            seconds, reach = _plan(organization)
            ours.append(seconds)
            assert reach.total == rows, reach
            bare.append(_insert_bare(organization, keep=number == 0))
        return measured(
            name="plan_audience", ours=min(ours), reference=min(bare), unit="s", higher_is_better=False, peak_mb=peak_mb(), rows=rows,
            limit=LIMIT if size == "full" else None, notes="launch to running: decided, written, cut into chunks, committed",
            extras={"planned": reach.planned, "skipped": {str(reason): count for reason, count in reach.skipped.items()}},
        )  # fmt: skip


def _fill(organization: Organization, rows: int) -> None:
    with connection.cursor() as cursor:
        for statement in (_CUSTOMERS, _CONSENTS, _SUPPRESSIONS):
            cursor.execute(statement, {"org": organization.pk, "rows": rows})
    Organization.objects.filter(pk=organization.pk).update(frequency_cap=3, frequency_cap_days=7)
    SenderAccount.objects.create(name="Bench", from_email="bench@example.test")
    TemplateVersion.objects.create(template=MessageTemplate.objects.create(name="Bench"), number=1, subject="Hello", html="<p>Hello</p>")


def _plan(organization: Organization) -> tuple[float, Reach]:
    _empty_ledger()
    with tenant(organization.pk):
        now = timezone.now()
        Dispatch.objects.filter(completed_at=None).update(completed_at=now - timedelta(days=30))
        dispatch = Dispatch.objects.create(
            label="Bench", channel=Channel.EMAIL, purpose=Purpose.MARKETING, account=SenderAccount.objects.get(),
            version=TemplateVersion.objects.get(),
        )  # fmt: skip
    audience = Audience(Channel.EMAIL, Purpose.MARKETING, Customer.objects.all(), [Customer.objects.filter(city="Excluded")])
    start = time.perf_counter()
    with tenant(organization.pk):
        reach = plan_dispatch(dispatch_id=dispatch.pk, audience=audience, now=now)
    assert reach is not None
    return time.perf_counter() - start, reach


def _insert_bare(organization: Organization, *, keep: bool) -> float:
    with tenant(organization.pk), connection.cursor() as cursor:
        if keep:
            cursor.execute(_KEEP, {"dispatch": Delivery.objects.values_list("dispatch_id", flat=True)[0]})
            cursor.execute("analyze plan_rows")
    _empty_ledger()
    start = time.perf_counter()
    with tenant(organization.pk), connection.cursor() as cursor:
        cursor.execute(_BARE)
    return time.perf_counter() - start


def _empty_ledger() -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute("truncate messaging_delivery, messaging_chunk")
