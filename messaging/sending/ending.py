"""What is left of a dispatch that was cancelled or failed: settle what workers left, and end what never left."""

from __future__ import annotations

import uuid

from django.db.models import F, QuerySet

from accounts.tenancy import tenant
from messaging.models import Chunk, Delivery, DeliveryState, Dispatch, DispatchState
from messaging.models.delivery import FateReason
from messaging.sending.ledger import Ledger

LEASE_SECONDS = 60.0
ENDED_EARLY = (DispatchState.CANCELLED, DispatchState.FAILED)


def clear_rests(*, organization_id: int, dispatch_id: int) -> bool:
    """Close every chunk that nobody holds; True when nothing of the dispatch is open any more."""
    with tenant(organization_id):
        dispatch = Dispatch.objects.filter(pk=dispatch_id, state__in=ENDED_EARLY).first()
    if dispatch is None:
        return False
    ledger = Ledger(organization_id, dispatch_id, str(uuid.uuid4()), LEASE_SECONDS)
    while (claimed := ledger.claim_chunk(whatever_state=True)) is not None:
        chunk, rows = claimed
        with tenant(organization_id):
            _end(dispatch, Delivery.objects.filter(pk__in=[row.delivery_id for row in rows]))
            ledger.finish_chunks([chunk.id])
    with tenant(organization_id):
        if Chunk.objects.filter(dispatch=dispatch, finished_at=None).exists():
            return False
        _end(dispatch, Delivery.objects.filter(dispatch=dispatch, state=DeliveryState.RETRYING, next_attempt_at__isnull=False))
    return True


def _end(dispatch: Dispatch, deliveries: QuerySet[Delivery]) -> None:
    """Cancel them with a cancelled dispatch, fail them with a failed one and its reason."""
    if dispatch.state == DispatchState.CANCELLED:
        deliveries.update(state=DeliveryState.CANCELLED, next_attempt_at=None)
        return
    fate = {"state": DeliveryState.FAILED, "reason": FateReason.ENDED, "detail": dispatch.state_reason}
    failed = deliveries.update(**fate, next_attempt_at=None)
    Dispatch.objects.filter(pk=dispatch.pk).update(failed_count=F("failed_count") + failed)
