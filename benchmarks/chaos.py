"""The crash test: kill workers, empty the broker and restart the database under a running campaign, then count.

    python -m benchmarks.chaos --size small|full

It runs on embedded servers of its own, in a folder of its own, prints what happened and ends with one line of JSON;
the exit code is 1 unless every promise held.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.own_home import add_cluster_option, own_home
from config.embedded.home import EmbeddedHome
from config.processes import celery

if TYPE_CHECKING:
    from tests.messaging.sending_stage import Stage
    from tests.smtp_server import SmtpServer

LEASE_SECONDS = 4.0
CONNECTIONS = 16
WORKERS = 2
SLOW_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is sent and how much is broken meanwhile."""

    people: int
    kills: int
    postgres_restarts: int
    valkey_restarts: int
    chunk: int
    server_delay: float
    limit_seconds: float


PLANS = {
    "small": Plan(people=900, kills=3, postgres_restarts=1, valkey_restarts=1, chunk=50, server_delay=0.2, limit_seconds=120),
    "full": Plan(people=20_000, kills=24, postgres_restarts=2, valkey_restarts=2, chunk=100, server_delay=0.15, limit_seconds=900),
}


@dataclass(slots=True)
class Tally:
    """What was broken, and what it came to."""

    people: int
    kills: int = 0
    postgres_restarts: int = 0
    valkey_restarts: int = 0
    states: dict[str, int] = field(default_factory=dict)
    arrived: int = 0
    arrived_twice: int = 0
    lost: int = 0
    ambiguous: int = 0
    ambiguous_limit: int = 0
    state: str = ""
    seconds: float = 0.0

    def broken_promises(self) -> list[str]:
        """Say what did not hold; empty is the wish."""
        return [
            complaint
            for complaint, is_broken in (
                (f"the dispatch is {self.state}, not completed", self.state != "completed"),
                (f"final states: {self.states}", sum(self.states.get(state, 0) for state in ("sent", "ambiguous")) != self.people),
                (f"{self.arrived_twice} messages arrived twice", self.arrived_twice > 0),
                (f"{self.lost} messages marked sent never arrived", self.lost > 0),
                (f"{self.ambiguous} ambiguous, {self.ambiguous_limit} allowed", self.ambiguous > self.ambiguous_limit),
            )
            if is_broken
        ]


