"""Which campaign a purchase counts for: a reaction to purchases and touches (``config.reactions``).

A purchase counts for the last click before it, else the last open, within the window of the campaign; a refund follows
its sale. What is written for a sale depends on the event log and the sale alone, never on the order in which events
arrive: a purchase is looked at when it is recorded, and again whenever a touch before it becomes known. People's
touches only: machines' opens and clicks have columns of their own in the ledger, and make no event.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import groupby

from django.db import connection

from accounts.tenancy import current_organization_id
from campaigns.models import Attribution, AttributionBasis, Campaign
from campaigns.rules import Touch, counting_touch
from crm.models import Event, Purchase, PurchaseKind

PURCHASES = frozenset({"purchase.completed", "purchase.refunded"})
TOUCHES = frozenset({"message.opened", "message.clicked", "message.revisited"})
LONGEST_WINDOW = timedelta(days=90)
BATCH = 1_000
_SALES_AFTER = """
select distinct purchase.id from crm_purchase as purchase
join unnest(%s::bigint[], %s::timestamptz[]) as touch (customer_id, at) on touch.customer_id = purchase.customer_id
where purchase.organization_id = %s and purchase.kind = 'sale'
    and purchase.purchased_at >= touch.at and purchase.purchased_at <= touch.at + make_interval(days => %s)
"""
_COLUMNS = ("campaign_id", "delivery_id", "customer_id", "basis", "amount_minor", "touched_at", "purchased_at")


def attribute(events: Sequence[Event]) -> int:
    """Attribute the purchases that a batch of events is about; the same batch again changes nothing."""
    told = {int(event.properties["purchase"]) for event in events if event.kind in PURCHASES and event.properties.get("purchase")}
    sales = set(Purchase.objects.filter(pk__in=told, kind=PurchaseKind.SALE, customer__isnull=False).values_list("pk", flat=True))
    refunds = Purchase.objects.filter(pk__in=told, kind=PurchaseKind.REFUND, refund_of__isnull=False)
    sales |= set(refunds.values_list("refund_of_id", flat=True))
    sales |= _sales_after([event for event in events if event.kind in TOUCHES and event.customer_id is not None])
    return attribute_sales(sales)


def attribute_sales(sale_ids: Iterable[int]) -> int:
    """Write what these sales, and their refunds, count for; returns how many rows are new or different."""
    sales = list(Purchase.objects.filter(pk__in=list(sale_ids), kind=PurchaseKind.SALE, customer__isnull=False))
    touches = _touches(sales)
    rows = []
    refunds = _refunds([sale.pk for sale in sales])
    for sale in sales:
        assert sale.customer_id is not None, sale
        touch = counting_touch(touches.get(sale.customer_id, ()), sale.purchased_at)
        if touch is not None:
            rows += [_row(touch, purchase, sale.customer_id) for purchase in (sale, *refunds.get(sale.pk, ()))]
    return _write(rows)


def _sales_after(touches: Sequence[Event]) -> set[int]:
    if not touches:
        return set()
    customers, moments = [event.customer_id for event in touches], [event.occurred_at for event in touches]
    with connection.cursor() as cursor:
        cursor.execute(_SALES_AFTER, [customers, moments, current_organization_id(), LONGEST_WINDOW.days])
        return {row[0] for row in cursor.fetchall()}


def _touches(sales: Sequence[Purchase]) -> dict[int, list[Touch]]:
    """Every click and open of these sales' customers in messages of campaigns, as far back as a window reaches."""
    if not sales:
        return {}
    moments = [sale.purchased_at for sale in sales]
    rows = Event.objects.filter(
        customer_id__in={sale.customer_id for sale in sales},
        kind__in=TOUCHES,
        occurred_at__range=(min(moments) - LONGEST_WINDOW, max(moments)),
    ).order_by()
    events = list(rows.only("customer_id", "kind", "occurred_at", "properties"))
    dispatches = {event.properties["dispatch"] for event in events}
    campaigns = {campaign.dispatch_id: campaign for campaign in Campaign.objects.filter(dispatch_id__in=dispatches)}
    touches: dict[int, list[Touch]] = {}
    for event in events:
        if event.customer_id is not None and (campaign := campaigns.get(event.properties["dispatch"])):
            touches.setdefault(event.customer_id, []).append(_touch(event, campaign))
    return touches


def _touch(event: Event, campaign: Campaign) -> Touch:
    is_click = event.kind == "message.clicked" or bool(event.properties.get("is_click"))
    window = timedelta(days=campaign.attribution_days)
    return Touch(campaign.pk, event.properties["delivery"], is_click, event.occurred_at, window)


def _refunds(sale_ids: Sequence[int]) -> dict[int | None, list[Purchase]]:
    found = Purchase.objects.filter(refund_of_id__in=sale_ids, kind=PurchaseKind.REFUND).order_by("refund_of_id", "pk")
    return {sale_id: list(refunds) for sale_id, refunds in groupby(found, key=lambda refund: refund.refund_of_id)}


def _row(touch: Touch, purchase: Purchase, customer_id: int) -> Attribution:
    return Attribution(
        campaign_id=touch.campaign_id,
        delivery_id=touch.delivery_id,
        customer_id=customer_id,
        purchase=purchase,
        basis=AttributionBasis.CLICK if touch.is_click else AttributionBasis.OPEN,
        amount_minor=purchase.total_minor,
        touched_at=touch.at,
        purchased_at=purchase.purchased_at,
    )


def _write(rows: Sequence[Attribution]) -> int:
    known = {row.purchase_id: row for row in Attribution.objects.filter(purchase_id__in=[row.purchase_id for row in rows])}
    different = [row for row in rows if row.purchase_id not in known or _differs(row, known[row.purchase_id])]
    Attribution.objects.bulk_create(
        different, update_conflicts=True, unique_fields=["organization", "purchase"], update_fields=list(_COLUMNS), batch_size=BATCH
    )
    return len(different)


def _differs(row: Attribution, known: Attribution) -> bool:
    return any(getattr(row, name) != getattr(known, name) for name in _COLUMNS)
