"""Shopify's orders and refunds (webhooks ``orders/…`` and ``refunds/create``, and the same objects of the REST API)."""

from collections.abc import Mapping
from typing import Any

from loyalty.shops.goods import Goods, ShopOrder, ShopRefund, field, minor, moment, some

Json = Mapping[str, Any]


def parse_order(raw: Json) -> ShopOrder:
    """An order as a sale.

    Raises:
        ShopDataError: it is no order.
    """
    currency = str(field(raw, "currency"))
    order_id = exact_id(raw)
    return ShopOrder(
        order_id,
        _number(order_id),
        moment(raw.get("processed_at") or field(raw, "created_at")),
        currency,
        raw.get("email") or "",
        some(_sold(line, currency) for line in field(raw, "line_items")),
    )


def parse_refund(raw: Json, *, currency: str = "") -> ShopRefund:
    """A refund with its goods.

    What was refunded beyond the goods' prices, or kept of them, stands in ``order_adjustments`` as a discrepancy; a refund
    of neither gives back what its transactions paid.

    Args:
        currency: of the order, for payloads old enough not to say it.

    Raises:
        ShopDataError: it is no refund.
    """
    currency = _currency(raw) or currency
    goods = some(_returned(item, currency) for item in raw.get("refund_line_items") or ())
    adjustments = raw.get("order_adjustments") or ()
    beyond = -sum(minor(field(one, "amount"), currency) for one in adjustments if one.get("kind") == "refund_discrepancy")
    if not goods and not adjustments and not raw.get("refund_shipping_lines"):
        paid = (one for one in raw.get("transactions") or () if one.get("kind") == "refund" and one.get("status") == "success")
        beyond = sum(minor(field(one, "amount"), currency) for one in paid)
    at = moment(raw.get("processed_at") or field(raw, "created_at"))
    return ShopRefund(int(field(raw, "order_id")), f"shopify:refund:{exact_id(raw)}", at, goods, beyond)


def exact_id(raw: Json) -> int:
    """An object's id: above 2^53 ``id`` may arrive rounded, and only ``admin_graphql_api_id`` has all digits.

    Raises:
        ShopDataError: it has none.
    """
    last = str(raw.get("admin_graphql_api_id") or "").rpartition("/")[2]
    return int(last) if last.isdecimal() else int(field(raw, "id"))


def _number(order_id: int) -> str:
    return f"shopify:order:{order_id}"


def _product(line: Json) -> str:
    return str(line.get("sku") or line.get("variant_id") or line.get("product_id") or exact_id(line))[:60]


def _sold(line: Json, currency: str) -> Goods:
    quantity = int(field(line, "quantity"))
    amount = quantity * minor(field(line, "price"), currency) - _discount(line, currency)
    return Goods(_product(line), str(line.get("title") or "")[:200], quantity, amount)


def _discount(line: Json, currency: str) -> int:
    """What discounts take off a whole line; allocations include those of the whole order."""
    if allocations := line.get("discount_allocations"):
        return sum(minor(field(one, "amount"), currency) for one in allocations)
    return minor(line.get("total_discount") or 0, currency)


def _returned(item: Json, currency: str) -> Goods:
    line, quantity = field(item, "line_item"), int(field(item, "quantity"))
    if item.get("subtotal") is not None:
        amount = minor(item["subtotal"], currency)
    else:  # payloads of old versions leave the working out to us
        whole = _sold(line, currency)
        amount = whole.amount_minor * quantity // whole.quantity
    return Goods(_product(line), str(line.get("title") or "")[:200], quantity, amount)


def _currency(raw: Json) -> str:
    """The shop's currency, wherever a refund says it: beside its sums, or in its transactions."""
    for item in raw.get("refund_line_items") or ():
        if money := item.get("subtotal_set"):
            return str(money["shop_money"]["currency_code"])
    return next((str(one["currency"]) for one in raw.get("transactions") or () if one.get("currency")), "")
