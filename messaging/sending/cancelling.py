"""What is left of a cancelled dispatch: settle what workers left, and cancel what never left."""

from __future__ import annotations

import uuid

from django.db import connection, transaction

from accounts.tenancy import tenant
from messaging.models import Chunk, Delivery, DeliveryState, Dispatch, DispatchState
from messaging.sending.ledger import Ledger

LEASE_SECONDS = 60.0


def clear_cancelled(*, organization_id: int, dispatch_id: int) -> bool:
    """Close every chunk that nobody holds; True when nothing of the dispatch is open any more."""
    with tenant(organization_id):
        if not Dispatch.objects.filter(pk=dispatch_id, state=DispatchState.CANCELLED).exists():
            return False
    ledger = Ledger(organization_id, dispatch_id, str(uuid.uuid4()), LEASE_SECONDS)
    while (claimed := ledger.claim_chunk(whatever_state=True)) is not None:
        chunk, rows = claimed
        with tenant(organization_id), transaction.atomic():
            Delivery.objects.filter(pk__in=[row.delivery_id for row in rows]).update(state=DeliveryState.CANCELLED)
            ledger.finish_chunks([chunk.id])
    return _cancel_retries(organization_id, dispatch_id)


def _cancel_retries(organization_id: int, dispatch_id: int) -> bool:
    with tenant(organization_id):
        if Chunk.objects.filter(dispatch_id=dispatch_id, finished_at=None).exists():
            return False
        with connection.cursor() as cursor:
            cursor.execute(
                "update messaging_delivery set state = 'cancelled', next_attempt_at = null"
                " where organization_id = %s and dispatch_id = %s and next_attempt_at is not null and state = 'retrying'",
                [organization_id, dispatch_id],
            )
    return True
