"""What a lost worker leaves behind, and what the next one makes of it."""

from __future__ import annotations

import time
import uuid
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone

from accounts.tenancy import tenant
from crm.models import Channel, Consent, Customer
from messaging.actions.suppressing import suppress_address
from messaging.channels.base import LeaseLostError
from messaging.models import Chunk, Delivery, DeliveryState, Dispatch, DispatchState, FateReason, Suppression, SuppressionReason
from messaging.sending.control import cancel_dispatch, fail_dispatch
from messaging.sending.ending import clear_rests
from messaging.sending.ledger import Ledger
from messaging.sending.mark_log import LedgerFate, MarkLog
from messaging.sending.progress import Mark
from messaging.sending.run import Ended, connection_parameters
from messaging.sending.sweeping import dispatches_to_ring
from tests.conftest import Cast
from tests.database import administrator
from tests.messaging.sending_stage import Stage, set_stage
from tests.smtp_server import smtp_server
from tests.waiting import wait_until

LEASE_SECONDS = 30.0


def ledger_of(stage: Stage) -> Ledger:
    return Ledger(stage.organization_id, stage.dispatch_id, str(uuid.uuid4()), LEASE_SECONDS)


def open_log(ledger: Ledger) -> MarkLog:
    return MarkLog(connection_parameters(), organization_id=ledger.organization_id, lease=ledger.lease, lease_seconds=ledger.lease_seconds)


def finish(log: MarkLog) -> None:
    wait_until(log.poll, "the log was not written", seconds=10)


@pytest.fixture
def stage(committed_cast: Cast) -> Stage:
    with smtp_server() as server:
        return set_stage(committed_cast.saffron.pk, server.port, people=20, chunk=20)


def worker_is_lost(stage: Stage, *, through: int, in_flight: list[int], held_back: list[int]) -> list[int]:
    """Leave a chunk as a killed worker would; numbers are people, the answer their delivery ids."""
    ledger = ledger_of(stage)
    claimed = ledger.claim_chunk()
    assert claimed is not None
    chunk, rows = claimed
    ids = [row.delivery_id for row in rows]
    log = open_log(ledger)
    flying, held = ([ids[number - 1] for number in numbers] for numbers in (in_flight, held_back))
    log.write([Mark(chunk.id, ids[0] - 1, ids[through - 1], tuple(flying), tuple(held))])
    finish(log)
    log.close()
    return ids


def test_after_a_crash_each_delivery_is_what_the_watermark_says(stage: Stage, committed_cast: Cast) -> None:
    worker_is_lost(stage, through=10, in_flight=[4, 9], held_back=[6])
    stage.end_leases()
    with smtp_server() as server:
        stage.set_account(options={"host": "127.0.0.1", "port": server.port, "security": "none", "hello_name": "shop.example"})
        stage.run()
    assert stage.states() == {"sent": 18, "ambiguous": 2}
    assert {stage.delivery(number).state for number in (4, 9)} == {DeliveryState.AMBIGUOUS}
    assert stage.delivery(4).reason == FateReason.WORKER_LOST
    sent_now = {int(address.removeprefix("person").split("@")[0]) for address in server.recipients()}
    assert sent_now == {6, *range(11, 21)}, "neither what was done nor what is in doubt is sent again"
    assert stage.counts() == (18, 0, 2)
    assert stage.dispatch().state == DispatchState.COMPLETED


def test_a_lease_that_runs_is_respected(stage: Stage) -> None:
    worker_is_lost(stage, through=10, in_flight=[4], held_back=[])
    assert ledger_of(stage).claim_chunk() is None
    assert stage.run().ended is Ended.IDLE
    assert stage.states() == {"planned": 20}


def test_a_worker_lost_twice_is_settled_twice(stage: Stage) -> None:
    worker_is_lost(stage, through=5, in_flight=[5], held_back=[2])
    stage.end_leases()
    ledger = ledger_of(stage)
    claimed = ledger.claim_chunk()
    assert claimed is not None
    chunk, rows = claimed
    assert [row.address for row in rows] == [f"person{number}@example.net" for number in (2, *range(6, 21))]
    log = open_log(ledger)
    held, flying = rows[0].delivery_id, rows[1].delivery_id
    log.write([Mark(chunk.id, held - 1, flying, (flying,), (held,))])
    finish(log)
    log.close()
    stage.end_leases()
    again = ledger_of(stage).claim_chunk()
    assert again is not None
    assert [row.address for row in again[1]] == [f"person{number}@example.net" for number in (2, *range(7, 21))]
    assert stage.states() == {"sent": 3, "ambiguous": 2, "planned": 15}


