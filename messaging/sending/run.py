"""One run: open a dispatch's sender, message and store, send for a while, draw the consequences."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.db.models import Q
from django.utils.translation import gettext as _
from limits.storage import Storage, storage_from_string

from accounts.audit import SYSTEM
from accounts.tenancy import tenant
from crm.events import ensure_months
from messaging.channels.base import Fate, LeaseLostError, Messenger, Report, UnsupportedFeatureError
from messaging.channels.registry import open_messenger
from messaging.content.headers import check_address
from messaging.content.problems import MessageRejectedError, RenderError
from messaging.models import Chunk, Delivery, DeliveryState, Dispatch, DispatchState
from messaging.sending.breaker import close_breaker, hold_dispatch, is_half_open, is_open, trip_breaker
from messaging.sending.composer import Composer
from messaging.sending.control import DispatchStateError, complete_dispatch, fail_dispatch, pause_dispatch
from messaging.sending.feeder import FeederLimits
from messaging.sending.ledger import Ledger
from messaging.sending.mailing import open_mailing
from messaging.sending.mark_log import MarkLog
from messaging.sending.pace import Pace
from messaging.sending.rules import RetryPlan
from messaging.sending.store import PostgresStore

logger = logging.getLogger(__name__)
TRIAL_SECONDS = 2.0
# What a later run may well find gone; the sweep rings for it.
_TRIED_AGAIN = (OperationalError, InterfaceError, SoftTimeLimitExceeded)
_CONNECTION_KEYS = ("dbname", "user", "password", "host", "port", "sslmode", "sslrootcert", "options")


class Ended(Enum):
    """How a run ended, and so what comes next."""

    IDLE = auto()  # nothing to do, or others do it
    MORE = auto()  # the time was up, or a trial went well: ring again
    HELD = auto()  # the sender has trouble
    STOPPED = auto()  # paused, cancelled, failed or completed


class SenderUnfitError(Exception):
    """Nothing can be sent through the sender until somebody has looked at it; the message is for people."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run did; `released` are other dispatches that may go on since the sender works again."""

    ended: Ended
    report: Report | None = None
    released: tuple[int, ...] = ()


def send_dispatch(*, organization_id: int, dispatch_id: int, clock: Callable[[], datetime]) -> RunResult:
    """Send chunks of a dispatch until there are none, the time is up, or something stops it.

    What nobody foresaw pauses the dispatch and is told on its page: rung for again it would only happen again.
    """
    with tenant(organization_id):
        dispatch = Dispatch.objects.select_related("account", "version").get(pk=dispatch_id)
        if dispatch.state != DispatchState.RUNNING:
            return RunResult(Ended.STOPPED)
        account, now = dispatch.account, clock()
        ensure_months([now, now + timedelta(days=1)])  # for what bounces at the door
        if is_open(account, now):
            hold_dispatch(dispatch_id=dispatch_id, account=account, now=now)
            return RunResult(Ended.HELD)
        is_trial = is_half_open(account, now)
        try:
            composer, messenger = _opened(dispatch, is_trial=is_trial, clock=clock)
        except (MessageRejectedError, UnsupportedFeatureError) as error:
            fail_dispatch(dispatch_id=dispatch_id, reason=str(error), now=now)
            return RunResult(Ended.STOPPED)
        except SenderUnfitError as error:
            return _pause(dispatch_id, str(error), now)
    if not connection.in_atomic_block:
        connection.close()  # a run takes long enough for PostgreSQL to go and come back; the end wants a sound one
    try:
        report = _run(organization_id, dispatch, composer, messenger, is_trial=is_trial)
    except _TRIED_AGAIN:
        raise
    except Exception as error:
        logger.exception("dispatch %s stopped", dispatch_id)
        with tenant(organization_id):
            return _pause(
                dispatch_id, _("Sending stopped at an error, which is in the log: %(error)s") % {"error": type(error).__name__}, clock()
            )
    return _conclude(organization_id, dispatch, report, clock())


