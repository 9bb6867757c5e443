"""Orders and refunds of web shops: parsed from their own documents, recorded as a till would."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from accounts.audit import SYSTEM
from crm.models import Customer
from loyalty.actions.shop_orders import record_shop_order, record_shop_refund
from loyalty.models import Wallet
from loyalty.shops import shopify, woocommerce
from loyalty.shops.goods import Goods, ShopDataError, minor, same_id
from tests.conftest import Cast
from tests.factories import CustomerFactory
from tests.loyalty.program_stage import SALES, open_program

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
Json = dict[str, Any]
GLASSES = Goods("SKU2006-001", "Aviator sunglasses", 1, 8_999)


@pytest.fixture
def order(shared_data: Path) -> Json:
    raw: Json = json.loads((shared_data / "webhooks/shopify_docs_samples_2026-04/orders/paid.json").read_text())["response"]
    return raw


@pytest.fixture
def refund(shared_data: Path) -> Json:
    raw: Json = json.loads((shared_data / "webhooks/shopify_docs_samples_2026-04/refunds/create.json").read_text())["response"]
    return raw


@pytest.fixture
def customer(in_saffron: Cast) -> Customer:
    """A customer of a program that gives a point for each dollar."""
    open_program(earn=[{**SALES, "per_minor": 100}])
    customer: Customer = CustomerFactory.create()
    return customer


def balance() -> tuple[int, int]:
    """Balance and debt."""
    wallet = Wallet.objects.get()
    return wallet.balance, wallet.debt


@pytest.mark.realdata
def test_a_shopify_order_is_read_with_its_exact_id(order: Json) -> None:
    assert order["id"] == 820982911946154500
    sale = shopify.parse_order(order)
    assert (sale.id, sale.number, sale.currency) == (820982911946154508, "shopify:order:820982911946154508", "USD")
    assert (sale.purchased_at, sale.email) == (datetime(2022, 1, 1, tzinfo=UTC), "jon@example.com")
    assert sale.goods[0] == GLASSES
    assert [(one.product, one.amount_minor) for one in sale.goods[1:]] == [
        ("LENS-PROTECT-2YR", 1_999), ("CASE-LEATHER-PREM", 2_499), ("SKU2006-020", 15_999), ("SKU2006-035", 11_999),
    ]  # fmt: skip


@pytest.mark.realdata
def test_a_shopify_refund_is_read_in_both_ages(refund: Json, shared_data: Path) -> None:
    new = shopify.parse_refund(refund)
    assert (new.number, new.order_id, new.amount_minor) == ("shopify:refund:890088186047892319", 820982911946154500, 0)
    assert (new.goods[0], sum(one.amount_minor for one in new.goods)) == (GLASSES, 41_495)
    old = shopify.parse_refund(json.loads((shared_data / "webhooks/shopify_rest_fixtures/refund.json").read_text())["refund"])
    assert [(one.product, one.quantity, one.amount_minor) for one in old.goods] == [
        ("IPOD2008BLACK", 1, 19_900), ("IPOD2008GREEN", 1, 19_900),
    ]  # fmt: skip
    assert (old.number, old.order_id, old.amount_minor) == ("shopify:refund:509562969", 450789469, 0)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("change", "goods", "beyond"),
    [
        ({"order_adjustments": [{"kind": "refund_discrepancy", "amount": "-5.00"}]}, 41_495, 500),
        ({"order_adjustments": [{"kind": "refund_discrepancy", "amount": "10.00"}]}, 41_495, -1_000),
        ({"order_adjustments": [{"kind": "shipping_refund", "amount": "-10.00"}]}, 41_495, 0),
        ({"refund_line_items": []}, 0, 8_500),
        ({"refund_line_items": [], "refund_shipping_lines": [{"id": 1}]}, 0, 0),
    ],
)
def test_what_a_refund_gives_back_beyond_its_lines(refund: Json, change: Json, goods: int, beyond: int) -> None:
    read = shopify.parse_refund(refund | change, currency="USD")
    assert (sum(one.amount_minor for one in read.goods), read.amount_minor) == (goods, beyond)


@pytest.mark.realdata
def test_a_refund_finds_its_order_though_the_id_was_rounded_and_takes_back_what_it_earned(
    customer: Customer, order: Json, refund: Json
) -> None:
    sold = record_shop_order(order=shopify.parse_order(order), customer=customer, now=NOW, actor=SYSTEM)
    assert (sold.purchase.total_minor, sold.purchase.source, balance()) == (41_495, "till", (414, 0))
    part = refund | {"admin_graphql_api_id": "gid://shopify/Refund/1", "refund_line_items": refund["refund_line_items"][:1]}
    for number in range(3):
        done = record_shop_refund(shop="shopify", refund=shopify.parse_refund(part), now=NOW, actor=SYSTEM)
        assert (done is None) == bool(number)
    assert balance() == (324, 0)
    rest = refund | {"refund_line_items": refund["refund_line_items"][1:]}
    record_shop_refund(shop="shopify", refund=shopify.parse_refund(rest), now=NOW, actor=SYSTEM)
    assert balance() == (0, 0)
    again = refund | {"admin_graphql_api_id": "gid://shopify/Refund/2"}
    with pytest.raises(ValidationError):
        record_shop_refund(shop="shopify", refund=shopify.parse_refund(again), now=NOW, actor=SYSTEM)


@pytest.mark.realdata
def test_a_refund_of_an_unknown_order_is_refused(customer: Customer, refund: Json) -> None:
    with pytest.raises(ValidationError, match="no such sale"):
        record_shop_refund(shop="shopify", refund=shopify.parse_refund(refund), now=NOW, actor=SYSTEM)


def samples(path: Path) -> list[Json]:
    """The JSON examples of a page of WooCommerce's documentation that can be read as they are."""
    found = []
    for text in re.findall(r"```json\n(.*?)```", path.read_text(), re.S):
        try:
            found.append(json.loads(text))
        except ValueError:
            continue
    return [one for one in found if isinstance(one, dict)]


