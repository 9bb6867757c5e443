"""WooCommerce's orders and refunds (REST API v3 and its webhooks)."""

from collections.abc import Mapping
from typing import Any

from loyalty.shops.goods import Goods, ShopOrder, ShopRefund, field, minor, moment, some

Json = Mapping[str, Any]


def parse_order(raw: Json) -> ShopOrder:
    """An order as a sale.

    Raises:
        ShopDataError: it is no order.
    """
    currency, order_id = str(field(raw, "currency")), int(field(raw, "id"))
    at = moment(raw.get("date_paid_gmt") or field(raw, "date_created_gmt"))
    goods = some(_goods(line, currency) for line in field(raw, "line_items"))
    return ShopOrder(order_id, f"woocommerce:order:{order_id}", at, currency, (raw.get("billing") or {}).get("email") or "", goods)


def parse_refund(raw: Json, *, order_id: int, currency: str) -> ShopRefund:
    """A refund with its goods, whose quantities and totals are negative; one without lines gives back its amount.

    Lines of no pieces give an amount back and no goods.

    Args:
        order_id, currency: of the order, which the refund itself does not name.

    Raises:
        ShopDataError: it is no refund.
    """
    lines = [_goods(line, currency, sign=-1) for line in raw.get("line_items") or ()]
    goods = some(lines)
    beyond = sum(line.amount_minor for line in lines if not line.quantity) if lines else minor(field(raw, "amount"), currency)
    return ShopRefund(order_id, f"woocommerce:refund:{int(field(raw, 'id'))}", moment(field(raw, "date_created_gmt")), goods, beyond)


def _goods(line: Json, currency: str, *, sign: int = 1) -> Goods:
    product = str(line.get("sku") or line.get("variation_id") or field(line, "product_id"))[:60]
    quantity, amount = int(field(line, "quantity")), minor(field(line, "total"), currency)
    return Goods(product, str(line.get("name") or "")[:200], sign * quantity, sign * amount)
