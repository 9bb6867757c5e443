"""The bell, the sweep, and real workers that start, share and end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connections
from django.utils import timezone

from accounts.tenancy import tenant
from config.processes import celery
from messaging import tasks
from messaging.models import DispatchState
from messaging.sending.control import pause_dispatch
from tests.conftest import Cast
from tests.messaging.sending_stage import Stage, set_stage
from tests.smtp_server import Script, smtp_server
from tests.waiting import wait_until


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Every call to a worker, instead of the call."""
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(tasks.work_on_dispatch, "apply_async", lambda args, **_: calls.append(args))
    return calls


def test_a_broker_that_is_away_is_no_failure(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise tasks.work_on_dispatch.OperationalError("connection refused")

    monkeypatch.setattr(tasks.work_on_dispatch, "apply_async", away)
    tasks.ring(1, 2)
    assert "the broker is away, the sweep will ring for dispatch 2" in caplog.text


def test_the_sweep_rings_for_work_that_nobody_does(committed_cast: Cast, rung: list[tuple[int, int]]) -> None:
    stage = set_stage(committed_cast.saffron.pk, 1, people=10, chunk=5)
    tasks.sweep_dispatches()
    assert rung == [(stage.organization_id, stage.dispatch_id)]


def test_the_sweep_is_silent_about_paused_finished_and_busy_dispatches(committed_cast: Cast, rung: list[tuple[int, int]]) -> None:
    with smtp_server() as server:
        finished = set_stage(committed_cast.saffron.pk, server.port, people=2)
        finished.run()
    paused = set_stage(committed_cast.saffron.pk, 1, people=2, first_person=10)
    with tenant(paused.organization_id):
        pause_dispatch(dispatch_id=paused.dispatch_id, actor=committed_cast.alice_acts, now=timezone.now())
    busy = set_stage(committed_cast.rival.pk, 1, people=2)
    with tenant(busy.organization_id):
        for chunk in busy.open_chunks():
            chunk.lease, chunk.leased_until = uuid.uuid4(), timezone.now() + timedelta(minutes=1)
            chunk.save(update_fields=["lease", "leased_until"])
    tasks.sweep_dispatches()
    assert rung == []


def test_the_sweep_completes_what_a_lost_worker_did_not(committed_cast: Cast, rung: list[tuple[int, int]]) -> None:
    with smtp_server() as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=2)
        stage.run()
    with tenant(stage.organization_id):
        type(stage.dispatch()).objects.filter(pk=stage.dispatch_id).update(state=DispatchState.RUNNING, completed_at=None)
    tasks.sweep_dispatches()
    assert rung == []
    assert stage.dispatch().state == DispatchState.COMPLETED


def test_a_run_that_frees_a_sender_rings_for_those_who_waited(committed_cast: Cast, rung: list[tuple[int, int]]) -> None:
    with smtp_server() as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=2)
        other = set_stage(committed_cast.saffron.pk, server.port, people=2, first_person=10)
        with tenant(other.organization_id):
            type(other.dispatch()).objects.filter(pk=other.dispatch_id).update(state="paused", waits_for_account=True)
        stage.set_account(failure_count=1, failure="it was away")
        tasks.work_on_dispatch(stage.organization_id, stage.dispatch_id)
    assert stage.states() == {"sent": 2}
    assert rung == [(other.organization_id, other.dispatch_id)] * settings.SENDING_WORKERS
    assert other.dispatch().state == DispatchState.RUNNING


@contextmanager
def celery_worker(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real worker on this test's database and on a queue of its own."""
    ready = folder / "ready"
    environment = {
        **os.environ,
        "EMBEDDED_DATABASE": str(connections["default"].settings_dict["NAME"]),
        "WORKER_READY_FILE": str(ready),
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    command = celery("worker", "--concurrency", "1", "--queues", queue_name())
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--without-gossip", "--without-mingle"], cwd=settings.BASE_DIR, env=environment, stdout=log, stderr=log
        )
    try:
        wait_until(lambda: ready.exists() or process.poll() is not None, "the worker was not ready in a minute")
        assert process.poll() is None, (folder / "worker.log").read_text()
        yield process
    finally:
        process.kill()
        process.wait()


def queue_name() -> str:
    return f"test-{connections['default'].settings_dict['NAME']}"


def ring_here(stage: Stage) -> None:
    tasks.work_on_dispatch.apply_async((stage.organization_id, stage.dispatch_id), queue=queue_name())


def test_a_real_worker_sends_and_ends_in_order_when_asked(committed_cast: Cast, tmp_path: Path) -> None:
    with smtp_server(Script(body_delay=0.05)) as server, celery_worker(tmp_path) as worker:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=3_000, chunk=500)
        ring_here(stage)
        wait_until(lambda: len(server.mails) >= 50, "no mail came", seconds=20)
        worker.send_signal(signal.SIGTERM)
        asked = time.monotonic()
        worker.wait(20)
        assert time.monotonic() - asked < 10
        sent = len(server.mails)
    assert sent < 3_000
    assert stage.states() == {"sent": sent, "planned": 3_000 - sent}, "a worker that is asked to end leaves nothing in doubt"
    assert {chunk.lease for chunk in stage.open_chunks()} == {None}
    assert stage.dispatch().state == DispatchState.RUNNING