class Workers:
    """Celery workers in process groups of their own, so that one signal takes a worker with its children."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: list[subprocess.Popen[bytes]] = []
        self._started = 0

    def keep(self, count: int) -> None:
        """Start workers until so many run."""
        self._running = [process for process in self._running if process.poll() is None]
        while len(self._running) < count:
            self._started += 1
            command = celery("worker", "--concurrency", "1", "--loglevel", "WARNING")
            command += ["--without-gossip", "--without-mingle", "--without-heartbeat", "--hostname", f"chaos{self._started}@%h"]
            with (self._logs / f"worker{self._started}.log").open("wb") as log:
                process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True)
            self._running.append(process)

    def kill_one(self) -> None:
        """SIGKILL to a worker and its children, at once."""
        process = random.choice(self._running)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def show_logs(self) -> None:
        """Print what the workers said last."""
        for log in sorted(self._logs.glob("worker*.log")):
            _say(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}")

    def stop(self) -> None:
        for process in self._running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def run(size: str, folder: Path) -> Tally:
    """Play the whole piece in this folder; Django must be set up for it."""
    from django.core.management import call_command

    from accounts.actions import create_organization
    from config.embedded import start_embedded
    from tests.messaging.sending_stage import set_stage
    from tests.smtp_server import Script, smtp_server

    plan = PLANS[size]
    start_embedded(_home(), postgres=True, valkey=True)
    call_command("migrate", verbosity=0)
    organization = create_organization(name="Chaos", slug="chaos", postal_address="1 Main St")
    allowed = [0]
    with smtp_server(Script(body_delay=lambda: plan.server_delay if len(server.mails) < allowed[0] else SLOW_SECONDS)) as server:
        stage = set_stage(organization.pk, server.port, people=plan.people, chunk=plan.chunk, connections=CONNECTIONS)
        workers = Workers(folder)
        tally = Tally(plan.people)
        started = time.monotonic()
        try:
            _break_things(plan, tally, workers, stage, server, allowed)
            _wait_for_the_end(plan, stage, workers, started)
        finally:
            workers.stop()
        tally.seconds = round(time.monotonic() - started, 1)
        _count(tally, stage, server)
    return tally


def _break_things(plan: Plan, tally: Tally, workers: Workers, stage: Stage, server: SmtpServer, allowed: list[int]) -> None:
    """Kill and restart in random order at random moments, spread over the whole dispatch.

    The server slows down when more has arrived than the next event expects, so that a loaded machine breaks as much.
    """
    events = ["kill"] * plan.kills + ["postgres"] * plan.postgres_restarts + ["valkey"] * plan.valkey_restarts
    random.shuffle(events)
    gap = plan.people // (len(events) + 3)
    for event in events:
        workers.keep(WORKERS)
        before = len(server.mails)
        allowed[0] = before + 2 * gap
        until = time.monotonic() + plan.limit_seconds
        while len(server.mails) < before + gap and time.monotonic() < until:
            _sweep()
            time.sleep(0.1)
            if stage.dispatch().state == "completed":
                return
        time.sleep(random.uniform(0.0, 0.3))
        _say(f"{len(server.mails):6} arrived: {event}")
        if event == "kill":
            workers.kill_one()
            tally.kills += 1
        elif event == "postgres":
            _restart_postgres()
            tally.postgres_restarts += 1
        else:
            _empty_valkey()
            tally.valkey_restarts += 1
    allowed[0] = plan.people


def _wait_for_the_end(plan: Plan, stage: Stage, workers: Workers, started: float) -> None:
    while time.monotonic() - started < plan.limit_seconds:
        workers.keep(WORKERS)
        _sweep()
        if stage.dispatch().state == "completed":
            return
        time.sleep(0.2)
    _say(f"still running: chunks {[(chunk.pk, chunk.lease, chunk.leased_until) for chunk in stage.open_chunks()]}")
    workers.show_logs()


def _sweep() -> None:
    """What beat does every few seconds."""
    from django.db import OperationalError, connection

    from messaging.tasks import sweep_dispatches

    try:
        sweep_dispatches()
    except OperationalError:
        connection.close()


def _restart_postgres() -> None:
    from django.db import connections

    from config.embedded import start_postgres, stop_postgres

    for connection in connections.all():
        connection.close()
    stop_postgres(_home())
    time.sleep(random.uniform(0.0, 0.5))
    start_postgres(_home())


def _empty_valkey() -> None:
    from config.embedded import start_valkey, stop_valkey

    stop_valkey(_home())
    time.sleep(random.uniform(0.0, 0.5))
    start_valkey(_home())


def _count(tally: Tally, stage: Stage, server: SmtpServer) -> None:
    from accounts.tenancy import tenant
    from messaging.models import Delivery

    arrived = server.recipients()
    with tenant(stage.organization_id):
        ledger = dict(Delivery.objects.values_list("address", "state"))
    tally.states = dict(Counter(ledger.values()))
    tally.arrived = len(arrived)
    tally.arrived_twice = sum(count > 1 for count in arrived.values())
    tally.lost = sum(state == "sent" and address not in arrived for address, state in ledger.items())
    tally.ambiguous = tally.states.get("ambiguous", 0)
    tally.ambiguous_limit = CONNECTIONS * tally.kills
    tally.state = stage.dispatch().state


def _home() -> EmbeddedHome:
    from django.conf import settings

    return settings.EMBEDDED_HOME


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main() -> int:
    """Run in a new folder and report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--size", choices=list(PLANS), default="full")
    parser.add_argument("--seed", type=int, default=None)
    add_cluster_option(parser)
    wanted = parser.parse_args()
    random.seed(wanted.seed)
    with own_home(wanted.cluster, SENDING_LEASE_SECONDS=str(LEASE_SECONDS)) as folder:
        tally = run(wanted.size, folder)
    broken = tally.broken_promises()
    sys.stdout.write(json.dumps({**asdict(tally), "broken": broken}) + "\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
