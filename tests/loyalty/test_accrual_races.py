"""Purchases of one moment: budgets, caps and memberships hold whoever comes first."""

from functools import partial

import pytest
from django.db.models import Sum

from accounts.audit import SYSTEM
from accounts.tenancy import tenant
from config.reactions import react
from crm.actions import NewLine
from crm.models import Customer, Purchase
from loyalty.actions.accrual import accrue_purchases
from loyalty.actions.earning import lock_budgets
from loyalty.actions.members import enrol_member
from loyalty.actions.sweeping import award_birthdays
from loyalty.actions.till import sell
from loyalty.models import BudgetUse, Entry, Member, Program, Wallet
from loyalty.queries.programs import TermsBook
from tests.beside import run_beside, wait_for_a_lock
from tests.conftest import Cast
from tests.factories import CustomerFactory
from tests.loyalty.ledger_stage import DAY, NOW
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


def test_points_of_one_program_pay_while_another_earns_and_nobody_waits_in_a_circle(saffron: int) -> None:
    with tenant(saffron):
        shop = Shop(open_program("first"))
        other = Shop(open_program("second"), shop.customer)
        shop.buy(100_000)
        member = other.member
        waiting_sales = [waiting(shop.program, shop.customer, 20_000) for _purchase in range(THREADS // 2)]
    pay = partial(sell, lines=[NewLine(10_000)], member=member, points=10, now=NOW, actor=SYSTEM)
    jobs = [
        job
        for sale in waiting_sales
        for job in (partial(pay, key=f"sale {sale.pk}"), partial(accrue_purchases, purchase_ids=[sale.pk], now=NOW))
    ]
    failed = [outcome for outcome in at_once(saffron, jobs) if isinstance(outcome, Exception)]
    assert failed == []
    with tenant(saffron):
        assert [shop.wallet()[0], other.wallet()[0]] == [100 + 8 * 9 + 8 * 20, 100 + 8 * (9 - 10) + 8 * 20]
    assert broken(saffron) == {}


def test_a_till_waits_for_few_of_the_sales_that_earn_beside_it(saffron: int) -> None:
    with tenant(saffron):
        program = open_program()
        shops = [Shop(program, waits=True) for _shopper in range(60)]
        for shop in shops:
            enrol_member(program=program, customer=shop.customer, now=NOW, actor=SYSTEM)
            shop.buy(20_000)
    with tenant(saffron):
        Wallet.objects.select_for_update().get(member=shops[-1].member)
        thread, came = run_beside(partial(react, organization_id=saffron))
        wait_for_a_lock()
        assert [shop.wallet()[0] for shop in shops[:40:10]] == [20] * 4  # committed: nobody waits for these any more
    thread.join(60)
    assert [isinstance(one, Exception) for one in came] == [False]
    react(organization_id=saffron)
    with tenant(saffron):
        assert list(Wallet.objects.values_list("balance", flat=True)) == [20] * 60
        assert Entry.objects.count() == 60
    assert broken(saffron) == {}


def test_birthdays_are_awarded_beside_a_sale_and_wait_in_no_circle(saffron: int) -> None:
    birthday = {"key": "birthday", "on": "birthday", "points": 30}
    with tenant(saffron):
        first = Shop(open_program("first", earn=[SALES, birthday]), CustomerFactory.create(birthday=NOW.date().replace(year=1990)))
        second = Shop(open_program("second", earn=[birthday | {"budget": 10_000}]), first.customer)
        for shop in (first, second):
            enrol_member(program=shop.program, customer=shop.customer, now=NOW - DAY, actor=SYSTEM)
        sale = waiting(first.program, first.customer, 20_000)
    with tenant(saffron):
        lock_budgets(TermsBook().earn_rules)  # as a sale begins
        thread, came = run_beside(partial(award_birthdays, organization_id=saffron, now=NOW))
        wait_for_a_lock()
        accrue_purchases(purchase_ids=[sale.pk], now=NOW)
    thread.join(60)
    assert came == [2]
    with tenant(saffron):
        assert (first.wallet()[0], second.wallet()[0], BudgetUse.objects.get().used) == (20 + 30, 30, 30)
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
