"""The ledger's crash test: random operations of many streams, worker processes killed, the database crashed, then every promise checked.

    python -m benchmarks.loyalty_chaos --size small|full

It runs on an embedded server of its own, in a folder of its own, prints what happened and ends with one line of JSON;
the exit code is 1 unless every promise held.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import random
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from benchmarks.own_home import add_cluster_option, own_home

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from benchmarks.loyalty_traffic import Stream

WORKERS, THREADS = 2, 4
STREAMS = WORKERS * THREADS
REPLAYED = 5  # requests that a new worker makes again, whether the killed one had made them or not
ASKED, POSTED = 1, 2


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is asked for and how much is broken meanwhile, over all seeds."""

    seeds: int
    operations: int
    kills: int
    crashes: int
    members: int


PLANS = {
    "small": Plan(seeds=2, operations=2_400, kills=6, crashes=1, members=10),
    "full": Plan(seeds=20, operations=1_000_000, kills=200, crashes=5, members=400),
}


@dataclass(slots=True)
class Tally:
    """What was broken, and what it came to."""

    operations: int = 0
    entries: int = 0
    kills: int = 0
    crashes: int = 0
    lost: int = 0
    events_missing: int = 0
    checks: int = 0
    broken: list[str] = field(default_factory=list)
    seconds: float = 0.0
    verified_in: float = 0.0


@dataclass(slots=True)
class Seed:
    """One seed's streams; what became of each request is in memory that survives whoever is killed."""

    organization_id: int
    streams: list[Stream]
    length: int
    fates: mmap.mmap

    def fate(self, stream: int, number: int) -> int:
        return self.fates[stream * self.length + number]

    def reached(self, stream: int) -> int:
        """The first request of a stream that nobody has answered."""
        at = self.fates.find(b"\0", stream * self.length, (stream + 1) * self.length)
        return self.length if at < 0 else at - stream * self.length

    def done(self) -> int:
        return sum(self.reached(stream) for stream in range(len(self.streams)))


def run(size: str) -> Tally:
    """Play the whole piece; Django must be set up for it."""
    from django.core.management import call_command
    from django.db import connections

    from accounts.actions import create_organization
    from config.embedded import start_embedded

    plan, tally = PLANS[size], Tally()
    start_embedded(_home(), postgres=True, valkey=False)
    call_command("migrate", verbosity=0)
    organization_id = create_organization(name="Chaos", slug="chaos", postal_address="1 Main St").pk
    began = time.monotonic()
    for number in range(plan.seeds):
        _play(plan, number, organization_id, tally)
        if number == 0:
            with connections["owner"].cursor() as cursor:
                cursor.execute("analyze")
    tally.seconds = round(time.monotonic() - began, 1)
    _verify(organization_id, tally)
    return tally