def everybody_is_due_again(stage: Stage) -> Ledger:
    """Make one list of retries of all deliveries."""
    with tenant(stage.organization_id):
        Chunk.objects.all().delete()
        Delivery.objects.update(state="retrying", attempts=1, next_attempt_at=timezone.now() - timedelta(seconds=1))
    ledger = ledger_of(stage)
    assert ledger.gather_retries() == 1
    return ledger


def test_a_retry_that_was_put_off_again_is_not_taken_for_sent(stage: Stage) -> None:
    ledger = everybody_is_due_again(stage)
    assert ledger.gather_retries() == 0, "a retry is in one chunk only"
    claimed = ledger.claim_chunk()
    assert claimed is not None
    chunk, rows = claimed
    assert len(rows) == 20
    log = open_log(ledger)
    later = time.time() + 500
    log.write(
        [Mark(chunk.id, rows[1].delivery_id, rows[2].delivery_id, (rows[2].delivery_id,), ())],
        [LedgerFate(rows[0].delivery_id, "retrying", "temporary", "450", later)],
    )
    finish(log)
    log.close()
    stage.end_leases()
    again = ledger_of(stage).claim_chunk()
    assert again is not None
    assert len(again[1]) == 17
    assert stage.states() == {"sent": 1, "ambiguous": 1, "retrying": 18}
    put_off = stage.delivery(1)
    assert (put_off.state, put_off.attempts) == (DeliveryState.RETRYING, 2)


def test_a_retry_that_is_due_again_waits_for_the_end_of_the_list_that_put_it_off(stage: Stage) -> None:
    ledger = everybody_is_due_again(stage)
    claimed = ledger.claim_chunk()
    assert claimed is not None
    chunk, rows = claimed
    log = open_log(ledger)
    before = rows[0].delivery_id - 1
    log.write([Mark(chunk.id, before, before, (), ())], [LedgerFate(rows[0].delivery_id, "retrying", "temporary", "450", time.time() - 1)])
    finish(log)
    log.close()
    assert ledger.gather_retries() == 0, "the first list may still be read again"
    ledger.release_chunks()
    again = ledger_of(stage)
    reclaimed = again.claim_chunk()
    assert reclaimed is not None
    assert [row.delivery_id for row in reclaimed[1]] == [row.delivery_id for row in rows[1:]]
    again.finish_chunks([chunk.id])
    assert again.gather_retries() == 1
    second = again.claim_chunk()
    assert second is not None
    assert [row.delivery_id for row in second[1]] == [rows[0].delivery_id]


def test_waiting_retries_of_a_cancelled_dispatch_end_with_it(stage: Stage, committed_cast: Cast) -> None:
    with tenant(stage.organization_id):
        Chunk.objects.update(finished_at=timezone.now())
        Delivery.objects.update(state="retrying", attempts=1, next_attempt_at=timezone.now() + timedelta(hours=1))
        cancel_dispatch(dispatch_id=stage.dispatch_id, actor=committed_cast.alice_acts, now=timezone.now())
    assert dispatches_to_ring(organization_id=stage.organization_id, now=timezone.now()) == [stage.dispatch_id]
    assert clear_rests(organization_id=stage.organization_id, dispatch_id=stage.dispatch_id)
    assert stage.states() == {"cancelled": 20}
    assert dispatches_to_ring(organization_id=stage.organization_id, now=timezone.now()) == []


