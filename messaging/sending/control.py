"""Pause, resume, cancel and complete a dispatch. Workers hear of it within half a second."""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction
from django.utils.translation import gettext as _

from accounts.audit import SYSTEM, Actor, record_audit
from accounts.tenancy import current_organization_id
from crm.events import NewEvent, record_event
from messaging.models import Dispatch, DispatchState, SenderAccount
from messaging.sending.ending import clear_rests

_COMPLETE = """
update messaging_dispatch as dispatch set state = 'completed', completed_at = %(now)s, state_reason = ''
where dispatch.organization_id = %(org)s and dispatch.id = %(dispatch)s and dispatch.state = 'running'
    and not exists (select from messaging_chunk as chunk
        where chunk.organization_id = %(org)s and chunk.dispatch_id = %(dispatch)s and chunk.finished_at is null)
    and not exists (select from messaging_delivery as delivery
        where delivery.organization_id = %(org)s and delivery.dispatch_id = %(dispatch)s
            and delivery.next_attempt_at is not null and delivery.state = 'retrying')
"""


class DispatchStateError(Exception):
    """The dispatch is not in a state in which this can be done; the message is for people."""


@transaction.atomic
def pause_dispatch(*, dispatch_id: int, actor: Actor, now: datetime, reason: str = "") -> Dispatch:
    """Stop sending; what is on the wire is waited for, the rest stays planned. What waits for its sender waits for a person.

    Raises:
        DispatchStateError: it is not running, nor waiting for its sender.
    """
    dispatch = _locked(dispatch_id, DispatchState.RUNNING, DispatchState.PAUSED)
    if dispatch.state == DispatchState.PAUSED and not dispatch.waits_for_account:
        raise _refusal(dispatch)
    return _change(
        dispatch,
        "dispatch.paused",
        actor,
        state=DispatchState.PAUSED,
        state_reason=reason[:300],
        paused_at=now,
        waits_for_account=False,
    )


@transaction.atomic
def resume_dispatch(*, dispatch_id: int, actor: Actor, now: datetime) -> Dispatch:
    """Go on sending; whoever presses this has looked at the sender, so its breaker lets a trial through.

    Raises:
        DispatchStateError: it is not paused.
    """
    dispatch = _locked(dispatch_id, DispatchState.PAUSED)
    SenderAccount.objects.filter(pk=dispatch.account_id, open_until__gt=now).update(open_until=None)
    return _change(
        dispatch,
        "dispatch.resumed",
        actor,
        state=DispatchState.RUNNING,
        state_reason="",
        paused_at=None,
        waits_for_account=False,
    )


@transaction.atomic
def cancel_dispatch(*, dispatch_id: int, actor: Actor, now: datetime, reason: str = "") -> Dispatch:
    """Stop for good: what has not left will not leave.

    Raises:
        DispatchStateError: it has ended already.
    """
    dispatch = _locked(dispatch_id, DispatchState.PLANNING, DispatchState.RUNNING, DispatchState.PAUSED)
    return _change(
        dispatch,
        "dispatch.cancelled",
        actor,
        state=DispatchState.CANCELLED,
        state_reason=reason[:300],
        completed_at=now,
        waits_for_account=False,
    )


@transaction.atomic
def fail_dispatch(*, dispatch_id: int, reason: str, now: datetime) -> bool:
    """It cannot be sent at all (its template does not compile, its sender is of no known kind), and with it fails
    every message that has not left; True if this call did it.
    """
    changes = {"state": DispatchState.FAILED, "state_reason": reason[:300], "completed_at": now}
    if not Dispatch.objects.filter(pk=dispatch_id, state=DispatchState.RUNNING).update(**changes):
        return False
    dispatch = Dispatch.objects.get(pk=dispatch_id)
    record_audit(action="dispatch.failed", subject=dispatch, actor=SYSTEM, before={"state": "running"}, after=changes)
    clear_rests(organization_id=current_organization_id(), dispatch_id=dispatch_id)
    return True


@transaction.atomic
def complete_dispatch(*, dispatch_id: int, now: datetime) -> bool:
    """Mark a dispatch completed if every one of its deliveries is final; True if this call did it."""
    with connection.cursor() as cursor:
        cursor.execute(_COMPLETE, {"org": current_organization_id(), "dispatch": dispatch_id, "now": now})
        if cursor.rowcount == 0:
            return False
    dispatch = Dispatch.objects.get(pk=dispatch_id)
    record_audit(action="dispatch.completed", subject=dispatch, actor=SYSTEM, before={"state": "running"}, after={"state": "completed"})
    properties = {"dispatch_id": dispatch_id}
    record_event(NewEvent("dispatch.completed", now, source="messaging", properties=properties, key=str(dispatch_id)))
    return True


def _locked(dispatch_id: int, *states: DispatchState) -> Dispatch:
    dispatch = Dispatch.objects.select_for_update(of=("self",)).get(pk=dispatch_id)
    if dispatch.state not in states:
        raise _refusal(dispatch)
    return dispatch


def _refusal(dispatch: Dispatch) -> DispatchStateError:
    return DispatchStateError(_("This cannot be done now: it is %(state)s.") % {"state": dispatch.get_state_display()})


def _change(dispatch: Dispatch, action: str, actor: Actor, **values: object) -> Dispatch:
    before = {name: getattr(dispatch, name) for name in values}
    for name, value in values.items():
        setattr(dispatch, name, value)
    dispatch.save(update_fields=list(values))
    record_audit(action=action, subject=dispatch, actor=actor, before=before, after=dict(values))
    return dispatch
