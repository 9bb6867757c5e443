"""Counting a segment of ten conditions, two of them windows over the event log, against the best SQL written by hand.

The hand-written statements know everything the compiler cannot: that the fields they name are never NULL, that facts and
customers belong together by key, which kinds of joins pay. The fastest of them is the reference. Both sides run under the
application's role inside the tenant wall, alternately, with caches warm; the best of the runs counts, for what else
the machine does only ever adds. Beside it stands
the fastest hand-written statement outside the wall, as a superuser with the organization's id spelled out.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, connections

from accounts.tenancy import tenant
from benchmarks.database import bare_connection, benchmark_database, benchmark_organization
from benchmarks.memory import peak_mb
from benchmarks.result import Result, measured
from crm.events import ensure_months
from segmentation.queries import rules_customers

NAME = "segment_count"
SIZES = {"small": (2_000, 20_000, 2), "full": (1_000_000, 10_000_000, 9)}
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
MONTHS = 24
LIMIT = 1.2

RULES: dict[str, Any] = {
    "all": [
        {"field": "gender", "op": "any_of", "value": ["female", "male"]},
        {"field": "city", "op": "any_of", "value": ["London", "Paris", "Tehran", "Berlin", "Rome"]},
        {"field": "birthday", "op": "since", "value": "1960-01-01"},
        {"field": "tags", "op": "has_none", "value": ["student"]},
        {"field": "spent", "op": "at_least", "value": 20_000},
        {"field": "visit_count", "op": "between", "value": [2, 28]},
        {"field": "last_visit_at", "op": "in_last", "value": {"hours": 7_200}},
        {"any": [{"field": "attribute.points", "op": "unknown"}, {"field": "attribute.points", "op": "at_least", "value": 100}]},
        {"event": "visit.completed", "count": {"op": "at_least", "value": 2}, "when": {"last": {"hours": 4_320}}},
        {"none": [{"event": "purchase.completed", "when": {"last": {"hours": 720}}}]},
    ]
}

_CONDITIONS = """
    c.gender in ('female', 'male') and upper(c.city) in ('LONDON', 'PARIS', 'TEHRAN', 'BERLIN', 'ROME') and c.birthday >= '1960-01-01'
    and not c.tags && '{{student}}'::varchar[] and f.spent_minor >= 20000 and f.visit_count between 2 and 28
    and f.last_visit_at between {now} - interval '7200 hours' and {now}
    and (c.attributes -> 'points' is null or (c.attributes ->> 'points')::numeric >= 100)
"""
_VISITS = "kind = 'visit.completed' and occurred_at between {now} - interval '4320 hours' and {now} {own}"
_PURCHASES = "kind = 'purchase.completed' and occurred_at between {now} - interval '720 hours' and {now} {own}"
_TABLES = "crm_customer c join crm_customerfacts f on f.customer_id = c.id"
# Ways an expert would try: semi-join and anti-join, joins of derived tables, each window first as its own step, and a mixture.
BY_HAND = (
    f"""select count(*) from {_TABLES} where {_CONDITIONS} {{both}}
        and c.id in (select customer_id from crm_event where {_VISITS} group by customer_id having count(*) >= 2)
        and not exists (select 1 from crm_event e where {_PURCHASES} and e.customer_id = c.id)""",
    f"""select count(*) from {_TABLES}
        join (select customer_id from crm_event where {_VISITS} group by customer_id having count(*) >= 2) v on v.customer_id = c.id
        left join (select distinct customer_id from crm_event where {_PURCHASES}) p on p.customer_id = c.id
        where {_CONDITIONS} {{both}} and p.customer_id is null""",
    f"""with v as materialized (select customer_id from crm_event where {_VISITS} group by customer_id having count(*) >= 2),
        p as materialized (select distinct customer_id from crm_event where {_PURCHASES})
        select count(*) from {_TABLES} join v on v.customer_id = c.id
        where {_CONDITIONS} {{both}} and not exists (select 1 from p where p.customer_id = c.id)""",
    f"""select count(*) from {_TABLES} where {_CONDITIONS} {{both}}
        and c.id in (with v as materialized (select customer_id from crm_event where {_VISITS} group by customer_id having count(*) >= 2)
                     select customer_id from v)
        and not exists (select 1 from crm_event e where {_PURCHASES} and e.customer_id = c.id)""",
)  # fmt: skip

_FILL_CUSTOMERS = """
    insert into crm_customer (organization_id, external_id, first_name, last_name, email, phone, birthday, gender, language, time_zone, street,
        city, state, postal_code, country, tags, attributes, search_key, created_at, updated_at)
    select %(organization)s, 'C' || n, 'First' || n %% 5000, 'Last' || n %% 20000, 'c' || n || '@example.test', '',
        date '1950-01-01' + (hashint8(n) & 16383), (array['female', 'male', '', 'other'])[1 + (hashint8(n + 1) & 3)], 'en', '', '',
        (array['London', 'Paris', 'Tehran', 'Berlin', 'New York', 'Madrid', 'Rome', 'Oslo'])[1 + (hashint8(n + 3) & 7)], '', '', 'GB',
        case hashint8(n + 5) & 7 when 0 then array['vip'] when 1 then array['student', 'new'] else '{}' end,
        case when hashint8(n + 6) & 1 = 0 then jsonb_build_object('points', hashint8(n + 7) & 1023) else '{}' end, '', %(now)s, %(now)s
    from generate_series(1, %(customers)s) as n
