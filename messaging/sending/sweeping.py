"""What the sweep finds: dispatches with work that nobody is doing."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, OuterRef

from accounts.tenancy import tenant
from messaging.models import Chunk, Delivery, DeliveryState, Dispatch, DispatchState
from messaging.sending.breaker import begin_trial
from messaging.sending.control import complete_dispatch
from messaging.sending.ending import ENDED_EARLY
from messaging.sending.run import has_work


def dispatches_to_ring(*, organization_id: int, now: datetime) -> list[int]:
    """Return the dispatches of an organization that a worker should look at now."""
    with tenant(organization_id):
        found = [dispatch_id for dispatch_id in _running() if has_work(dispatch_id, now)]
        for dispatch_id in set(_running()) - set(found):
            # A worker may have been lost between its last chunk and this.
            complete_dispatch(dispatch_id=dispatch_id, now=now)
        return [*found, *_ended_with_rests(), *_trials(now)]


def _running() -> list[int]:
    return list(Dispatch.objects.filter(state=DispatchState.RUNNING).values_list("pk", flat=True))


def _ended_with_rests() -> list[int]:
    of_it = {"organization": OuterRef("organization"), "dispatch": OuterRef("pk")}
    rests = Exists(Chunk.objects.filter(**of_it, finished_at=None)) | Exists(
        Delivery.objects.filter(**of_it, state=DeliveryState.RETRYING, next_attempt_at__isnull=False)
    )
    return list(Dispatch.objects.filter(rests, state__in=ENDED_EARLY).values_list("pk", flat=True))


def _trials(now: datetime) -> list[int]:
    held = Dispatch.objects.filter(state=DispatchState.PAUSED, waits_for_account=True)
    accounts = held.order_by().values_list("account", flat=True).distinct()
    trials = [begin_trial(account_id=account_id, now=now) for account_id in accounts]
    return [dispatch_id for dispatch_id in trials if dispatch_id is not None]
