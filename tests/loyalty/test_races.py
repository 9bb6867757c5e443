"""Real connections that race: what two tills, fifty retries and a killed process make of one wallet."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from multiprocessing import get_context
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, connections

from accounts.audit import SYSTEM
from accounts.tenancy import tenant
from benchmarks.loyalty_traffic import START, STEP, Stream, make_members
from crm.models import Event
from loyalty.actions.holds import HoldResolvedError, capture_hold, hold_points
from loyalty.actions.points import earn_points, redeem_points
from loyalty.ledger.events import EVENT_KINDS
from loyalty.ledger.posting import KeyReusedError, settle_member
from loyalty.ledger.verification import verify_ledger
from loyalty.models import Entry, EntryKind, Hold, Wallet
from loyalty.rules.postings import InsufficientPointsError
from tests.conftest import Cast

NOW = START + STEP


@pytest.fixture
def saffron(committed_cast: Cast) -> int:
    return committed_cast.saffron.pk


def at_once(organization_id: int, jobs: Iterable[Callable[[], Any]]) -> list[Any]:
    """Run every job on a connection and in a transaction of its own, all let go at one moment; what each gave or raised."""

    def scoped(job: Callable[[], Any]) -> Any:
        with tenant(organization_id):
            return job()

    return let_go([partial(scoped, job) for job in jobs])


def let_go(jobs: Iterable[Callable[[], Any]]) -> list[Any]:
    waiting = list(jobs)
    gate = Barrier(len(waiting), timeout=60)

    def run(job: Callable[[], Any]) -> Any:
        try:
            connection.ensure_connection()
            gate.wait()
            return job()
        except (ValueError, LookupError) as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(waiting)) as pool:
        return list(pool.map(run, waiting))


def broken(organization_id: int) -> dict[str, str]:
    with tenant(organization_id):
        return {check: verdict.first for check, verdict in verify_ledger().items() if verdict.failed}


def give(organization_id: int, member_id: int, amount: int) -> None:
    with tenant(organization_id):
        earn_points(member_id=member_id, amount=amount, key=f"start {member_id}", now=START, actor=SYSTEM)


def balance(organization_id: int, member_id: int) -> int:
    with tenant(organization_id):
        return Wallet.objects.get(member_id=member_id).balance


def test_of_two_redemptions_of_60_racing_for_100_points_one_succeeds(saffron: int) -> None:
    (member,) = make_members(saffron, 1, slug="race")
    give(saffron, member, 100)
    outcomes = at_once(
        saffron, [partial(redeem_points, member_id=member, amount=60, key=f"till {till}", now=NOW, actor=SYSTEM) for till in range(16)]
    )
    assert sum(isinstance(outcome, InsufficientPointsError) for outcome in outcomes) == 15
    assert balance(saffron, member) == 40
    assert broken(saffron) == {}


def test_one_request_sent_fifty_times_at_once_is_one_entry(saffron: int) -> None:
    (member,) = make_members(saffron, 1, slug="race")
    receipts = at_once(saffron, [partial(earn_points, member_id=member, amount=7, key="sale", now=NOW, actor=SYSTEM)] * 50)
    assert len({receipt.entry_id for receipt in receipts}) == 1
    assert sum(not receipt.is_replay for receipt in receipts) == 1
    assert balance(saffron, member) == 7
    assert broken(saffron) == {}


def test_one_redemption_sent_by_sixteen_at_once_is_never_refused_for_what_it_took_itself(saffron: int) -> None:
    (member,) = make_members(saffron, 1, slug="race")
    give(saffron, member, 100)
    receipts = at_once(saffron, [partial(redeem_points, member_id=member, amount=60, key="till", now=NOW, actor=SYSTEM)] * 16)
    assert sorted(receipt.is_replay for receipt in receipts) == [False] + [True] * 15
    assert balance(saffron, member) == 40


def test_one_key_sent_for_many_members_at_once_is_one_members(saffron: int) -> None:
    members = make_members(saffron, 20, slug="race")
    jobs = [partial(earn_points, member_id=member, amount=7, key="sale", now=NOW, actor=SYSTEM) for member in members]
    outcomes = at_once(saffron, jobs)
    assert sum(isinstance(outcome, KeyReusedError) for outcome in outcomes) == 19
    assert sum(balance(saffron, member) for member in members) == 7
    assert broken(saffron) == {}


def test_a_hold_that_is_captured_and_lapses_at_once_does_one_of_the_two(saffron: int) -> None:
    members = make_members(saffron, 8, slug="race")
    jobs: list[Callable[[], Any]] = []
    for member in members:
        give(saffron, member, 100)
        with tenant(saffron):
            _receipt, hold = hold_points(member_id=member, amount=60, lapses_at=NOW, key=f"hold {member}", now=START, actor=SYSTEM)
        jobs += [
            *(partial(capture_hold, member_id=member, hold_id=hold, key=f"{hold} {n}", now=START, actor=SYSTEM) for n in range(2)),
            partial(settle_member, member_id=member, now=NOW),
        ]
    outcomes = at_once(saffron, jobs)
    refused = sum(isinstance(outcome, HoldResolvedError) for outcome in outcomes)
    with tenant(saffron):
        states = list(Hold.objects.order_by("member_id").values_list("state", flat=True))
    assert "open" not in states
    assert refused == 8 + states.count("lapsed")
    assert [balance(saffron, member) for member in members] == [40 if state == "captured" else 100 for state in states]
    assert broken(saffron) == {}


def test_64_threads_on_few_members_leave_every_promise_kept(saffron: int) -> None:
    members = make_members(saffron, 3, slug="race")

    def work(name: int) -> None:
        stream = Stream(f"race {name}", members)
        for number in range(12):
            with tenant(saffron):
                stream.perform(number)

    let_go([partial(work, name) for name in range(64)])
    assert broken(saffron) == {}
    with tenant(saffron):
        assert Entry.objects.count() > 300


def test_a_process_killed_at_any_moment_leaves_nothing_half_done_and_its_keys_complete_it(saffron: int) -> None:
    members, lengths = make_members(saffron, 4, slug="race"), []
    connections.close_all()  # a child must not inherit this process's connections
    for attempt in range(12):
        reader, writer = os.pipe()
        child = get_context("fork").Process(target=_post_until_killed, args=(saffron, Stream("doomed", members), writer))
        child.start()
        os.close(writer)
        time.sleep(0.15 + random.random() * 0.3)
        assert child.pid
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        with os.fdopen(reader) as said:
            lengths.append(len(said.readlines()))
        assert broken(saffron) == {}, attempt
        with tenant(saffron):
            assert Event.objects.filter(kind__startswith="points.").count() == _events_due()
        connections.close_all()
    stream = Stream("doomed", members)
    with tenant(saffron):
        keys = set(Entry.objects.filter(key__isnull=False).values_list("key", flat=True))
        for number in range(max(lengths)):
            receipt = stream.perform(number)
            assert receipt is None or receipt.is_replay or stream.key(number) not in keys
    assert max(lengths) > 5
    assert broken(saffron) == {}


def _events_due() -> int:
    return Entry.objects.filter(kind__in=[EntryKind(kind) for kind in EVENT_KINDS]).count()


def _post_until_killed(organization_id: int, stream: Stream, writer: int) -> None:
    """From the first number on: what an earlier process did is replayed, the rest is done."""
    with suppress(KeyboardInterrupt):
        for number in range(1_000_000):
            with tenant(organization_id):
                stream.perform(number)
            os.write(writer, b"%d\n" % number)