"""
_FILL_FACTS = """
    insert into crm_customerfacts (organization_id, customer_id, visit_count, purchase_count, spent_minor, last_visit_at, last_purchase_at)
    select organization_id, id, hashint8(id) & 31, hashint8(id + 1) & 31, (hashint8(id + 2) & 65535) * 3,
        %(now)s - make_interval(hours => hashint8(id + 3) & 8191), %(now)s - make_interval(hours => hashint8(id + 4) & 8191)
    from crm_customer
"""
# In the order of time, as a log grows; each month's indexes stay in memory while they are filled.
_FILL_EVENTS = """
    insert into crm_event (organization_id, customer_id, kind, occurred_at, recorded_at, source, properties)
    select %(organization)s, %(first)s + (hashint8(n) & 2147483647) %% %(customers)s,
        (array['purchase.completed', 'visit.completed', 'message.opened', 'message.clicked', 'visit.booked', 'page.viewed', 'page.viewed',
               'customer.changed'])[1 + (hashint8(n + 9) & 7)],
        %(start)s + make_interval(secs => n * %(step)s), %(now)s, 'till', jsonb_build_object('location', n & 3, 'total_minor', hashint8(n) & 16383)
    from generate_series(1, %(events)s) as n
"""


def run(size: str) -> Result:
    """Fill a database of its own, count both ways, and compare times and counts."""
    customers, events, rounds = SIZES[size]
    with benchmark_database(NAME) as database:
        organization = benchmark_organization().pk
        _fill(organization, customers, events)
        with tenant(organization):
            _declare_points()
        reference_sql = [_by_hand(statement, organization=None) for statement in BY_HAND]
        with tenant(organization):
            counted, times = _alternately([_compiled, *(_statement(sql) for sql in reference_sql)], rounds)
            server_mb = _server_peak()
        assert len(set(counted)) == 1, f"the counts differ: {counted}"
        bare = _outside_the_wall(database, organization, rounds)
    ours, *by_hand = times
    return measured(
        name=NAME, ours=ours, reference=min(by_hand), unit="s", higher_is_better=False, peak_mb=server_mb, rows=customers + events,
        limit=LIMIT if size == "full" else None,
        notes=f"ten conditions, two event windows, {customers:,} customers, {events:,} events; {counted[0]:,} counted; best of {rounds}",
        extras={"by_hand_seconds": by_hand, "outside_the_wall_seconds": bare, "counted": counted[0], "under_two_seconds": ours < 2},
    )  # fmt: skip


def _fill(organization: int, customers: int, events: int) -> None:
    span = timedelta(days=MONTHS * 30)
    values: dict[str, Any] = {
        "organization": organization, "customers": customers, "events": events, "now": NOW, "start": NOW - span,
        "step": span.total_seconds() / events,
    }  # fmt: skip
    with tenant(organization), connection.cursor() as cursor:
        ensure_months(NOW - timedelta(days=day) for day in range(0, MONTHS * 30 + 31, 15))
        cursor.execute(_FILL_CUSTOMERS, values)
        cursor.execute("select min(id) from crm_customer")
        cursor.execute(_FILL_FACTS, values | {"first": (first := cursor.fetchone()[0])})
        cursor.execute(_FILL_EVENTS, values | {"first": first})
    with connections["owner"].cursor() as cursor:
        cursor.execute("vacuum (analyze) crm_customer, crm_customerfacts, crm_event")


def _declare_points() -> None:
    from crm.models import AttributeDefinition, AttributeType

    AttributeDefinition.objects.create(key="points", label="Points", type=AttributeType.NUMBER)


def _by_hand(statement: str, organization: int | None) -> str:
    now = f"timestamptz '{NOW.isoformat()}'"
    own = f"and organization_id = {organization}" if organization else ""
    both = f"and c.organization_id = {organization} and f.organization_id = {organization}" if organization else ""
    return statement.replace("{both}", both).format(now=now, own=own)


def _compiled() -> int:
    """Ours, from JSON to the number: reading the rules and compiling them count as well."""
    return rules_customers(RULES, now=NOW).count()


def _statement(sql: str) -> Callable[[], int]:
    def count() -> int:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return int(cursor.fetchone()[0])

    return count


def _alternately(counts: list[Callable[[], int]], rounds: int) -> tuple[list[int], list[float]]:
    """Run them in turn, a first time to warm caches, so that what else the machine does falls on all alike."""
    results = [count() for count in counts]
    seconds: list[list[float]] = [[] for _count in counts]
    for _round in range(rounds):
        for index, count in enumerate(counts):
            began = time.perf_counter()
            count()
            seconds[index].append(time.perf_counter() - began)
    return results, [min(one) for one in seconds]


def _outside_the_wall(database: str, organization: int, rounds: int) -> float:
    best = []
    with bare_connection(database) as bare:
        for statement in BY_HAND:
            sql = _by_hand(statement, organization)
            times = []
            for _round in range(rounds + 1):
                began = time.perf_counter()
                bare.execute(sql.encode())
                times.append(time.perf_counter() - began)
            best.append(min(times))
    return min(best)


def _server_peak() -> float:
    """The most memory the database process of this connection has used, shared buffers included."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        return peak_mb(cursor.fetchone()[0])
