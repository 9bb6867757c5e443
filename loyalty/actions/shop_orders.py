"""What web shops sold and took back, through the same actions as a till."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.audit import Actor
from crm.actions import NewLine
from crm.models import Customer, Purchase, PurchaseKind
from loyalty.actions.till import Refunded, Sold, refund_sale, sell
from loyalty.shops.goods import ShopOrder, ShopRefund, same_id

# Rounding to a double changes no digit of a 64-bit id before these.
CERTAIN_DIGITS = 14


def record_shop_order(*, order: ShopOrder, customer: Customer | None, now: datetime, actor: Actor) -> Sold:
    """Record a shop's order as a sale.

    Raises:
        ValidationError: it was recorded before, has no goods, or is in another currency.
    """
    lines = [line for goods in order.goods for line in goods.lines()]
    return sell(
        lines=lines,
        key=order.number,
        now=now,
        actor=actor,
        customer=customer,
        purchased_at=order.purchased_at,
        number=order.number,
        currency=order.currency,
    )


@transaction.atomic
def record_shop_refund(*, shop: str, refund: ShopRefund, now: datetime, actor: Actor) -> Refunded | None:
    """Record a shop's refund of an order; ``None`` where no goods come back, or it was recorded before.

    What it gives back beyond the goods' prices (shipping, tax) is no more than is left of them.

    Raises:
        ValidationError: the order is not known, or more comes back than was sold.
    """
    if Purchase.objects.filter(number=refund.number).exists():
        return None
    sale = _sale(shop, refund.order_id)
    lines = [line for goods in refund.goods for line in goods.lines(-1)]
    back = -sum(line.amount_minor for line in lines)
    left = sale.total_minor + sum(sale.refunds.values_list("total_minor", flat=True)) - back
    if beyond := min(refund.amount_minor, max(left, 0)):
        lines.append(NewLine(-beyond, description=_("Refund of %(number)s") % {"number": sale}))
    if back + beyond <= 0:
        return None
    return refund_sale(
        sale=sale, goods=lines, key=refund.number, now=now, actor=actor, refunded_at=refund.refunded_at, number=refund.number
    )


def _sale(shop: str, order_id: int) -> Purchase:
    """The order's sale: by its exact id, else by the only one whose id may have been rounded to this."""
    prefix = f"{shop}:order:"
    sales = Purchase.objects.filter(kind=PurchaseKind.SALE)
    if exact := sales.filter(number=f"{prefix}{order_id}").first():
        return exact
    near = sales.filter(number__startswith=f"{prefix}{str(order_id)[:CERTAIN_DIGITS]}")
    found = [sale for sale in near if same_id(int(sale.number.removeprefix(prefix)), order_id)]
    if len(found) != 1:
        raise ValidationError(_("There is no such sale."))
    return found[0]