def _opened(dispatch: Dispatch, *, is_trial: bool, clock: Callable[[], datetime]) -> tuple[Composer, Messenger]:
    """The message, compiled, and the sender, ready.

    Raises:
        MessageRejectedError, UnsupportedFeatureError: it can never be sent like this.
        SenderUnfitError: the sender has to be looked at first.
    """
    account = dispatch.account
    if not account.is_active:
        raise SenderUnfitError(_("The sender “%(name)s” is switched off.") % {"name": account})
    try:
        for address in {account.from_email, account.reply_to or account.from_email}:
            check_address(address)  # a bad one is the sender's trouble and not the message's
        return open_mailing(dispatch, clock=clock), open_messenger(account, is_trial=is_trial)
    except (MessageRejectedError, UnsupportedFeatureError):
        raise
    except RenderError as error:
        failure = error.detail
    except ValueError as error:  # credentials that no key of ours opens
        failure = str(error)
    raise SenderUnfitError(_("The sender “%(name)s” has trouble: %(failure)s") % {"name": account, "failure": failure})


def _pause(dispatch_id: int, reason: str, now: datetime) -> RunResult:
    with suppress(DispatchStateError):  # somebody else has stopped it meanwhile
        pause_dispatch(dispatch_id=dispatch_id, actor=SYSTEM, now=now, reason=reason)
    return RunResult(Ended.HELD)


def _run(organization_id: int, dispatch: Dispatch, composer: Composer, messenger: Messenger, *, is_trial: bool) -> Report | None:
    """Let the messenger work on the store; None if the lease was lost on the way."""
    lease, seconds = str(uuid.uuid4()), settings.SENDING_LEASE_SECONDS
    account = dispatch.account
    limits = FeederLimits(
        run_seconds=TRIAL_SECONDS if is_trial else settings.SENDING_RUN_SECONDS,
        ask_again_seconds=settings.SENDING_ASK_AGAIN_SECONDS,
    )
    store = PostgresStore(
        ledger=Ledger(organization_id, dispatch.pk, lease, seconds),
        composer=composer,
        pace=Pace(f"sender:{organization_id}:{account.pk}", account.rate_per_second, open_storage=rate_storage),
        log=MarkLog(connection_parameters(), organization_id=organization_id, lease=lease, lease_seconds=seconds),
        limits=limits,
        retries=RetryPlan(first_seconds=settings.SENDING_RETRY_SECONDS, attempts=settings.SENDING_ATTEMPTS),
    )
    try:
        try:
            return messenger.run(store)
        finally:
            store.close()
    except LeaseLostError as error:
        logger.warning("dispatch %s: %s", dispatch.pk, error)
        return None


def _conclude(organization_id: int, dispatch: Dispatch, report: Report | None, now: datetime) -> RunResult:
    """Draw the consequences: the breaker, completion, and whether to ring again."""
    with tenant(organization_id):
        if report is not None and report.trouble is not None:
            trip_breaker(dispatch_id=dispatch.pk, trouble=report.trouble, now=now)
            return RunResult(Ended.HELD, report)
        released: list[int] = []
        if report is not None and report.fates[Fate.SENT]:
            released = close_breaker(account_id=dispatch.account_id)
        if complete_dispatch(dispatch_id=dispatch.pk, now=now):
            return RunResult(Ended.STOPPED, report, tuple(released))
        state = Dispatch.objects.values_list("state", flat=True).get(pk=dispatch.pk)
        if state != DispatchState.RUNNING:
            return RunResult(Ended.STOPPED, report, tuple(released))
        # Without a fate in this run what looks like work is not to be had yet: the sweep looks again later.
        has_worked = report is not None and any(report.fates.values())
        ended = Ended.MORE if has_worked and has_work(dispatch.pk, now) else Ended.IDLE
        return RunResult(ended, report, tuple(released))


def has_work(dispatch_id: int, now: datetime) -> bool:
    """Tell whether a worker could send something of this dispatch now."""
    free = Q(lease=None) | Q(leased_until__lt=now)
    if Chunk.objects.filter(free, dispatch_id=dispatch_id, finished_at=None).exists():
        return True
    due = Delivery.objects.filter(dispatch_id=dispatch_id, next_attempt_at__lte=now, state=DeliveryState.RETRYING)
    return due.exists()


def rate_storage() -> Storage:
    """Open the counters that all workers share."""
    address = settings.REDIS_URL
    if address.startswith("unix://"):
        address = f"redis+{address}"
    return storage_from_string(address, socket_timeout=1, socket_connect_timeout=1)  # type: ignore[return-value]


def connection_parameters() -> dict[str, Any]:
    """What a connection of our own (the mark log) is opened with."""
    parameters = connection.get_connection_params()
    return {key: parameters[key] for key in _CONNECTION_KEYS if parameters.get(key)}
