"""The beginning of a dispatch; its plan is ``messaging.planning``, the rest of its life ``messaging.sending``."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.audit import SYSTEM, Actor, record_audit
from crm.models import Channel, Purpose
from messaging.models import Dispatch, DispatchState, SenderAccount, TemplateVersion


@transaction.atomic
def open_dispatch(
    *, label: str, channel: Channel, purpose: Purpose, account: SenderAccount, version: TemplateVersion, actor: Actor
) -> Dispatch:
    """Begin a dispatch of one frozen version; nothing leaves before ``plan_dispatch`` has written its ledger."""
    dispatch = Dispatch.objects.create(label=label[:160], channel=channel, purpose=purpose, account=account, version=version)
    after = {"label": label, "version": version.pk, "account": account.pk}
    record_audit(action="dispatch.opened", subject=dispatch, actor=actor, after=after)
    return dispatch


@transaction.atomic
def fail_plan(*, dispatch_id: int, reason: str, now: datetime) -> bool:
    """End a dispatch that cannot be planned; true if this call did it."""
    ended = Dispatch.objects.filter(pk=dispatch_id, state=DispatchState.PLANNING).update(
        state=DispatchState.FAILED, state_reason=(reason or _("It could not be planned."))[:300], completed_at=now
    )
    if ended:
        dispatch = Dispatch.objects.get(pk=dispatch_id)
        after = {"state": "failed", "state_reason": dispatch.state_reason}
        record_audit(action="dispatch.failed", subject=dispatch, actor=SYSTEM, before={"state": "planning"}, after=after)
    return bool(ended)


def hold_plan(*, dispatch_id: int, now: datetime) -> bool:
    """Pause a dispatch whose ledger is not written yet; false if it is, then ``pause_dispatch`` pauses it."""
    waiting = Dispatch.objects.filter(pk=dispatch_id, state=DispatchState.PLANNING)
    return bool(waiting.update(state=DispatchState.PAUSED, paused_at=now))


def release_plan(*, dispatch_id: int) -> bool:
    """Let a dispatch that was paused before its ledger was written be planned; false if the ledger is there."""
    held = Dispatch.objects.filter(pk=dispatch_id, state=DispatchState.PAUSED, started_at=None)
    return bool(held.update(state=DispatchState.PLANNING, paused_at=None))
