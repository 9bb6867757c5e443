"""Whether the product works: for load balancers, monitors and ``manage.py``."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Max
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_celery_beat.models import PeriodicTask
from redis import Redis
from redis.exceptions import RedisError

from config.celery import app
from config.outages import broker_outage, database_outage

SOCKET_SECONDS = 2
QUEUE_LIMIT = 10_000
# Beat writes down when it ran a task every three minutes.
BEAT_LIMIT = timedelta(minutes=10)


class Health(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; ``detail`` is for people, ``value`` for graphs.

    ``outage`` names the machine that was tried, for administrators alone: everybody may ask for the health.
    """

    name: str
    health: Health
    detail: str = ""
    value: float | None = None
    milliseconds: float = 0.0
    outage: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All checks; as healthy as the worst of them."""

    checks: tuple[Check, ...]

    @property
    def health(self) -> Health:
        found = {check.health for check in self.checks}
        return next((health for health in (Health.FAILING, Health.DEGRADED) if health in found), Health.OK)


def health_report(now: datetime) -> Report:
    """Look at the database, the broker, its queue and the beat.

    Without the first two nothing works. A long queue or a silent beat is told, but answers still go out.
    """
    return Report(tuple(_timed(look, now) for look in (_database, _valkey, _queue, _beat)))


def _timed(look: Callable[[datetime], Check], now: datetime) -> Check:
    started = time.perf_counter()
    check = look(now)
    taken = round((time.perf_counter() - started) * 1_000, 1)
    return replace(check, milliseconds=taken)


def _database(now: datetime) -> Check:
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    except DatabaseError as error:
        return Check("database", Health.FAILING, "PostgreSQL cannot be reached.", outage=database_outage(str(error)))
    return Check("database", Health.OK)


def _valkey(now: datetime) -> Check:
    try:
        with _broker() as broker:
            broker.ping()
    except (RedisError, OSError) as error:
        return Check("valkey", Health.FAILING, "Valkey cannot be reached.", outage=broker_outage(str(error)))
    return Check("valkey", Health.OK)


def _queue(now: datetime) -> Check:
    try:
        with _broker() as broker:
            waiting = sum(int(broker.llen(queue)) for queue in app.amqp.queues)
    except (RedisError, OSError):
        return Check("queue", Health.DEGRADED, "The queue cannot be seen.")
    health = Health.OK if waiting <= QUEUE_LIMIT else Health.DEGRADED
    return Check("queue", health, f"{waiting} tasks wait.", waiting)


def _beat(now: datetime) -> Check:
    try:
        last = PeriodicTask.objects.filter(enabled=True).aggregate(last=Max("last_run_at"))["last"]
    except DatabaseError:
        return Check("beat", Health.DEGRADED, "The schedule cannot be read.")
    if last is None:
        return Check("beat", Health.DEGRADED, "The beat has never run.")
    age = (now - last).total_seconds()
    health = Health.OK if age <= BEAT_LIMIT.total_seconds() else Health.DEGRADED
    return Check("beat", health, f"The beat ran a task {age:.0f} s ago.", round(age))


def _broker() -> Redis:
    return Redis.from_url(settings.REDIS_URL, socket_timeout=SOCKET_SECONDS, socket_connect_timeout=SOCKET_SECONDS)


@never_cache
@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """The process answers; it is not asked for anything else."""
    return JsonResponse({"status": Health.OK})


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Whether requests should be sent here: 503 while something is missing without which nothing works."""
    report = health_report(timezone.now())
    checks = {
        check.name: {"status": check.health, "detail": check.detail, "value": check.value, "milliseconds": check.milliseconds}
        for check in report.checks
    }
    return JsonResponse({"status": report.health, "checks": checks}, status=503 if report.health == Health.FAILING else 200)


class HealthFirstMiddleware:
    """Answers probes before anything asks for the host: they come by a machine's address, which is no allowed host."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._probes = {reverse("health-live"): live, reverse("health-ready"): ready}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._probes.get(request.path_info, self._get_response)(request)
