"""Celery's entry points of messaging. The database is the truth: a task only says "look", and may be said twice."""

from __future__ import annotations

import gc
import logging
from datetime import datetime, timedelta

from celery import shared_task
from celery.signals import worker_process_init, worker_shutting_down
from django.conf import settings
from django.db import OperationalError
from django.utils import timezone

from accounts.queries import organization_ids
from accounts.sweeps import going_on
from accounts.tenancy import tenant
from messaging.sending.ending import clear_rests
from messaging.sending.run import Ended, send_dispatch
from messaging.sending.shutdown import ask_to_stop
from messaging.sending.sweeping import dispatches_to_ring
from messaging.tracking.folding import fold_hits
from messaging.tracking.retention import forget_hits

logger = logging.getLogger(__name__)
GRACE_SECONDS = 360.0  # longer than a server may take for its receipt


def ring(organization_id: int, dispatch_id: int, *, workers: int | None = None) -> None:
    """Ask workers to look at a dispatch; call it after the commit that gave them something to do.

    A broker that is away is no failure: the sweep rings again.
    """
    try:
        for _ in range(settings.SENDING_WORKERS if workers is None else workers):
            work_on_dispatch.apply_async((organization_id, dispatch_id), retry=False)
    except work_on_dispatch.OperationalError as error:
        logger.warning("the broker is away, the sweep will ring for dispatch %s: %s", dispatch_id, error)


@shared_task(soft_time_limit=settings.SENDING_RUN_SECONDS + GRACE_SECONDS, time_limit=settings.SENDING_RUN_SECONDS + 2 * GRACE_SECONDS)
def work_on_dispatch(organization_id: int, dispatch_id: int) -> None:
    """Send, or clear what a cancelled or failed dispatch left."""
    result = send_dispatch(organization_id=organization_id, dispatch_id=dispatch_id, clock=timezone.now)
    if result.ended is Ended.MORE:
        ring(organization_id, dispatch_id, workers=1)
    elif result.ended is Ended.STOPPED:
        clear_rests(organization_id=organization_id, dispatch_id=dispatch_id)
    for released in result.released:
        ring(organization_id, released)


@shared_task(soft_time_limit=60, time_limit=120)
def sweep_dispatches() -> None:
    """Ring for every dispatch with work that nobody is doing: due retries, lost leases, a lost broker."""
    now = timezone.now()
    for organization_id in organization_ids():
        with going_on(organization_id):
            for dispatch_id in dispatches_to_ring(organization_id=organization_id, now=now):
                ring(organization_id, dispatch_id, workers=1)


@worker_process_init.connect
def spare_the_collector(**_about: object) -> None:
    """What is loaded by now stays: the garbage collector need not walk through it again for every thousand messages."""
    gc.freeze()


@worker_shutting_down.connect
def let_senders_stop(**_about: object) -> None:
    """A worker that is told to end does not leave messages in doubt: its senders finish what is on the wire."""
    ask_to_stop()


FOLD_EVERY = timedelta(seconds=3)
FOLD_BATCHES = 50  # of one organization in one round, so that no other waits long


@shared_task(soft_time_limit=60, time_limit=120)
def fold_tracking() -> None:
    """Draw the conclusions from the opens and clicks that came in, for every organization."""
    now = timezone.now()
    for organization_id in organization_ids():
        with going_on(organization_id):
            try:
                _fold_all(organization_id, now)
            except OperationalError as error:
                # The sender is writing one of these deliveries right now; the next round takes them.
                logger.info("hits of organization %s wait for the next round: %s", organization_id, error)


def _fold_all(organization_id: int, now: datetime) -> None:
    for _ in range(FOLD_BATCHES):
        with tenant(organization_id):
            if not fold_hits(now=now):
                return


@shared_task(soft_time_limit=1800, time_limit=2000)
def forget_tracking() -> None:
    """Delete opens and clicks that are older than they are kept."""
    now = timezone.now()
    for organization_id in organization_ids():
        with going_on(organization_id):
            forgotten = 1
            while forgotten:
                with tenant(organization_id):
                    forgotten = forget_hits(now=now)
