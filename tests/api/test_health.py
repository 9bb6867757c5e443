"""Health for load balancers and monitors."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from config.celery import app

QUEUES = len(app.amqp.queues)


def ready() -> tuple[int, dict[str, Any]]:
    response = Client().get("/health/ready")
    return response.status_code, response.json()


@pytest.fixture
def beating(db: None) -> PeriodicTask:
    every = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.MINUTES)
    return PeriodicTask.objects.create(name="look", task="look", interval=every, last_run_at=timezone.now())


def test_a_process_that_answers_is_alive() -> None:
    response = Client().get("/health/live")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert "no-store" in response["Cache-Control"]


def test_probes_come_by_a_machines_address_and_nothing_else_does(settings: Any, db: None) -> None:
    settings.ALLOWED_HOSTS = ["crm.example.com"]
    paths = ("/health/live", "/health/ready", "/password/forgotten/")
    assert [Client().get(path, headers={"Host": "10.0.0.5:8000"}).status_code for path in paths] == [200, 200, 400]


def test_everything_is_there(beating: PeriodicTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.health.Redis.llen", lambda self, queue: 3)
    status, body = ready()
    assert status == 200
    assert {name: check["status"] for name, check in body["checks"].items()} == {
        "database": "ok", "valkey": "ok", "queue": "ok", "beat": "ok",
    }  # fmt: skip
    assert (body["status"], body["checks"]["queue"]["value"]) == ("ok", 3 * QUEUES)


def test_a_silent_beat_is_told(beating: PeriodicTask) -> None:
    PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(minutes=11))
    status, body = ready()
    assert (status, body["status"], body["checks"]["beat"]["status"]) == (200, "degraded", "degraded")
    PeriodicTask.objects.all().delete()
    assert ready()[1]["checks"]["beat"]["detail"] == "The beat has never run."


def test_a_long_queue_is_told(beating: PeriodicTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.health.Redis.llen", lambda self, queue: 10_001)
    status, body = ready()
    assert (status, body["checks"]["queue"]["status"], body["checks"]["queue"]["value"]) == (200, "degraded", 10_001 * QUEUES)


def test_without_valkey_it_is_not_ready(beating: PeriodicTask, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    status, body = ready()
    assert (status, body["status"], body["checks"]["valkey"]["status"], body["checks"]["database"]["status"]) == (
        503,
        "failing",
        "failing",
        "ok",
    )
    assert body["checks"]["valkey"]["detail"] == "Valkey cannot be reached."
    assert "127.0.0.1" not in str(body), "everybody may ask, and learns of no machine"


def test_without_its_database_it_is_not_ready(beating: PeriodicTask, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_args: Any) -> None:
        raise OperationalError

    with monkeypatch.context() as outage:
        outage.setattr("django.db.backends.utils.CursorWrapper.execute", away)
        status, body = ready()
    assert (status, body["status"], body["checks"]["database"]["status"]) == (503, "failing", "failing")
