"""Opens per second through the production server, each committed before its answer, against a constant view."""

import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from django.db import connection
from django.utils import timezone

from accounts.tenancy import tenant
from benchmarks.database import analyze, benchmark_database, benchmark_organization
from benchmarks.memory import peak_mb
from benchmarks.result import Result, measured
from benchmarks.web_load import Load, load_web
from config.processes import Processes, web_server
from crm.models import Channel, Purpose
from messaging.models import Delivery, Dispatch, MessageTemplate, SenderAccount, TemplateVersion, TrackingHit
from messaging.tracking.folding import SETTLE, fold_hits
from messaging.tracking.keys import signer_for

WORKERS, THREADS, CONNECTIONS = 2, 64, 128
FOLD_SECONDS = 300.0
PROMISED = 0.5
_LEDGER = """
with people as (
    insert into crm_customer (organization_id, external_id, first_name, last_name, email, phone, gender, language, time_zone,
        street, city, state, postal_code, country, search_key, created_at, updated_at)
    select %(org)s, '', 'Person' || n, '', 'person' || n || '@example.net', '', '', '', '', '', '', '', '', '', '', now(), now()
    from generate_series(1, %(people)s) as n returning id, email
), facts as (
    insert into crm_customerfacts (organization_id, customer_id) select %(org)s, id from people
)
insert into messaging_delivery (organization_id, dispatch_id, customer_id, address, state, reason, sent_at)
select %(org)s, %(dispatch)s, id, email, 'sent', '', now() - interval '1 hour' from people order by id
"""


def run(size: str) -> Result:
    """Measure the reference, ours and the reference again, so that a machine that slows down favours nobody."""
    people, seconds, rounds = (1_000, 1.0, 1) if size == "small" else (100_000, 10.0, 2)
    with benchmark_database("track") as database, tempfile.TemporaryDirectory() as folder:
        organization_id = benchmark_organization().pk
        paths = _pixels(organization_id, people)
        ours: list[Load] = []
        reference: list[Load] = []
        peak = 0.0
        for _ in range(rounds):
            load, _peak = _serve_and_load("benchmarks.constant_view:application", paths, Path(folder), database, seconds)
            reference.append(load)
            load, mb = _serve_and_load("config.wsgi:application", paths, Path(folder), database, seconds)
            ours.append(load)
            peak = max(peak, mb)
        kept = _check_kept(organization_id, ours)
        folded_per_second = _fold(organization_id, kept)
    return _result(ours, reference, peak, people, kept, folded_per_second)


def _pixels(organization_id: int, people: int) -> list[str]:
    """The pixel addresses of a message to this many people, whose deliveries are in the ledger."""
    with tenant(organization_id):
        sender = SenderAccount.objects.create(name="Mail", from_email="hello@example.org")
        template = MessageTemplate.objects.create(name="News")
        version = TemplateVersion.objects.create(template=template, number=1, subject="Hi", html="<p>Hi</p>")
        dispatch = Dispatch.objects.create(label="News", channel=Channel.EMAIL, purpose=Purpose.MARKETING, account=sender, version=version)
        with connection.cursor() as cursor:
            cursor.execute(_LEDGER, {"org": organization_id, "people": people, "dispatch": dispatch.pk})
        ids = list(Delivery.objects.values_list("pk", flat=True))
    analyze("messaging_delivery", "crm_customer", "crm_customerfacts")
    signer = signer_for(organization_id)
    return [f"/t/o/{signer.sign(delivery_id).track}" for delivery_id in ids]


def _serve_and_load(application: str, paths: list[str], folder: Path, database: str, seconds: float) -> tuple[Load, float]:
    with free_port() as port:
        program = web_server(host="127.0.0.1", port=port, workers=WORKERS, threads=THREADS)
    program = replace(program, command=[*program.command[:-1], application])
    with Processes(folder / "logs", {"EMBEDDED_DATABASE": database, "DJANGO_SETTINGS_MODULE": "config.settings"}) as processes:
        processes.start(program)
        load_web(port, paths[:100], folder, seconds=1, connections=CONNECTIONS)
        load = load_web(port, paths, folder, seconds=seconds, connections=CONNECTIONS)
        return load, resident_mb(processes.running[program.name].pid)


@contextmanager
def free_port() -> Iterator[int]:
    """A port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]


def resident_mb(pid: int) -> float:
    """The peak of the server's processes together."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    pids = [pid, *map(int, children.read_text().split())] if children.exists() else [pid]
    return sum(peak_mb(each) for each in pids)


def _check_kept(organization_id: int, ours: list[Load]) -> int:
    """Every answered open is a row; requests cut off at the end may add a few that nobody waited for."""
    with tenant(organization_id):
        kept = TrackingHit.objects.count()
    answered = sum(load.requests for load in ours)
    if kept < answered or any(load.failed for load in ours):
        raise AssertionError(f"{answered} opens were answered, {kept} are in the database; failed: {[load.failed for load in ours]}")
    return kept


def _fold(organization_id: int, kept: int) -> float:
    """How fast the hits become columns, events and facts afterwards."""
    started, folded = time.perf_counter(), 0
    # A round may find nothing while some other transaction (PostgreSQL's own ANALYZE, say) holds the newest hits back.
    while folded < kept and time.perf_counter() - started < FOLD_SECONDS:
        with tenant(organization_id):
            count = fold_hits(now=timezone.now() + SETTLE)
        folded += count
        if not count:
            time.sleep(0.1)
    if folded != kept:
        raise AssertionError(f"{kept} hits were kept, {folded} folded")
    return folded / (time.perf_counter() - started)


def _result(ours: list[Load], reference: list[Load], peak: float, people: int, kept: int, folded_per_second: float) -> Result:
    def mean(loads: list[Load]) -> float:
        return sum(load.per_second for load in loads) / len(loads)

    worst, their_worst = max(load.p99 for load in ours), max(load.p99 for load in reference)
    return measured(
        name="track",
        ours=mean(ours),
        reference=mean(reference),
        unit="opens/s",
        higher_is_better=True,
        peak_mb=peak,
        rows=kept,
        limit=PROMISED,
        notes=f"p99 {worst:.1f} ms (constant view {their_worst:.1f} ms); {CONNECTIONS} connections, {people:,} recipients",
        extras={
            "p50_ms": max(load.p50 for load in ours),
            "p99_ms": worst,
            "reference_p99_ms": their_worst,
            "folded_per_second": folded_per_second,
            "workers": WORKERS,
            "threads": THREADS,
            "load": ours[0].program,
        },
    )