def _play(plan: Plan, number: int, organization_id: int, tally: Tally) -> None:
    from django.db import connections

    from benchmarks.loyalty_traffic import Stream, make_members

    members = make_members(organization_id, plan.members // plan.seeds, slug=f"seed-{number}")
    length = plan.operations // plan.seeds // STREAMS
    streams = [Stream(f"{number}.{stream}", members) for stream in range(STREAMS)]
    seed = Seed(organization_id, streams, length, mmap.mmap(-1, length * STREAMS))
    connections.close_all()  # a child must not inherit a connection
    dice = random.Random(number)
    events = ["kill"] * (plan.kills // plan.seeds) + ["crash"] * (
        number * plan.crashes // plan.seeds < (number + 1) * plan.crashes // plan.seeds
    )
    dice.shuffle(events)
    marks = sorted(dice.randint(0, length * STREAMS * 9 // 10) for _ in events)
    workers = [_start(seed, worker) for worker in range(WORKERS)]
    for event, mark in zip(events, marks, strict=True):
        while seed.done() < mark:
            time.sleep(0.01)
        if event == "crash":
            _crash_postgres()
            tally.crashes += 1
            continue
        worker = dice.randrange(WORKERS)
        if not workers[worker].is_alive():
            worker = 1 - worker
        os.kill(workers[worker].pid or 0, signal.SIGKILL)
        workers[worker].join()
        tally.kills += 1
        workers[worker] = _start(seed, worker)
    for process in workers:
        process.join()
    tally.operations += seed.done()
    _count_lost(seed, tally)
    _say(
        f"seed {number}: {seed.done():,} requests; so far {tally.kills} kills, {tally.crashes} crashes, {tally.lost} answered requests lost"
    )


def _start(seed: Seed, worker: int) -> BaseProcess:
    process = get_context("fork").Process(target=_work, args=(seed, worker))
    process.start()
    return process


def _work(seed: Seed, worker: int) -> None:
    threads = [Thread(target=_follow, args=(seed, stream)) for stream in range(worker * THREADS, (worker + 1) * THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _follow(seed: Seed, stream: int) -> None:
    """Make a stream's requests from a few before the first unanswered one; a lost connection means asking again."""
    from django.db import DatabaseError, InterfaceError, connection

    from accounts.tenancy import tenant

    number = max(0, seed.reached(stream) - REPLAYED)
    while number < seed.length:
        try:
            with tenant(seed.organization_id):
                receipt = seed.streams[stream].perform(number)
        except (DatabaseError, InterfaceError):
            connection.close()
            time.sleep(0.05)
            continue
        at = stream * seed.length + number
        seed.fates[at] = max(seed.fates[at], POSTED if receipt else ASKED)
        number += 1
    connection.close()


def _crash_postgres() -> None:
    """An immediate shutdown: what was committed has to come out of the log again."""
    from config.embedded import start_postgres

    pid = int((_home().postgres_data / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGQUIT)
    while Path(f"/proc/{pid}").exists():
        time.sleep(0.05)
    start_postgres(_home())


def _count_lost(seed: Seed, tally: Tally) -> None:
    """Whatever was answered as posted is an entry."""
    from accounts.tenancy import tenant
    from loyalty.models import Entry

    answered = {
        stream.key(number)
        for index, stream in enumerate(seed.streams)
        for number in range(seed.length)
        if seed.fate(index, number) == POSTED
    }
    with tenant(seed.organization_id):
        program = Entry.objects.filter(member_id__in=seed.streams[0].members, key__isnull=False)
        tally.lost += len(answered - set(program.values_list("key", flat=True)))


def _verify(organization_id: int, tally: Tally) -> None:
    from accounts.tenancy import tenant
    from crm.models import Event
    from loyalty.ledger.events import EVENT_KINDS
    from loyalty.ledger.verification import verify_ledger
    from loyalty.models import Entry
    from loyalty.queries.reward_checks import broken_promises

    began = time.monotonic()
    with tenant(organization_id):
        findings = verify_ledger()
        told = Event.objects.filter(source="loyalty", kind__in=set(EVENT_KINDS.values())).count()
        promises = broken_promises()
        tally.events_missing = Entry.objects.filter(kind__in=list(EVENT_KINDS)).count() - told
        tally.entries = Entry.objects.count()
    tally.verified_in = round(time.monotonic() - began, 1)
    tally.checks = sum(verdict.made for verdict in findings.values())
    tally.broken = [f"{check}: {verdict.failed} times, first {verdict.first}" for check, verdict in findings.items() if verdict.failed]
    tally.broken += [f"{promise.check}: {promise.ids}" for promise in promises]
    if tally.lost or tally.events_missing:
        tally.broken.append(f"{tally.lost} answered requests lost, {tally.events_missing} events missing")


def _home() -> Any:
    from django.conf import settings

    return settings.EMBEDDED_HOME


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main() -> int:
    """Run in a new folder and report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loyalty_chaos", description=__doc__)
    parser.add_argument("--size", choices=list(PLANS), default="full")
    add_cluster_option(parser)
    wanted = parser.parse_args()
    with own_home(wanted.cluster):
        tally = run(wanted.size)
    sys.stdout.write(json.dumps(asdict(tally)) + "\n")
    return 1 if tally.broken else 0


if __name__ == "__main__":
    sys.exit(main())
