"""Redemptions at eight tills over HTTP, through the production server: how long a customer waits at the counter."""

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any, Final

from django.utils import timezone

from accounts.actions import create_api_key
from accounts.audit import SYSTEM
from accounts.permissions import Permission
from accounts.tenancy import tenant
from benchmarks.database import analyze, benchmark_database, benchmark_organization
from benchmarks.loyalty_load import make_members
from benchmarks.result import Result, measured
from benchmarks.track import free_port, resident_mb
from config.processes import Processes, web_server
from crm.models import Customer, CustomerFacts
from loyalty.actions.points import earn_points
from loyalty.actions.programs import write_terms
from loyalty.ledger.verification import verify_ledger
from loyalty.models import Entry, EntryKind, Program

TILLS: Final = 8
# A till that redeems so often serves some hundred customers a minute.
PAUSE: Final = 0.2
POINTS: Final = 1_000_000
PROMISED_MS = 50.0
TERMS: Final = {"enrol": "by_hand", "earn": [{"key": "sales", "on": "amount", "points": 1, "per_minor": 1_000}]}
# What a till asks for of a member: where, and what.
Ask = Callable[[int], tuple[str, dict[str, Any]]]


def run(size: str) -> Result:
    """Every till asks for members at random, waits for its answer and pauses a moment; at the end without pausing."""
    people, seconds = (16, 1.0) if size == "small" else (2_000, 12.0)
    with benchmark_database("loyalty_till") as database, tempfile.TemporaryDirectory() as folder:
        organization_id = benchmark_organization().pk
        members = make_members(organization_id, people)
        secrets = _prepare(organization_id, members)
        with free_port() as port:
            program = web_server(host="127.0.0.1", port=port)
        environment = {"EMBEDDED_DATABASE": database, "DJANGO_SETTINGS_MODULE": "config.settings", "API_REQUESTS_PER_MINUTE": "1000000"}
        with Processes(Path(folder) / "logs", environment) as processes:
            processes.start(program)
            tills = [Till(port, secret, members) for secret in secrets]
            _busy(tills, redemption, seconds / 5)
            own = time.process_time()
            redemptions = _busy(tills, redemption, seconds, PAUSE)
            own = (time.process_time() - own) * 1_000 / len(redemptions)
            sales = _busy(tills, sale, seconds, PAUSE)
            most = len(_busy(tills, redemption, seconds)) / seconds
            peak = resident_mb(processes.running[program.name].pid)
        rows = _check(organization_id, sum(till.answered for till in tills))
    return _result(sorted(redemptions), sorted(sales), most, own, peak, rows, people)


def redemption(member_id: int) -> tuple[str, dict[str, Any]]:
    return f"members/{member_id}/redeem/", {"points": 10}


def sale(member_id: int) -> tuple[str, dict[str, Any]]:
    return "till/sales/", {
        "member": member_id,
        "points": 10,
        "lines": [{"unit_price_minor": 1_500}, {"unit_price_minor": 250, "quantity": 2}],
    }


@dataclass
class Till:
    """A point of sale with a key of its own, on one connection that stays open."""

    port: int
    secret: str
    members: list[int]
    answered: int = 0

    def work(self, ask: Ask, seconds: float, pause: float, taken: list[float]) -> None:
        dice, until = Random(self.secret), time.perf_counter() + seconds
        connection = HTTPConnection("127.0.0.1", self.port)
        while (began := time.perf_counter()) < until:
            path, body = ask(dice.choice(self.members))
            headers = {"Authorization": f"Bearer {self.secret}", "Content-Type": "application/json"}
            headers["Idempotency-Key"] = f"{self.secret[-8:]}-{self.answered}"
            connection.request("POST", f"/api/v1/{path}", json.dumps(body), headers)
            response = connection.getresponse()
            said = response.read()
            if response.status not in (200, 201):
                raise AssertionError(said)
            taken.append((time.perf_counter() - began) * 1_000)
            self.answered += 1
            time.sleep(pause)
        connection.close()


def _prepare(organization_id: int, members: list[int]) -> list[str]:
    with tenant(organization_id):
        CustomerFacts.objects.bulk_create([CustomerFacts(customer=customer) for customer in Customer.objects.all()])
        write_terms(program=Program.objects.get(), document=TERMS, actor=SYSTEM, now=timezone.now())
        for member_id in members:
            earn_points(member_id=member_id, amount=POINTS, key=f"start {member_id}", now=timezone.now(), actor=SYSTEM)
        scopes = [Permission.POINTS_CHANGE, Permission.PURCHASES_CHANGE]
        secrets = [create_api_key(name=f"Till {number}", scopes=scopes, actor=SYSTEM)[1] for number in range(TILLS)]
    analyze("loyalty_wallet", "loyalty_member", "loyalty_lotremainder", "loyalty_posting", "loyalty_entry", "crm_event", "crm_customer")
    return secrets


def _busy(tills: list[Till], ask: Ask, seconds: float, pause: float = 0) -> list[float]:
    """How long every request took, in milliseconds; between two of them a till pauses for so many seconds."""
    taken: list[float] = []
    threads = [Thread(target=till.work, args=(ask, seconds, pause, taken)) for till in tills]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


def _check(organization_id: int, answered: int) -> int:
    """Every answered request redeemed once, and the whole ledger keeps its promises."""
    with tenant(organization_id):
        redeemed = Entry.objects.filter(kind=EntryKind.REDEEM).count()
        broken = {check: verdict.first for check, verdict in verify_ledger().items() if verdict.failed}
    if redeemed != answered or broken:
        raise AssertionError(f"{answered} requests were answered, {redeemed} redemptions are kept; broken: {broken}")
    return redeemed


def _result(redemptions: list[float], sales: list[float], most: float, own: float, peak: float, rows: int, people: int) -> Result:
    def at(taken: list[float], share: float) -> float:
        return taken[int(len(taken) * share)]

    ours = at(redemptions, 0.95)
    return measured(
        name="loyalty_till",
        ours=ours,
        reference=PROMISED_MS,
        unit="ms, p95",
        higher_is_better=False,
        peak_mb=peak,
        rows=rows,
        limit=1.0,
        notes=(
            f"beside the promise; p50 {at(redemptions, 0.5):.1f} ms; sales with points p50 {at(sales, 0.5):.1f}, p95 {at(sales, 0.95):.1f} ms; "
            f"{TILLS} tills that pause {PAUSE * 1_000:.0f} ms on the same processors ({own:.1f} ms each time), {people:,} members; "
            f"without pausing {most:.0f} redemptions/s"
        ),
        extras={
            "p50_ms": at(redemptions, 0.5),
            "p95_ms": ours,
            "sale_p50_ms": at(sales, 0.5),
            "sale_p95_ms": at(sales, 0.95),
            "tills": TILLS,
            "till_cpu_ms": own,
        },
    )