def test_whoever_withdrew_or_was_suppressed_since_the_plan_is_left_out_when_a_chunk_is_claimed(stage: Stage, committed_cast: Cast) -> None:
    with tenant(stage.organization_id):
        for person, state in ((1, "withdrawn"), (2, "granted"), (3, "pending")):
            customer = Delivery.objects.get(address=f"person{person}@example.net").customer
            Consent.objects.create(customer=customer, channel="email", purpose="marketing", state=state, changed_at=timezone.now())
        suppress_address(
            channel=Channel.EMAIL, address="Person4@EXAMPLE.net", reason=SuppressionReason.MANUAL, actor=committed_cast.alice_acts
        )
        Dispatch.objects.update(skipped_count=1, skipped_by_reason={"withdrawn": 1})
    with smtp_server() as server:
        stage.set_account(options={"host": "127.0.0.1", "port": server.port, "security": "none", "hello_name": "shop.example"})
        stage.run()
    assert {int(address.removeprefix("person").split("@")[0]) for address in server.recipients()} == {2, *range(5, 21)}
    assert stage.states() == {"sent": 17, "skipped": 3}
    assert [stage.delivery(person).reason for person in (1, 3, 4)] == ["withdrawn", "no_consent", "suppressed"]
    dispatch = stage.dispatch()
    assert (dispatch.state, dispatch.planned_count, dispatch.skipped_count, dispatch.sent_count) == ("completed", 17, 4, 17)
    assert dispatch.skipped_by_reason == {"withdrawn": 2, "no_consent": 1, "suppressed": 1}


def test_an_address_that_was_corrected_or_given_up_since_the_plan_counts(stage: Stage, committed_cast: Cast) -> None:
    with tenant(stage.organization_id):
        people = {person: Delivery.objects.get(address=f"person{person}@example.net").customer_id for person in (1, 2, 3)}
        Customer.objects.filter(pk=people[1]).update(email="new1@example.net")
        Customer.objects.filter(pk=people[2]).update(email="")
        Customer.objects.filter(pk=people[3]).update(email="dead@example.net")
        suppress_address(
            channel=Channel.EMAIL, address="dead@example.net", reason=SuppressionReason.MANUAL, actor=committed_cast.alice_acts
        )
    with smtp_server() as server:
        stage.set_account(options={"host": "127.0.0.1", "port": server.port, "security": "none", "hello_name": "shop.example"})
        stage.run()
    assert server.recipients() == {"new1@example.net": 1} | {f"person{n}@example.net": 1 for n in range(4, 21)}
    assert stage.states() == {"sent": 18, "skipped": 2}
    assert stage.dispatch().skipped_by_reason == {"no_address": 1, "suppressed": 1}
    with tenant(stage.organization_id):
        told = Delivery.objects.filter(customer_id__in=people.values()).order_by("customer_id").values_list("address", "state", "reason")
        assert list(told) == [
            ("new1@example.net", "sent", ""), ("person2@example.net", "skipped", "no_address"), ("person3@example.net", "skipped", "suppressed"),
        ]  # fmt: skip


def test_whoever_lost_the_lease_hears_of_it_and_writes_nothing(stage: Stage) -> None:
    ledger = ledger_of(stage)
    claimed = ledger.claim_chunk()
    assert claimed is not None
    chunk, rows = claimed
    stage.end_leases()
    other = ledger_of(stage).claim_chunk()
    assert other is not None
    log = open_log(ledger)
    first = rows[0].delivery_id
    log.write([Mark(chunk.id, first - 1, first, (first,), ())], [LedgerFate(rows[1].delivery_id, "failed", "refused", "550")])
    with pytest.raises(LeaseLostError):
        finish(log)
    log.close()
    assert stage.states() == {"planned": 20}
    ledger.finish_chunks([chunk.id])
    assert len(stage.open_chunks()) == 1, "nor can it close the chunk"


def test_fates_are_written_with_the_mark_and_only_once(stage: Stage) -> None:
    ledger = ledger_of(stage)
    claimed = ledger.claim_chunk()
    assert claimed is not None
    chunk, rows = claimed
    ids = [row.delivery_id for row in rows]
    fates = [
        LedgerFate(ids[0], "bounced", "no_such_address", 'said "no" \\ {finally}, \u0000here'),
        LedgerFate(ids[1], "ambiguous", "line_lost", ""),
        LedgerFate(ids[2], "failed", "refused", "554"),
        LedgerFate(ids[3], "retrying", "temporary", "450", time.time() + 60),
        LedgerFate(ids[4], "skipped", "withdrawn", is_attempt=False),
        LedgerFate(ids[5], "skipped", "withdrawn", is_attempt=False),
        LedgerFate(ids[6], "skipped", "suppressed", is_attempt=False),
    ]
    log = open_log(ledger)
    for _ in range(2):
        log.write([Mark(chunk.id, ids[6], ids[6], (), ())], fates)
        finish(log)
    log.close()
    assert stage.states() == {"bounced": 1, "ambiguous": 1, "failed": 1, "retrying": 1, "skipped": 3, "planned": 13}
    assert stage.counts() == (0, 2, 1)
    dispatch = stage.dispatch()
    assert (dispatch.planned_count, dispatch.skipped_count, dispatch.skipped_by_reason) == (17, 3, {"withdrawn": 2, "suppressed": 1})
    assert stage.delivery(1).detail == 'said "no" \\ {finally}, here'
    assert stage.delivery(4).attempts == 1
    with tenant(stage.organization_id):
        assert Suppression.objects.count() == 1


