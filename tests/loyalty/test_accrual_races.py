"""Purchases of one moment: budgets, caps and memberships hold whoever comes first."""

from functools import partial

import pytest
from django.db.models import Sum

from accounts.audit import SYSTEM
from accounts.tenancy import tenant
from crm.actions import NewLine
from crm.models import Customer, Purchase
from loyalty.actions.accrual import accrue_purchases
from loyalty.actions.till import sell
from loyalty.models import BudgetUse, Entry, Member, Program, Wallet
from tests.conftest import Cast
from tests.factories import CustomerFactory
from tests.loyalty.ledger_stage import NOW
from tests.loyalty.program_stage import SALES, Shop, open_program
from tests.loyalty.test_races import at_once, broken

THREADS = 16


@pytest.fixture
def saffron(committed_cast: Cast) -> int:
    return committed_cast.saffron.pk


def waiting(program: Program, customer: Customer, amount: int) -> Purchase:
    return Shop(program, customer, waits=True).buy(amount)


def accrue_at_once(organization: int, purchases: list[Purchase]) -> None:
    jobs = [partial(accrue_purchases, purchase_ids=[purchase.pk], now=NOW) for purchase in purchases]
    failed = [outcome for outcome in at_once(organization, jobs) if isinstance(outcome, Exception)]
    assert failed == []


def test_a_budget_holds_under_sixteen_purchases_at_once(saffron: int) -> None:
    with tenant(saffron):
        program = open_program(earn=[SALES | {"budget": 333}, SALES | {"key": "more", "budget": 1_000}])
        sales = [waiting(program, CustomerFactory.create(), 50_000) for _shopper in range(THREADS)]
    accrue_at_once(saffron, sales)
    with tenant(saffron):
        assert dict(BudgetUse.objects.values_list("rule", "used")) == {"sales": 333, "more": 800}
        assert Wallet.objects.aggregate(sum=Sum("balance"))["sum"] == 1_133
    assert broken(saffron) == {}


def test_sales_at_the_till_and_what_earns_meanwhile_never_wait_in_a_circle(saffron: int) -> None:
    with tenant(saffron):
        shop = Shop(open_program(earn=[SALES | {"budget": 10_000}]))
        shop.buy(100_000)
        member, others = shop.member, [waiting(shop.program, shop.customer, 20_000) for _purchase in range(THREADS // 2)]
    pay = partial(sell, lines=[NewLine(10_000)], member=member, points=10, now=NOW, actor=SYSTEM)
    jobs = [
        job
        for other in others
        for job in (partial(pay, key=f"sale {other.pk}"), partial(accrue_purchases, purchase_ids=[other.pk], now=NOW))
    ]
    failed = [outcome for outcome in at_once(saffron, jobs) if isinstance(outcome, Exception)]
    assert failed == []
    with tenant(saffron):
        # 10 points pay 0.10 of a sale of 100.00, which then brings 9; one of 200.00 brings 20.
        assert Wallet.objects.get().balance == 100 + 8 * (9 - 10) + 8 * 20
    assert broken(saffron) == {}


def test_a_cap_holds_for_one_member_at_sixteen_tills(saffron: int) -> None:
    with tenant(saffron):
        program, customer = open_program(earn=[SALES | {"cap": {"points": 120, "per": "day"}}]), CustomerFactory.create()
        sales = [waiting(program, customer, 50_000) for _till in range(THREADS)]
    accrue_at_once(saffron, sales)
    with tenant(saffron):
        assert Wallet.objects.get().balance == 120
        assert sorted(Entry.objects.values_list("amount", flat=True)) == [20, 50, 50]
    assert broken(saffron) == {}


def test_one_purchase_told_sixteen_times_at_once_earns_once_and_makes_one_member(saffron: int) -> None:
    with tenant(saffron):
        program = open_program(earn=[SALES, {"key": "welcome", "on": "sign_up", "points": 25}])
        sale = waiting(program, CustomerFactory.create(), 50_000)
    accrue_at_once(saffron, [sale] * THREADS)
    with tenant(saffron):
        assert (Member.objects.count(), Wallet.objects.get().balance) == (1, 75)
    assert broken(saffron) == {}


def test_refunds_of_one_sale_told_at_once_take_back_what_one_would(saffron: int) -> None:
    with tenant(saffron):
        shop = Shop(open_program())
        sale = shop.buy(50_000)
        shop.waits = True
        refunds = [shop.refund(sale, 1_999) for _part in range(THREADS)]
    accrue_at_once(saffron, refunds)
    with tenant(saffron):
        assert Wallet.objects.get().balance == (50_000 - THREADS * 1_999) // 1_000
    assert broken(saffron) == {}
