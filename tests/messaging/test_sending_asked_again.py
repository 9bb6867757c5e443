"""What changes between a message's turn in the queue and its leaving: consent, suppression and addresses are asked for again."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import pytest
from django.test import override_settings
from django.utils import timezone

from accounts.tenancy import tenant
from crm.models import Channel, Consent, Customer
from messaging.actions.suppressing import suppress_address
from messaging.channels.base import LeaseLostError
from messaging.models import Delivery, Dispatch, DispatchState, SuppressionReason
from messaging.sending.ledger import Ledger, Row
from tests.conftest import Cast
from tests.messaging.sending_stage import Stage, set_stage
from tests.messaging.test_sending_run import in_background
from tests.smtp_server import SmtpServer, smtp_server
from tests.waiting import wait_until


def customer_of(stage: Stage, person: int) -> Customer:
    with tenant(stage.organization_id):
        return Delivery.objects.get(dispatch_id=stage.dispatch_id, address=f"person{person}@example.net").customer


def withdraw(stage: Stage, person: int) -> None:
    customer = customer_of(stage, person)
    with tenant(stage.organization_id):
        Consent.objects.create(customer=customer, channel="email", purpose="marketing", state="withdrawn", changed_at=timezone.now())


def move(stage: Stage, person: int, address: str) -> None:
    customer = customer_of(stage, person)
    with tenant(stage.organization_id):
        Customer.objects.filter(pk=customer.pk).update(email=address)


def suppress(stage: Stage, person: int, cast: Cast) -> None:
    with tenant(stage.organization_id):
        address = f"Person{person}@EXAMPLE.net"
        suppress_address(channel=Channel.EMAIL, address=address, reason=SuppressionReason.MANUAL, actor=cast.alice_acts)


def wait_for_mail(server: SmtpServer, count: int) -> None:
    wait_until(lambda: len(server.mails) >= count, "no mail came", seconds=10)


@override_settings(SENDING_ASK_AGAIN_SECONDS=0.2)
def test_whoever_withdraws_while_a_slow_sender_is_at_it_gets_nothing(committed_cast: Cast) -> None:
    with smtp_server() as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=60, chunk=40, rate_per_second=20)
        with tenant(stage.organization_id):
            Dispatch.objects.update(skipped_count=1, skipped_by_reason={"withdrawn": 1})
        thread = in_background(stage)
        wait_for_mail(server, 1)
        withdraw(stage, 38)
        suppress(stage, 39, committed_cast)
        move(stage, 40, "new40@example.net")
        move(stage, 60, "")
        thread.join(20)
    expected = {f"person{n}@example.net": 1 for n in range(1, 60) if n not in (38, 39, 40)} | {"new40@example.net": 1}
    assert server.recipients() == expected
    assert stage.states() == {"sent": 57, "skipped": 3}
    left_out = [stage.delivery(person) for person in (38, 39, 60)]
    assert [(row.reason, row.attempts, row.sent_at) for row in left_out] == [
        ("withdrawn", 0, None), ("suppressed", 0, None), ("no_address", 0, None),
    ]  # fmt: skip
    with tenant(stage.organization_id):
        assert Delivery.objects.get(address="new40@example.net").state == "sent"
    dispatch = stage.dispatch()
    assert (dispatch.state, dispatch.planned_count, dispatch.skipped_count, dispatch.sent_count) == (DispatchState.COMPLETED, 57, 4, 57)
    assert dispatch.skipped_by_reason == {"withdrawn": 2, "suppressed": 1, "no_address": 1}
    assert stage.open_chunks() == []


@override_settings(SENDING_ASK_AGAIN_SECONDS=0.2)
def test_a_whole_rest_that_withdraws_completes_without_another_message(committed_cast: Cast) -> None:
    with smtp_server() as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=30, chunk=30, rate_per_second=10)
        thread = in_background(stage)
        wait_for_mail(server, 1)
        for person in range(15, 31):
            withdraw(stage, person)
        thread.join(20)
    assert server.recipients() == {f"person{n}@example.net": 1 for n in range(1, 15)}
    assert stage.states() == {"sent": 14, "skipped": 16}
    assert (stage.dispatch().state, stage.dispatch().skipped_by_reason) == (DispatchState.COMPLETED, {"withdrawn": 16})
    assert stage.open_chunks() == []


@override_settings(SENDING_ASK_AGAIN_SECONDS=0.2, SENDING_RUN_SECONDS=1.0)
def test_what_was_asked_for_again_goes_on_in_the_next_run(committed_cast: Cast) -> None:
    with smtp_server() as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=40, chunk=40, rate_per_second=20)
        stage.run()
        assert 0 < len(server.mails) < 40
        withdraw(stage, 40)
        stage.set_account(rate_per_second=None)
        stage.run()
    assert server.recipients() == {f"person{n}@example.net": 1 for n in range(1, 40)}
    assert stage.states() == {"sent": 39, "skipped": 1}
    assert stage.dispatch().state == DispatchState.COMPLETED


def test_a_sender_without_a_limit_asks_nobody_twice(committed_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    read_again = Ledger.read_again

    def counted(ledger: Ledger, chunk_ids: Sequence[int], delivery_ids: Sequence[int]) -> list[Row]:
        asked.append(len(delivery_ids))
        return read_again(ledger, chunk_ids, delivery_ids)

    monkeypatch.setattr(Ledger, "read_again", counted)
    with smtp_server() as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=300)
        stage.run()
    assert (stage.states(), asked) == ({"sent": 300}, [])


def test_what_another_worker_holds_by_now_is_neither_read_nor_readdressed(committed_cast: Cast) -> None:
    stage = set_stage(committed_cast.saffron.pk, 1, people=5)
    ledger, other = (Ledger(stage.organization_id, stage.dispatch_id, str(uuid.uuid4()), 30.0) for _ in range(2))
    claimed = ledger.claim_chunk()
    assert claimed is not None
    chunk, rows = claimed
    ids = [row.delivery_id for row in rows]
    ledger.write_sent([(ids[0], 1.0)])
    assert [row.delivery_id for row in ledger.read_again([chunk.id], ids)] == ids[1:]
    stage.end_leases()
    assert other.claim_chunk() is not None
    move(stage, 5, "new5@example.net")
    with pytest.raises(LeaseLostError):
        ledger.read_again([chunk.id], ids)
    assert stage.delivery(5).state == "planned"
    assert [row.address for row in other.read_again([chunk.id], ids[-1:])] == ["new5@example.net"]


def test_a_retry_is_asked_for_again_like_a_first_attempt(committed_cast: Cast) -> None:
    stage = set_stage(committed_cast.saffron.pk, 1, people=3)
    with tenant(stage.organization_id):
        Delivery.objects.update(state="retrying", attempts=1, next_attempt_at=None)
    ledger = Ledger(stage.organization_id, stage.dispatch_id, str(uuid.uuid4()), 30.0)
    claimed = ledger.claim_chunk()
    assert claimed is not None
    withdraw(stage, 2)
    ids = [stage.delivery(person).pk for person in (1, 2, 3)]
    assert [(row.delivery_id, row.attempts, row.reason) for row in ledger.read_again([claimed[0].id], ids)] == [
        (ids[0], 1, ""), (ids[1], 1, "withdrawn"), (ids[2], 1, ""),
    ]  # fmt: skip