@pytest.mark.realdata
def test_woocommerce_orders_and_refunds_of_its_documentation(customer: Customer, shared_data: Path) -> None:
    pages = shared_data / "provider_specs/woocommerce_docs/wp-api-v3"
    raw = next(one for one in samples(pages / "_orders.md") if one.get("id") == 727)
    order = woocommerce.parse_order(raw)
    assert (order.number, order.currency, order.email) == ("woocommerce:order:727", "USD", "john.doe@example.com")
    assert order.goods == (
        Goods("93", "Woo Single #1", 2, 600),
        Goods("Bar3", "Ship Your Idea &ndash; Color: Black, Size: M Test", 1, 1_200),
    )
    whole = next(one for one in samples(pages / "_order-refunds.md") if one.get("id") == 726)
    refund = woocommerce.parse_refund(whole, order_id=727, currency="USD")
    assert (refund.number, refund.goods, refund.amount_minor) == ("woocommerce:refund:726", (), 1_000)
    record_shop_order(order=order, customer=customer, now=NOW, actor=SYSTEM)
    assert balance() == (18, 0)
    record_shop_refund(shop="woocommerce", refund=refund, now=NOW, actor=SYSTEM)
    assert balance() == (8, 0)
    lines = [{"product_id": 93, "variation_id": 0, "sku": "", "name": "Woo Single #1", "quantity": -1, "total": "-3.00"}]
    back = woocommerce.parse_refund({**whole, "id": 728, "line_items": lines}, order_id=727, currency="USD")
    assert (back.goods, back.amount_minor) == ((Goods("93", "Woo Single #1", 1, 300),), 0)
    record_shop_refund(shop="woocommerce", refund=back, now=NOW, actor=SYSTEM)
    assert balance() == (5, 0)


def test_an_amount_that_woocommerce_gives_back_of_a_line_without_its_pieces_is_given_back(customer: Customer) -> None:
    coat = {"product_id": 93, "sku": "A", "name": "Coat", "quantity": 1, "total": "100.00"}
    order = woocommerce.parse_order({"id": 7, "currency": "USD", "date_created_gmt": "2026-03-01T00:00:00", "line_items": [coat]})
    record_shop_order(order=order, customer=customer, now=NOW, actor=SYSTEM)
    lines = [coat | {"quantity": 0, "total": "-40.00"}]
    raw = {"id": 8, "date_created_gmt": "2026-03-02T00:00:00", "amount": "40.00", "line_items": lines}
    refund = woocommerce.parse_refund(raw, order_id=7, currency="USD")
    assert (refund.goods, refund.amount_minor) == ((), 4_000)
    record_shop_refund(shop="woocommerce", refund=refund, now=NOW, actor=SYSTEM)
    assert balance() == (60, 0)


def test_an_amount_that_does_not_divide_becomes_two_lines() -> None:
    lines = list(Goods("W", "Wax", 3, 1_000).lines())
    assert [(line.quantity, line.unit_price_minor) for line in lines] == [(2, 333), (1, 334)]
    assert [(line.quantity, line.amount_minor) for line in Goods("W", "Wax", 3, 1_000).lines(-1)] == [(-2, -666), (-1, -334)]


def test_amounts_follow_the_currency_and_nothing_is_rounded() -> None:
    assert [minor("89.99", "USD"), minor(19.99, "USD"), minor("1250", "JPY"), minor("1.250", "KWD")] == [8_999, 1_999, 1_250, 1_250]
    for amount, currency in (("89.999", "USD"), ("1.5", "JPY"), ("much", "USD"), (None, "USD")):
        with pytest.raises(ShopDataError):
            minor(amount, currency)


def test_ids_are_the_same_when_javascript_rounds_them_to_the_same() -> None:
    assert same_id(820982911946154508, 820982911946154500)
    assert not same_id(820982911946154508, 820982911946155508)
    assert not same_id(450789469, 450789470)
