"""The circuit breaker: trouble pauses with a reason, a trial after the cooldown decides, everything goes on by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.tenancy import tenant
from messaging.channels.base import Trouble
from messaging.models import DispatchState
from messaging.sending.breaker import begin_trial, cooldown, trip_breaker
from messaging.sending.control import resume_dispatch
from messaging.sending.run import Ended
from messaging.sending.sweeping import dispatches_to_ring
from tests.conftest import Cast
from tests.messaging.sending_stage import Stage, set_stage
from tests.smtp_server import Script, smtp_server

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def port_of_nobody() -> int:
    with smtp_server() as server:
        return server.port


def options(port: int) -> dict[str, object]:
    return {"host": "127.0.0.1", "port": port, "security": "none", "hello_name": "shop.example", "failures_until_trouble": 2}


def test_cooldown_doubles_up_to_an_hour() -> None:
    assert [cooldown(count) for count in (1, 2, 3, 7, 99)] == [
        timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4), timedelta(hours=1), timedelta(hours=1),
    ]  # fmt: skip


@pytest.fixture
def broken(committed_cast: Cast) -> Stage:
    """A dispatch whose server is not there, after its first run."""
    port = port_of_nobody()
    stage = set_stage(committed_cast.saffron.pk, port, people=30, options=options(port))
    assert stage.run().ended is Ended.HELD
    return stage


def test_a_server_that_is_away_pauses_the_dispatch_and_says_why(broken: Stage) -> None:
    dispatch, account = broken.dispatch(), broken.account()
    assert dispatch.state == DispatchState.PAUSED
    assert dispatch.waits_for_account
    assert dispatch.state_reason.startswith("The sender “Post office” has trouble: ")
    assert "could not connect" in dispatch.state_reason
    assert account.failure_count == 1
    assert account.open_until is not None
    assert 50 < (account.open_until - timezone.now()).total_seconds() <= 60
    assert broken.states() == {"planned": 30}
    assert [chunk.lease for chunk in broken.open_chunks()] == [None]
    with tenant(broken.organization_id):
        assert AuditEntry.objects.filter(action="dispatch.held").count() == 1


def test_while_open_nothing_is_tried(broken: Stage) -> None:
    assert dispatches_to_ring(organization_id=broken.organization_id, now=timezone.now()) == []
    other = set_stage(broken.organization_id, 1, people=3, first_person=100, options=options(1))
    assert other.run().ended is Ended.HELD
    assert other.dispatch().state == DispatchState.PAUSED
    assert broken.account().failure_count == 1, "it was not even tried"


def test_after_the_cooldown_one_trial_heals_everything(broken: Stage) -> None:
    other = set_stage(broken.organization_id, 1, people=3, first_person=100, options=options(1))
    other.run()
    later = timezone.now() + timedelta(minutes=2)
    assert dispatches_to_ring(organization_id=broken.organization_id, now=later) == [broken.dispatch_id]
    assert other.dispatch().state == DispatchState.PAUSED, "one trial at a time"
    with smtp_server() as server:
        broken.set_account(options=options(server.port))
        result = broken.at(later).run()
        assert server.most_open == 1, "a trial is small"
        assert result.released == (other.dispatch_id,)
        other.run()
    assert broken.account().failure_count == 0
    assert broken.account().failure == ""
    assert broken.states() == {"sent": 30}
    assert other.states() == {"sent": 3}


def test_a_failed_trial_waits_longer(broken: Stage) -> None:
    later = timezone.now() + timedelta(minutes=2)
    assert dispatches_to_ring(organization_id=broken.organization_id, now=later) == [broken.dispatch_id]
    assert broken.at(later).run().ended is Ended.HELD
    account = broken.account()
    assert account.failure_count == 2
    assert account.open_until is not None
    assert timedelta(seconds=110) < account.open_until - later <= timedelta(seconds=125)
    assert broken.dispatch().state == DispatchState.PAUSED


def test_resuming_by_hand_tries_at_once(broken: Stage, committed_cast: Cast) -> None:
    with smtp_server() as server:
        broken.set_account(options=options(server.port))
        with tenant(broken.organization_id):
            resume_dispatch(dispatch_id=broken.dispatch_id, actor=committed_cast.alice_acts, now=timezone.now())
        broken.run()
    assert broken.states() == {"sent": 30}
    assert broken.dispatch().state == DispatchState.COMPLETED


def test_a_refused_login_waits_for_a_person(committed_cast: Cast) -> None:
    script = Script(greeting=lambda number: "220 ok", extensions=["AUTH PLAIN"], login=("shop", "right"))
    with smtp_server(script) as server:
        stage = set_stage(
            committed_cast.saffron.pk, server.port, people=5, options=options(server.port),
            credentials={"username": "shop", "password": "wrong"},
        )  # fmt: skip
        assert stage.run().ended is Ended.HELD
        assert server.connections == 1
    dispatch = stage.dispatch()
    assert (dispatch.state, dispatch.waits_for_account) == (DispatchState.PAUSED, False)
    assert "server refused the login: 535" in dispatch.state_reason
    assert "wrong" not in dispatch.state_reason.lower().replace("wrong password", "")
    assert dispatches_to_ring(organization_id=stage.organization_id, now=timezone.now() + timedelta(days=1)) == []


def test_many_refusals_in_a_row_pause_and_are_tried_again_later(committed_cast: Cast) -> None:
    script = Script(on_rcpt=lambda recipient: "451 4.7.1 Rate exceeded")
    with smtp_server(script) as server:
        values = options(server.port) | {"refusals_until_trouble": 10}
        stage = set_stage(committed_cast.saffron.pk, server.port, people=100, options=values)
        assert stage.run().ended is Ended.HELD
    states = stage.states()
    assert 10 <= states["retrying"] <= 20
    assert states["planned"] == 100 - states["retrying"]
    assert "4.7.1 Rate exceeded" in stage.dispatch().state_reason


def test_two_workers_in_the_same_trouble_count_it_once(broken: Stage) -> None:
    with tenant(broken.organization_id):
        trip_breaker(dispatch_id=broken.dispatch_id, trouble=Trouble("again"), now=timezone.now())
        assert begin_trial(account_id=broken.account_id, now=timezone.now()) is None
    assert broken.account().failure_count == 1
