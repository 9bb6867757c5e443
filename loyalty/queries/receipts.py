"""Receipts as the pure rules see them."""

from collections import defaultdict
from collections.abc import Collection, Mapping

from django.db.models import Q

from crm.models import Purchase, PurchaseKind, PurchaseLine
from loyalty.rules.receipts import Line, Receipt


def lines_of(purchase_ids: Collection[int]) -> Mapping[int, tuple[Line, ...]]:
    """The lines of receipts, by receipt."""
    found: dict[int, list[Line]] = defaultdict(list)
    rows = PurchaseLine.objects.filter(purchase_id__in=purchase_ids).order_by("pk")
    columns = ("purchase_id", "product_code", "category", "unit_price_minor", "quantity", "amount_minor", "pk", "refund_of_id")
    for purchase, *values in rows.values_list(*columns):
        found[purchase].append(Line(*values))
    return {purchase: tuple(lines) for purchase, lines in found.items()}


def with_refunds(customer_ids: Collection[int], sale_ids: Collection[int]) -> set[int]:
    """Those of the customers who gave one of these sales back, or something without naming its sale."""
    refunds = Purchase.objects.filter(customer_id__in=customer_ids, kind=PurchaseKind.REFUND)
    concerned = refunds.filter(Q(refund_of=None) | Q(refund_of__in=sale_ids)).order_by()
    return {key for key in concerned.values_list("customer_id", flat=True).distinct() if key}


def receipts_that_decide(customer_ids: Collection[int], sale_ids: Collection[int]) -> dict[int, list[Receipt]]:
    """The receipts that say what is left of customers' sales, by customer.

    All of them for a customer whose goods ever came back without naming their sale; else the sales asked for and their refunds.
    """
    theirs = Purchase.objects.filter(customer_id__in=customer_ids)
    loose = set(theirs.filter(kind=PurchaseKind.REFUND, refund_of=None).order_by().values_list("customer_id", flat=True).distinct())
    named = theirs.exclude(customer_id__in=loose).filter(Q(pk__in=sale_ids) | Q(refund_of__in=sale_ids))
    purchases = [*Purchase.objects.filter(customer_id__in=loose), *named]
    lines = lines_of([purchase.pk for purchase in purchases])
    found: dict[int, list[Receipt]] = defaultdict(list)
    for one in purchases:
        is_refund = one.kind == PurchaseKind.REFUND
        receipt = Receipt(one.pk, one.purchased_at, lines.get(one.pk, ()), one.number, is_refund, one.refund_of_id)
        found[one.customer_id or 0].append(receipt)
    return found
