"""The circuit breaker of a sender.

Closed while it works (no failures), open after trouble (`open_until` ahead), half-open afterwards (failures, and no
time ahead): what runs then is a small trial, whose end closes or opens it again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.audit import SYSTEM, record_audit
from messaging.channels.base import Trouble
from messaging.models import Dispatch, DispatchState, SenderAccount

FIRST_COOLDOWN = timedelta(minutes=1)
LONGEST_COOLDOWN = timedelta(hours=1)
LONGEST_REASON = 300


def cooldown(failure_count: int) -> timedelta:
    """Return how long the breaker stays open after this many failures in a row."""
    return min(LONGEST_COOLDOWN, FIRST_COOLDOWN * (1 << min(failure_count - 1, 10)))


def is_open(account: SenderAccount, now: datetime) -> bool:
    """Tell whether nothing may be sent through this sender now."""
    return account.open_until is not None and account.open_until > now


def is_half_open(account: SenderAccount, now: datetime) -> bool:
    """Tell whether a small trial may be sent, and no more."""
    return account.failure_count > 0 and not is_open(account, now)


@transaction.atomic
def trip_breaker(*, dispatch_id: int, trouble: Trouble, now: datetime) -> None:
    """Trouble stopped a run: open the sender's breaker and pause the dispatch with the reason.

    Trouble that waiting cannot heal (a refused login) pauses until somebody resumes by hand.
    """
    dispatch = Dispatch.objects.get(pk=dispatch_id)
    account = SenderAccount.objects.select_for_update().get(pk=dispatch.account_id)
    if not is_open(account, now):
        account.failure_count += 1
        account.open_until = None if trouble.permanent else now + cooldown(account.failure_count)
    account.failure = trouble.reason[:LONGEST_REASON]
    account.save(update_fields=["failure_count", "open_until", "failure"])
    hold_dispatch(dispatch_id=dispatch_id, account=account, now=now, waits=not trouble.permanent)


@transaction.atomic
def hold_dispatch(*, dispatch_id: int, account: SenderAccount, now: datetime, waits: bool = True) -> bool:
    """Pause a running dispatch on account of its sender; False if it was not running."""
    reason = _("The sender “%(name)s” has trouble: %(failure)s") % {"name": account.name, "failure": account.failure}
    held = Dispatch.objects.filter(pk=dispatch_id, state=DispatchState.RUNNING).update(
        state=DispatchState.PAUSED, state_reason=reason[:LONGEST_REASON], paused_at=now, waits_for_account=waits
    )
    if held:
        dispatch = Dispatch.objects.get(pk=dispatch_id)
        after = {"state": dispatch.state, "reason": dispatch.state_reason}
        record_audit(action="dispatch.held", subject=dispatch, actor=SYSTEM, before={"state": "running"}, after=after)
    return bool(held)


@transaction.atomic
def begin_trial(*, account_id: int, now: datetime) -> int | None:
    """When the cooldown is over, half-open: let one held dispatch run as a trial, and return its id."""
    account = SenderAccount.objects.select_for_update().get(pk=account_id)
    if is_open(account, now):
        return None
    dispatch = _held(account).first()
    if dispatch is None:
        return None
    account.open_until = None
    account.save(update_fields=["open_until"])
    return _let_go(dispatch)


@transaction.atomic
def close_breaker(*, account_id: int) -> list[int]:
    """The sender works again: forget its failures, let every held dispatch go on, return their ids."""
    account = SenderAccount.objects.select_for_update().get(pk=account_id)
    if account.failure_count == 0 and account.open_until is None:
        return []
    account.failure_count, account.open_until, account.failure = 0, None, ""
    account.save(update_fields=["failure_count", "open_until", "failure"])
    return [_let_go(dispatch) for dispatch in _held(account)]


def _held(account: SenderAccount) -> QuerySet[Dispatch]:
    # Whoever holds a row pauses it for good, resumes or cancels it; what still waits afterwards is the next trial.
    rows = Dispatch.objects.select_for_update(of=("self",), skip_locked=True)
    return rows.filter(account=account, state=DispatchState.PAUSED, waits_for_account=True).order_by("pk")


def _let_go(dispatch: Dispatch) -> int:
    before = {"state": dispatch.state, "reason": dispatch.state_reason}
    dispatch.state, dispatch.state_reason, dispatch.paused_at = DispatchState.RUNNING, "", None
    dispatch.waits_for_account = False
    dispatch.save(update_fields=["state", "state_reason", "paused_at", "waits_for_account"])
    record_audit(action="dispatch.let_go", subject=dispatch, actor=SYSTEM, before=before, after={"state": dispatch.state})
    return dispatch.pk
