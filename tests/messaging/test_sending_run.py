"""Running a dispatch: every delivery gets its fate, once, and the dispatch ends when all have one."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import override_settings
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.tenancy import tenant
from crm.models import CustomerFacts, Event
from messaging import variables
from messaging.models import Delivery, DeliveryState, DispatchState, FateReason, Suppression
from messaging.sending.control import DispatchStateError, cancel_dispatch, pause_dispatch, resume_dispatch
from messaging.sending.ending import clear_rests
from messaging.sending.run import Ended, RunResult
from messaging.sending.sweeping import dispatches_to_ring
from messaging.variables import Loading, Namespace, Variable
from tests.conftest import Cast
from tests.messaging.sending_stage import Stage, set_stage
from tests.smtp_server import DROP, Script, smtp_server
from tests.waiting import wait_until


def test_everybody_gets_their_own_message_once(committed_cast: Cast) -> None:
    with smtp_server() as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=350)
        result = stage.run()
    assert result.ended is Ended.STOPPED
    assert server.recipients() == {f"person{n}@example.net": 1 for n in range(1, 351)}
    by_recipient = {mail.recipient: mail.body for mail in server.mails}
    assert b"Dear Person7<" in by_recipient["person7@example.net"]
    assert b"Person7" not in by_recipient["person8@example.net"]
    assert {mail.sender for mail in server.mails} == {"shop@example.com"}
    assert stage.states() == {"sent": 350}
    assert stage.counts() == (350, 0, 0)
    assert stage.open_chunks() == []
    delivery = stage.delivery(1)
    assert (delivery.attempts, delivery.reason, delivery.detail) == (1, "", "")
    assert delivery.sent_at is not None


def test_a_dispatch_whose_deliveries_are_all_final_is_completed(committed_cast: Cast) -> None:
    with smtp_server() as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=5)
        stage.run()
    dispatch = stage.dispatch()
    assert dispatch.state == DispatchState.COMPLETED
    assert dispatch.completed_at is not None
    with tenant(stage.organization_id):
        assert AuditEntry.objects.filter(action="dispatch.completed", subject_id=dispatch.pk).count() == 1
        assert Event.objects.get(kind="dispatch.completed").properties == {"dispatch_id": dispatch.pk}


def test_running_again_does_nothing(committed_cast: Cast) -> None:
    with smtp_server() as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=5)
        stage.run()
        assert stage.run() == RunResult(Ended.STOPPED)
    assert len(server.mails) == 5


def test_skipped_people_in_the_range_get_nothing(committed_cast: Cast) -> None:
    with smtp_server() as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=20)
        with tenant(stage.organization_id):
            skipped = Delivery.objects.filter(address__in=["person3@example.net", "person20@example.net"])
            skipped.update(state=DeliveryState.SKIPPED, reason="no_consent")
        stage.run()
    assert stage.states() == {"sent": 18, "skipped": 2}
    assert "person3@example.net" not in server.recipients()


def test_dead_addresses_are_never_written_to_again(committed_cast: Cast) -> None:
    script = Script(on_rcpt=lambda recipient: "550 5.1.1 No such user" if recipient == "person3@example.net" else None)
    with smtp_server(script) as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=10)
        stage.run()
    delivery = stage.delivery(3)
    assert (delivery.state, delivery.reason) == (DeliveryState.BOUNCED, FateReason.NO_SUCH_ADDRESS)
    assert delivery.detail == "550 5.1.1 No such user"
    assert delivery.bounced_at is not None
    assert stage.counts() == (9, 1, 0)
    with tenant(stage.organization_id):
        assert [(row.channel, row.address, row.reason) for row in Suppression.objects.all()] == [("email", "person3@example.net", "bounce")]
        event = Event.objects.get(kind="message.bounced")
        about = {"delivery": delivery.pk, "dispatch": stage.dispatch_id, "permanent": True}
        assert (event.customer_id, event.source, event.properties) == (delivery.customer_id, "message", about)
        entry, suppression = AuditEntry.objects.get(action="suppression.created"), Suppression.objects.get()
        assert (entry.subject_type, entry.subject_id, entry.subject_label) == ("messaging.suppression", suppression.pk, str(suppression))
        assert (entry.actor_kind, entry.actor_label, entry.before) == ("system", "Regulars", None)
        assert entry.after == {"channel": "email", "address": "person3@example.net", "reason": "bounce"}


def test_a_message_refused_for_what_it_says_is_failed_but_the_address_lives(committed_cast: Cast) -> None:
    script = Script(on_body=lambda recipient: "554 5.7.1 Spam" if recipient == "person3@example.net" else None)
    with smtp_server(script) as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=10)
        stage.run()
    assert (stage.delivery(3).state, stage.delivery(3).reason) == (DeliveryState.FAILED, FateReason.REFUSED)
    with tenant(stage.organization_id):
        assert not Suppression.objects.exists()


def test_a_message_that_cannot_be_made_fails_alone(committed_cast: Cast) -> None:
    html = '{{ customer.city }} <a href="{{ unsubscribe_url }}">Unsubscribe</a>'
    with smtp_server() as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=3, html=html)
        with tenant(stage.organization_id), connection.cursor() as cursor:
            cursor.execute("update crm_customer set city = 'Yazd' where email <> 'person2@example.net'")
        stage.run()
    assert stage.states() == {"sent": 2, "failed": 1}
    assert stage.delivery(2).reason == FateReason.NOT_MADE
    assert "customer.city" in stage.delivery(2).detail or "city" in stage.delivery(2).detail
    assert stage.dispatch().state == DispatchState.COMPLETED


def test_a_lost_receipt_is_shown_and_not_repeated(committed_cast: Cast) -> None:
    script = Script(on_body=lambda recipient: DROP if recipient == "person3@example.net" else None)
    with smtp_server(script) as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=20)
        stage.run()
    assert stage.states() == {"sent": 19, "ambiguous": 1}
    assert (stage.delivery(3).reason, stage.delivery(3).attempts) == (FateReason.LINE_LOST, 1)
    assert stage.counts() == (19, 0, 1)
    assert set(server.recipients().values()) == {1}
    assert stage.dispatch().state == DispatchState.COMPLETED


@override_settings(SENDING_RETRY_SECONDS=60.0)
def test_a_greylisted_message_comes_again_later(committed_cast: Cast) -> None:
    grey = {"person3@example.net", "person4@example.net"}
    script = Script(on_rcpt=lambda recipient: "450 4.2.0 Greylisted" if recipient in grey else None)
    with smtp_server(script) as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=10)
        result = stage.run()
        assert result.ended is Ended.IDLE
        delivery = stage.delivery(3)
        assert (delivery.state, delivery.reason, delivery.attempts) == (DeliveryState.RETRYING, FateReason.TEMPORARY, 1)
        assert delivery.next_attempt_at is not None
        assert 40 < (delivery.next_attempt_at - timezone.now()).total_seconds() < 80
        assert stage.dispatch().state == DispatchState.RUNNING
        assert stage.run().ended is Ended.IDLE, "not due yet"
        grey.discard("person3@example.net")
        make_retries_due(stage)
        assert dispatches_to_ring(organization_id=stage.organization_id, now=timezone.now()) == [stage.dispatch_id]
        stage.run()
        assert stage.delivery(3).state == DeliveryState.SENT
        assert stage.delivery(3).attempts == 2
        again = stage.delivery(4)
        assert (again.state, again.attempts) == (DeliveryState.RETRYING, 2)
        assert again.next_attempt_at is not None
        assert 140 < (again.next_attempt_at - timezone.now()).total_seconds() < 220
        grey.clear()
        make_retries_due(stage)
        stage.run()
    assert stage.states() == {"sent": 10}
    assert stage.dispatch().state == DispatchState.COMPLETED
    assert set(server.recipients().values()) == {1}


@override_settings(SENDING_ATTEMPTS=2)
def test_retries_end_after_so_many_attempts(committed_cast: Cast) -> None:
    script = Script(on_rcpt=lambda recipient: "450 4.2.0 Greylisted" if recipient == "person1@example.net" else None)
    with smtp_server(script) as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=3)
        stage.run()
        make_retries_due(stage)
        stage.run()
    assert stage.states() == {"sent": 2, "failed": 1}
    assert (stage.delivery(1).reason, stage.delivery(1).attempts) == (FateReason.GAVE_UP, 2)
    assert stage.dispatch().state == DispatchState.COMPLETED
    assert stage.counts() == (2, 1, 0)


@override_settings(SENDING_RETRY_SECONDS=60.0)
def test_what_a_customer_got_is_counted_once(committed_cast: Cast) -> None:
    answers = {"person1@example.net": "550 5.1.1 No", "person2@example.net": "450 4.2.0 Greylisted"}
    with smtp_server(Script(on_rcpt=answers.get)) as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=4)
        stage.run()
        del answers["person2@example.net"]
        make_retries_due(stage)
        stage.run()
    with tenant(stage.organization_id):
        facts = {
            row.customer.email: (row.message_count, row.last_message_at == stage.delivery(int(row.customer.email[6])).sent_at)
            for row in CustomerFacts.objects.select_related("customer")
        }
    assert facts == {
        "person1@example.net": (0, True),
        "person2@example.net": (1, True),
        "person3@example.net": (1, True),
        "person4@example.net": (1, True),
    }


def make_retries_due(stage: Stage) -> None:
    with tenant(stage.organization_id):
        due = Delivery.objects.filter(next_attempt_at__isnull=False)
        due.update(next_attempt_at=timezone.now() - timedelta(seconds=1))


def in_background(stage: Stage) -> threading.Thread:
    def run() -> None:
        try:
            stage.run()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_pause_takes_effect_within_two_seconds_and_resume_sends_the_rest(committed_cast: Cast) -> None:
    with smtp_server(Script(body_delay=0.02)) as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=1000, chunk=400)
        thread = in_background(stage)
        wait_until(lambda: len(server.mails) >= 50, "no mail came", seconds=10)
        with tenant(stage.organization_id):
            pause_dispatch(dispatch_id=stage.dispatch_id, actor=committed_cast.alice_acts, now=timezone.now(), reason="Wrong price")
        paused = time.monotonic()
        thread.join(10)
        assert time.monotonic() - paused < 2.0
        sent = len(server.mails)
        assert 50 <= sent < 600
        assert stage.states() == {"sent": sent, "planned": 1000 - sent}
        assert stage.dispatch().state_reason == "Wrong price"
        assert stage.run() == RunResult(Ended.STOPPED)
        assert [chunk.lease for chunk in stage.open_chunks()] == [None] * len(stage.open_chunks())
        server.script.body_delay = 0
        with tenant(stage.organization_id):
            resume_dispatch(dispatch_id=stage.dispatch_id, actor=committed_cast.alice_acts, now=timezone.now())
        stage.run()
    assert stage.states() == {"sent": 1000}
    assert set(server.recipients().values()) == {1}
    assert stage.counts() == (1000, 0, 0)


def test_cancel_stops_for_good_and_says_so_of_everybody(committed_cast: Cast) -> None:
    with smtp_server(Script(body_delay=0.02)) as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=500, chunk=200)
        thread = in_background(stage)
        wait_until(lambda: len(server.mails) >= 50, "no mail came", seconds=10)
        with tenant(stage.organization_id):
            cancel_dispatch(dispatch_id=stage.dispatch_id, actor=committed_cast.alice_acts, now=timezone.now())
        thread.join(10)
        assert clear_rests(organization_id=stage.organization_id, dispatch_id=stage.dispatch_id)
    sent = len(server.mails)
    assert 50 <= sent < 500
    assert stage.states() == {"sent": sent, "cancelled": 500 - sent}
    assert stage.open_chunks() == []
    with tenant(stage.organization_id), pytest.raises(DispatchStateError):
        resume_dispatch(dispatch_id=stage.dispatch_id, actor=committed_cast.alice_acts, now=timezone.now())


def test_another_organization_cannot_touch_a_dispatch(committed_cast: Cast) -> None:
    with smtp_server() as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=3)
        foreign = Stage(committed_cast.rival.pk, stage.dispatch_id, stage.account_id)
        with pytest.raises(stage.dispatch().__class__.DoesNotExist):
            foreign.run()
    assert server.mails == []
    assert stage.states() == {"planned": 3}


def test_several_workers_share_a_dispatch_without_sending_twice(committed_cast: Cast) -> None:
    with smtp_server(Script(body_delay=0.002)) as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=1200, chunk=50)
        threads = [in_background(stage) for _ in range(3)]
        for thread in threads:
            thread.join(30)
    assert server.most_open > 4
    assert stage.states() == {"sent": 1200}
    assert set(server.recipients().values()) == {1}
    assert stage.dispatch().state == DispatchState.COMPLETED


@override_settings(SENDING_RUN_SECONDS=0.5)
def test_a_run_ends_when_its_time_is_up_and_asks_for_another(committed_cast: Cast) -> None:
    with smtp_server(Script(body_delay=0.02)) as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=600, chunk=300)
        started = time.monotonic()
        result = stage.run()
        assert time.monotonic() - started < 2
        assert result.ended is Ended.MORE
        assert 0 < len(server.mails) < 600
        server.script.body_delay = 0
        while stage.run().ended is Ended.MORE:
            pass
    assert stage.states() == {"sent": 600}
    assert set(server.recipients().values()) == {1}


def put_off(stage: Stage, *, person: int) -> None:
    """Let one message have been tried before, and wait for its next attempt."""
    again_at = timezone.now() + timedelta(minutes=5)
    with tenant(stage.organization_id):
        rows = Delivery.objects.filter(pk=stage.delivery(person).pk)
        rows.update(state=DeliveryState.RETRYING, attempts=1, next_attempt_at=again_at)


def test_a_template_that_cannot_be_compiled_fails_the_dispatch_and_every_message_with_the_reason(committed_cast: Cast) -> None:
    with smtp_server() as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=3, chunk=2, html="{% broken")
        put_off(stage, person=3)
        assert stage.run() == RunResult(Ended.STOPPED)
    dispatch = stage.dispatch()
    assert dispatch.state == DispatchState.FAILED
    assert dispatch.state_reason != ""
    assert stage.states() == {"failed": 3}
    assert stage.counts() == (0, 3, 0)
    assert stage.open_chunks() == []
    told = {(row.reason, row.detail, row.next_attempt_at) for row in map(stage.delivery, (1, 2, 3))}
    assert told == {(FateReason.ENDED, dispatch.state_reason, None)}
    assert dispatch.completed_at > datetime(2026, 1, 1, tzinfo=UTC)  # type: ignore[operator]


def test_a_sender_without_an_address_pauses_with_the_reason_until_it_has_one(committed_cast: Cast) -> None:
    with smtp_server() as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=3)
        stage.set_account(from_email="")
        assert stage.run() == RunResult(Ended.HELD)
        assert (stage.dispatch().state, stage.states(), server.mails) == (DispatchState.PAUSED, {"planned": 3}, [])
        assert stage.dispatch().state_reason == "The sender “Post office” has trouble: not an e-mail address: ''"
        stage.set_account(from_email="shop@example.com")
        with tenant(stage.organization_id):
            resume_dispatch(dispatch_id=stage.dispatch_id, actor=committed_cast.alice_acts, now=timezone.now())
        stage.run()
    assert stage.states() == {"sent": 3}


def test_credentials_that_no_key_opens_pause_with_the_reason(committed_cast: Cast) -> None:
    stage = set_stage(committed_cast.saffron.pk, 1, people=3)
    stage.set_account(credentials={"username": "shop", "password": "hush"})
    with override_settings(SECRET_KEY="another-key"):
        assert stage.run() == RunResult(Ended.HELD)
        assert stage.account().name == "Post office"
    assert (stage.dispatch().state, stage.states()) == (DispatchState.PAUSED, {"planned": 3})
    assert "encrypted with another SECRET_KEY" in stage.dispatch().state_reason


def test_a_sender_that_is_switched_off_sends_nothing_more(committed_cast: Cast) -> None:
    with smtp_server() as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=3)
        stage.set_account(is_active=False)
        assert stage.run() == RunResult(Ended.HELD)
    assert (stage.dispatch().state, stage.states(), server.mails) == (DispatchState.PAUSED, {"planned": 3}, [])
    assert stage.dispatch().state_reason == "The sender “Post office” is switched off."


def test_an_error_that_nobody_foresaw_pauses_instead_of_happening_again_and_again(
    committed_cast: Cast, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_loading: Loading) -> dict[int, dict[str, Any]]:
        raise ZeroDivisionError

    monkeypatch.setitem(variables._namespaces, "odd", Namespace("odd", "Odd", lambda: [Variable("one", "One", "1")], fail))
    with smtp_server() as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=3, html="<p>{{ odd.one }}</p>{{ footer }}")
        assert stage.run() == RunResult(Ended.HELD)
    assert (stage.dispatch().state, stage.states(), server.mails) == (DispatchState.PAUSED, {"planned": 3}, [])
    assert stage.dispatch().state_reason == "Sending stopped at an error, which is in the log: ZeroDivisionError"
    assert f"dispatch {stage.dispatch_id} stopped" in caplog.text
    with tenant(stage.organization_id):
        assert AuditEntry.objects.filter(action="dispatch.paused", subject_id=stage.dispatch_id).count() == 1


def test_a_chunk_whose_reading_was_cut_off_is_gone_on_with_in_the_same_run(committed_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    cuts = [OperationalError("the connection was lost")]

    def load(_loading: Loading) -> dict[int, dict[str, Any]]:
        if cuts:
            raise cuts.pop()
        return {}

    monkeypatch.setitem(variables._namespaces, "odd", Namespace("odd", "Odd", lambda: [Variable("one", "One", "1")], load))
    with smtp_server() as server:
        stage = set_stage(
            committed_cast.saffron.pk, server.port, people=20, chunk=10, html='<p>{{ odd.one | default("") }}</p>{{ footer }}'
        )
        assert stage.run().ended is Ended.STOPPED
    assert (stage.states(), len(server.mails)) == ({"sent": 20}, 20)
