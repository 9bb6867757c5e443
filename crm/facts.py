"""Facts per customer, kept in the transaction of what they count."""

from datetime import datetime
from typing import Any

from django.db.models import F, Value
from django.db.models.functions import Greatest, Least

from crm.models import CustomerFacts, Purchase, PurchaseKind, Visit, VisitState


def count_purchase(purchase: Purchase) -> None:
    """Add a receipt to its customer's facts; a refund lowers what was spent and is no purchase."""
    if purchase.customer_id is None:
        return
    if purchase.kind == PurchaseKind.REFUND:
        _update(purchase.customer_id, refund_count=F("refund_count") + 1, spent_minor=F("spent_minor") + purchase.total_minor)
        return
    _update(
        purchase.customer_id,
        purchase_count=F("purchase_count") + 1,
        spent_minor=F("spent_minor") + purchase.total_minor,
        first_purchase_at=_earliest("first_purchase_at", purchase.purchased_at),
        last_purchase_at=_latest("last_purchase_at", purchase.purchased_at),
    )


def count_visit(visit: Visit) -> None:
    """Add a visit that has just ended, or was missed, to its customer's facts."""
    if visit.state == VisitState.NO_SHOW:
        _update(visit.customer_id, no_show_count=F("no_show_count") + 1)
    elif visit.state == VisitState.COMPLETED:
        _update(
            visit.customer_id,
            visit_count=F("visit_count") + 1,
            first_visit_at=_earliest("first_visit_at", visit.starts_at),
            last_visit_at=_latest("last_visit_at", visit.starts_at),
        )


def _update(customer_id: int, **changes: Any) -> None:
    CustomerFacts.objects.filter(customer_id=customer_id).update(**changes)


# GREATEST and LEAST of PostgreSQL pass over NULL.
def _latest(field: str, moment: datetime) -> Greatest:
    return Greatest(F(field), Value(moment))


def _earliest(field: str, moment: datetime) -> Least:
    return Least(F(field), Value(moment))