def test_a_mark_is_written_although_the_connection_broke(stage: Stage) -> None:
    ledger = ledger_of(stage)
    claimed = ledger.claim_chunk()
    assert claimed is not None
    chunk, rows = claimed
    log = open_log(ledger)
    end_other_backends()
    connection.close()
    log.write([Mark(chunk.id, rows[4].delivery_id, rows[4].delivery_id, (), ())])
    finish(log)
    log.close()
    with tenant(stage.organization_id):
        assert Chunk.objects.get(pk=chunk.id).done_through == rows[4].delivery_id


def test_a_running_dispatch_survives_the_loss_of_all_its_connections(committed_cast: Cast) -> None:
    cuts: list[int] = []

    def cut_now_and_then(recipient: str) -> None:
        if recipient in {"person30@example.net", "person120@example.net"}:
            cuts.append(1)
            end_other_backends()

    with smtp_server() as server:
        server.script.on_body = cut_now_and_then
        stage = set_stage(committed_cast.saffron.pk, server.port, people=200, chunk=50)
        stage.run()
    assert cuts == [1, 1]
    assert stage.states() == {"sent": 200}
    assert stage.counts() == (200, 0, 0)
    assert set(server.recipients().values()) == {1}


def end_other_backends() -> None:
    """What an administrator, a restart or a failover does to our connections."""
    name = connections["default"].settings_dict["NAME"]
    with administrator() as admin:
        admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and usename = %s",
            [name, connections["default"].settings_dict["USER"]],
        )


def test_cancelling_settles_what_a_lost_worker_left(stage: Stage, committed_cast: Cast) -> None:
    worker_is_lost(stage, through=10, in_flight=[4], held_back=[6])
    with tenant(stage.organization_id):
        cancel_dispatch(dispatch_id=stage.dispatch_id, actor=committed_cast.alice_acts, now=timezone.now())
    assert not clear_rests(organization_id=stage.organization_id, dispatch_id=stage.dispatch_id), "it is still leased"
    assert stage.states() == {"planned": 20}
    stage.end_leases()
    assert clear_rests(organization_id=stage.organization_id, dispatch_id=stage.dispatch_id)
    assert stage.states() == {"sent": 8, "ambiguous": 1, "cancelled": 11}
    assert stage.counts() == (8, 0, 1)


def test_a_failure_leaves_what_another_worker_holds_to_be_settled_later(stage: Stage) -> None:
    worker_is_lost(stage, through=10, in_flight=[4], held_back=[6])
    with tenant(stage.organization_id):
        assert fail_dispatch(dispatch_id=stage.dispatch_id, reason="It does not compile.", now=timezone.now())
        assert not fail_dispatch(dispatch_id=stage.dispatch_id, reason="Once more.", now=timezone.now())
    assert stage.states() == {"planned": 20}
    stage.end_leases()
    assert dispatches_to_ring(organization_id=stage.organization_id, now=timezone.now()) == [stage.dispatch_id]
    assert clear_rests(organization_id=stage.organization_id, dispatch_id=stage.dispatch_id)
    assert stage.states() == {"sent": 8, "ambiguous": 1, "failed": 11}
    assert stage.counts() == (8, 11, 1)
    assert stage.delivery(20).detail == "It does not compile."


def test_another_organization_sees_no_chunk(stage: Stage, committed_cast: Cast) -> None:
    foreign = Ledger(committed_cast.rival.pk, stage.dispatch_id, str(uuid.uuid4()), LEASE_SECONDS)
    assert foreign.claim_chunk(whatever_state=True) is None
    assert foreign.extend_lease() == "cancelled"
    assert foreign.gather_retries() == 0
