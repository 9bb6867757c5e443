"""Purchases earn, refunds take back: in any order, any number of times."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from accounts.audit import SYSTEM
from crm.actions import NewLine
from crm.models import Customer, Purchase
from loyalty.actions.accrual import accrue_purchases
from loyalty.actions.members import enrol_member
from loyalty.actions.points import cancel_pending, redeem_points
from loyalty.actions.programs import close_program, write_terms
from loyalty.actions.tiers import update_tier
from loyalty.actions.visits import accrue_visits
from loyalty.ledger.posting import settle_member
from loyalty.models import BudgetUse, Entry, EntryKind, Lot, LotRemainder, Member
from loyalty.queries.programs import TermsBook
from loyalty.queries.quotes import quote_cart
from segmentation.actions import create_segment, delete_segment
from tests.conftest import Cast
from tests.factories import CustomerFactory
from tests.loyalty.ledger_stage import DAY, NOW
from tests.loyalty.program_stage import LONG_AGO, SALES, Shop, broken, open_program


@pytest.fixture(autouse=True)
def sound_ledger(in_saffron: Cast) -> Iterator[None]:
    """Whatever a test did, every check of the ledger holds afterwards."""
    yield
    assert broken() == {}


def test_a_purchase_earns_once_however_often_it_is_told() -> None:
    shop = Shop(open_program())
    sale = shop.buy(12_345)
    shop.accrue(sale)
    shop.accrue(sale, shop.buy(999))
    assert shop.wallet() == (12, 0, 0, 0)
    entry = Entry.objects.get()
    assert (entry.key, entry.purchase_id, entry.details) == (
        f"purchase:{sale.pk}:earn",
        sale.pk,
        {"rules": {"sales": 12}, "factor": [1, 1]},
    )


def test_the_first_purchase_makes_a_member_where_the_program_says_so() -> None:
    automatic, by_hand = Shop(open_program()), open_program("club", enrol="by_hand")
    automatic.buy(5_000)
    assert list(Member.objects.values_list("program__slug", flat=True)) == ["points"]
    enrol_member(program=by_hand, customer=automatic.customer, now=NOW, actor=SYSTEM)
    automatic.buy(5_000, at=NOW - DAY)
    automatic.buy(7_000)
    assert automatic.wallet() == (17, 0, 0, 0)
    assert Shop(by_hand, automatic.customer).wallet() == (7, 0, 0, 0)


def test_nothing_is_earned_in_drafts_closed_programs_or_before_the_terms_or_by_nobody(in_saffron: Cast) -> None:
    shop = Shop(open_program())
    shop.buy(5_000, at=LONG_AGO - DAY)
    assert not Member.objects.exists()
    accrue_purchases(purchase_ids=[10**9], now=NOW)
    close_program(program=shop.program, actor=in_saffron.alice_acts)
    shop.buy(5_000)
    assert not Entry.objects.exists()


def test_the_terms_of_the_purchases_own_time_decide_and_stay(in_saffron: Cast) -> None:
    shop = Shop(open_program(expiry={"kind": "age", "months": 1}))
    before = shop.buy(10_000)
    document = {"earn": [SALES | {"points": 5}], "expiry": {"kind": "never"}}
    write_terms(program=shop.program, document=document, actor=SYSTEM, now=NOW, valid_from=NOW + DAY)
    shop.now = NOW + 2 * DAY
    shop.buy(10_000, at=NOW + DAY)
    shop.buy(10_000, at=NOW)
    assert [(lot.amount, lot.expires_at is None) for lot in Lot.objects.order_by("entry_id")] == [(10, False), (50, True), (10, False)]
    assert Lot.objects.order_by("entry_id").values_list("expires_at", flat=True)[0] == datetime(2026, 4, 3, 4, tzinfo=UTC)
    shop.refund(before, 5_000)
    assert shop.wallet() == (65, 0, 0, 0)


def test_split_refunds_take_back_what_one_would() -> None:
    shop = Shop(open_program())
    sale = shop.buy(9_500)
    balances = []
    for _dollar in range(95):
        shop.refund(sale, 100)
        balances.append(shop.wallet()[0])
    assert balances == [(9_500 - 100 * count) // 1_000 for count in range(1, 96)]
    assert Entry.objects.filter(kind=EntryKind.CLAWBACK).count() == 9


def test_a_refund_of_spent_points_is_debt_that_the_next_purchase_repays() -> None:
    shop = Shop(open_program())
    sale = shop.buy(50_000)
    redeem_points(member_id=shop.member.pk, amount=40, key="till", now=NOW, actor=SYSTEM)
    shop.refund(sale, 30_000)
    assert shop.wallet() == (0, 0, 0, 20)
    shop.buy(25_000)
    assert shop.wallet() == (5, 0, 0, 0)


def test_a_refund_told_before_its_sale_waits_for_it() -> None:
    shop = Shop(open_program(), waits=True)
    sale, back = shop.buy(("OIL", 30_000)), shop.bring_back("OIL", 30_000, at=NOW + timedelta(hours=1))
    shop.accrue(back)
    assert not Entry.objects.exists()
    shop.accrue(sale)
    assert shop.wallet() == (0, 0, 0, 0)
    assert list(Entry.objects.order_by("id").values_list("kind", "amount")) == [("earn", 30), ("clawback", 30)]


def test_a_late_sale_that_explains_a_refund_better_sets_the_earlier_one_right() -> None:
    shop = Shop(open_program(expiry={"kind": "age", "months": 12}))
    early = shop.buy(("OIL", 30_000), at=NOW - 9 * DAY)
    shop.bring_back("OIL", 30_000, at=NOW)
    assert shop.wallet() == (0, 0, 0, 0)
    late = shop.buy(("OIL", 30_000), at=NOW - DAY)
    assert shop.wallet() == (30, 0, 0, 0)
    lots = dict(LotRemainder.objects.values_list("lot__entry__purchase_id", "available"))
    assert lots == {early.pk: 30, late.pk: 0}
    assert list(Entry.objects.order_by("id").values_list("kind", flat=True)) == ["earn", "clawback", "earn", "restore", "clawback"]


def test_what_was_restored_repays_debt_first() -> None:
    shop = Shop(open_program())
    shop.buy(("OIL", 30_000), at=NOW - 9 * DAY)
    redeem_points(member_id=shop.member.pk, amount=30, key="till", now=NOW, actor=SYSTEM)
    shop.bring_back("OIL", 30_000)
    assert shop.wallet() == (0, 0, 0, 30)
    shop.buy(("OIL", 30_000), at=NOW - DAY)
    assert shop.wallet() == (0, 0, 0, 0)


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_receipts_in_any_order_give_one_balance(order: tuple[int, ...]) -> None:
    shop = Shop(open_program(expiry={"kind": "age", "months": 1}), waits=True)
    shop.now = NOW + 60 * DAY
    receipts = [
        shop.buy(("OIL", 30_000), ("SOAP", 8_000), at=NOW - 9 * DAY),
        shop.buy(("OIL", 30_000), at=NOW + 40 * DAY),
        shop.bring_back("OIL", 30_000, at=NOW + 41 * DAY),
        shop.bring_back("COMB", 4_000, at=NOW + 42 * DAY),
    ]
    for index in order:
        shop.accrue(receipts[index])
    shop.accrue(*receipts)
    settle_member(member_id=shop.member.pk, now=shop.now)
    assert shop.wallet() == (0, 0, 0, 0)
    expired = Entry.objects.filter(kind=EntryKind.EXPIRE)
    assert {entry.occurred_at for entry in expired} <= {datetime(2026, 3, 22, 4, tzinfo=UTC)}
    remaining = dict(LotRemainder.objects.values_list("lot__entry__purchase_id", "available"))
    assert remaining == {receipts[0].pk: 0, receipts[1].pk: 0}


def rule(**values: Any) -> dict[str, Any]:
    return {"earn": [SALES | values]}


def test_a_cap_is_kept_in_each_local_day_and_refunds_of_what_it_cut_take_nothing_back() -> None:
    shop = Shop(open_program(**rule(cap={"points": 50, "per": "day"})))
    first = shop.buy(40_000)
    second = shop.buy(40_000)
    third = shop.buy(90_000, at=NOW + timedelta(hours=17))
    assert dict(Entry.objects.values_list("purchase_id", "amount")) == {first.pk: 40, second.pk: 10, third.pk: 50}
    shop.refund(second, 30_000)
    shop.refund(third, 50_000, at=NOW + timedelta(hours=18))
    assert shop.wallet() == (90, 0, 0, 0)


def test_a_sale_that_would_earn_more_than_an_entry_can_be_about_earns_that_and_is_taken_back_like_any_other(in_saffron: Cast) -> None:
    rich = {"on": "amount", "points": 10**9, "per_minor": 1}
    shop = Shop(open_program(earn=[SALES, {"key": "rich", **rich}, {"key": "richer", **rich}]))
    sale = shop.buy(10**10)
    assert shop.wallet() == (10**12, 0, 0, 0)
    assert Entry.objects.get().details["rules"] == {"sales": 10**7, "rich": 10**12 - 10**7, "richer": 0}
    shop.refund(sale, 10**10 - 500)
    assert shop.wallet() == (10**12, 0, 0, 0)
    shop.refund(sale, 499)
    assert shop.wallet() == (2 * 10**9, 0, 0, 0)
    shop.refund(sale, 1)
    assert (shop.wallet(), broken()) == ((0, 0, 0, 0), {})


def test_a_budget_is_never_exceeded_and_what_is_left_of_it_is_given() -> None:
    program = open_program(**rule(budget=100))
    shops = [Shop(program) for _shopper in range(3)]
    for shop in shops:
        shop.buy(40_000)
    assert [shop.wallet()[0] for shop in shops] == [40, 40, 20]
    last = Shop(program)
    last.buy(40_000)
    assert (last.wallet()[0], BudgetUse.objects.get().used) == (0, 100)


def test_conditions_are_asked_of_the_customer_place_and_weekday(in_saffron: Cast) -> None:
    program = open_program(
        earn=[
            SALES | {"rules": {"all": [{"field": "city", "op": "is", "value": "Paris"}]}},
            SALES | {"key": "there", "locations": [in_saffron.uptown.pk]},
        ],
        multipliers=[{"key": "tuesday", "percent": 300, "weekdays": [1]}],
    )
    here, paris = Shop(program), Shop(program, CustomerFactory.create(city="Paris"))
    here.buy(10_000)
    here.buy(10_000, location=in_saffron.uptown)
    paris.buy(10_000, location=in_saffron.uptown, at=NOW + DAY)
    assert (here.wallet()[0], paris.wallet()[0]) == (10, 60)


def test_the_tier_of_a_member_multiplies() -> None:
    tiers = {"basis": "spend", "levels": [{"key": "gold", "threshold": 10_000, "percent": 150}]}
    shop = Shop(open_program(tiers=tiers))
    shop.buy(10_000, at=NOW - DAY)
    shop.buy(11_000)
    assert shop.wallet()[0] == 10 + 16


def test_a_sale_is_multiplied_by_the_tier_it_found_whether_or_not_that_was_written_down_by_then() -> None:
    tiers = {"basis": "spend", "levels": [{"key": "base"}, {"key": "gold", "threshold": 20_000, "percent": 200}]}
    program = open_program(tiers=tiers)
    follows, waits = Shop(program), Shop(program)
    for shop in (follows, waits):
        for hours in (2, 1):
            shop.buy(20_000, at=NOW - timedelta(hours=hours))
            if shop is follows:
                update_tier(member_id=shop.member.pk, now=NOW, book=TermsBook())
    assert (follows.member.tier, waits.member.tier) == ("gold", "")
    assert follows.wallet()[0] == waits.wallet()[0] == 20 + 40
    for member in (follows.member, waits.member):
        quote = quote_cart(member=member, lines=[NewLine(unit_price_minor=5_000)], now=NOW)
        assert (quote.earned, quote.level and quote.level.key) == (10, "gold")


def test_pending_points_of_a_purchase_come_at_the_end_of_a_local_day() -> None:
    shop = Shop(open_program(pending_days=14))
    sale = shop.buy(10_000)
    assert shop.wallet() == (0, 0, 10, 0)
    shop.refund(sale, 4_000)
    assert shop.wallet() == (0, 0, 6, 0)
    settle_member(member_id=shop.member.pk, now=datetime(2026, 3, 17, 3, 59, tzinfo=UTC))
    assert shop.wallet() == (0, 0, 6, 0)
    settle_member(member_id=shop.member.pk, now=datetime(2026, 3, 17, 4, tzinfo=UTC))
    assert shop.wallet() == (6, 0, 0, 0)


def test_what_was_cancelled_while_pending_is_not_taken_back_again() -> None:
    shop = Shop(open_program(pending_days=14))
    sale = shop.buy(10_000)
    cancel_pending(member_id=shop.member.pk, entry_id=Entry.objects.get().pk, key="cancel", now=NOW, actor=SYSTEM)
    shop.refund(sale, 10_000)
    assert shop.wallet() == (0, 0, 0, 0)


def test_activity_keeps_points_alive_and_inactivity_ends_them() -> None:
    shop = Shop(open_program(expiry={"kind": "activity", "months": 1}))
    shop.buy(10_000)
    shop.now = NOW + 20 * DAY
    shop.buy(500)
    accrue_visits(visit_ids=[shop.visit(NOW + 30 * DAY).pk], now=NOW + 30 * DAY)
    settle_member(member_id=shop.member.pk, now=NOW + 50 * DAY)
    assert shop.wallet()[0] == 10
    assert set(LotRemainder.objects.values_list("expires_at", flat=True)) == {datetime(2026, 5, 2, 4, tzinfo=UTC)}
    settle_member(member_id=shop.member.pk, now=datetime(2026, 5, 2, 4, tzinfo=UTC))
    assert shop.wallet()[0] == 0


def test_history_that_is_known_counts_as_activity_whatever_is_told_first() -> None:
    program = open_program(expiry={"kind": "activity", "months": 1})
    balances = []
    for reverse in (False, True):
        shop = Shop(program, waits=True)
        sales = [shop.buy(10_000, at=NOW + days * DAY) for days in (0, 25, 50, 100, 110)]
        shop.now = NOW + 120 * DAY
        for sale in reversed(sales) if reverse else sales:
            shop.accrue(sale)
        balances.append(shop.wallet()[0])
    assert balances == [20, 20]


def test_milestones_are_awarded_once_and_sales_given_back_whole_do_not_count() -> None:
    milestone = {"key": "third", "on": "milestone", "points": 100, "milestone": {"count": 3, "of": "purchases"}}
    shop = Shop(open_program(earn=[milestone]))
    first = shop.buy(1_000, at=NOW)
    shop.refund(first, 1_000)
    sales = [shop.buy(1_000, at=NOW + hours * timedelta(hours=1)) for hours in range(1, 7)]
    shop.accrue(*sales)
    assert shop.wallet()[0] == 200
    awarded = Entry.objects.order_by("id").values_list("key", "occurred_at")
    assert list(awarded) == [
        (f"milestone:{shop.member.pk}:third:3", NOW),
        (f"milestone:{shop.member.pk}:third:6", NOW),
    ]


def test_visits_earn_and_are_multiplied() -> None:
    visit = {"key": "visit", "on": "visit", "points": 5}
    shop = Shop(open_program(earn=[visit], multipliers=[{"key": "monday", "percent": 150, "weekdays": [0]}]))
    one = shop.visit()
    for _again in range(2):
        accrue_visits(visit_ids=[one.pk], now=NOW)
    assert shop.wallet()[0] == 7


def test_other_customers_and_organizations_stay_as_they_are() -> None:
    shop = Shop(open_program())
    other = Shop(shop.program)
    shop.buy(10_000)
    assert Member.objects.count() == 1
    other.buy(20_000)
    assert (shop.wallet()[0], other.wallet()[0]) == (10, 20)
    assert (Customer.objects.count(), Purchase.objects.count()) == (2, 2)


def test_conditions_of_a_batch_are_asked_for_all_its_customers_at_once() -> None:
    in_paris = {"all": [{"field": "city", "op": "is", "value": "Paris"}]}
    program = open_program(earn=[SALES | {"rules": in_paris}])
    shops = [Shop(program, CustomerFactory.create(city=city), waits=True) for city in ("Paris", "Rome", "Paris")]
    sales = [shop.buy(10_000) for shop in shops]
    accrue_purchases(purchase_ids=[sale.pk for sale in sales], now=NOW)
    assert [shop.wallet()[0] for shop in shops] == [10, 0, 10]


def test_a_segment_that_terms_ask_about_is_not_deleted_and_one_that_is_gone_holds_for_nobody(in_saffron: Cast) -> None:
    everybody = create_segment(name="All", rules={"any": [{"field": "first_name", "op": "known"}]}, actor=SYSTEM, now=NOW)
    program = open_program(earn=[SALES | {"rules": {"all": [{"segment": everybody.pk}]}}])
    Shop(program).buy(10_000)
    with pytest.raises(ValidationError, match="It is in use by: Points"):
        delete_segment(segment=everybody, actor=SYSTEM, now=NOW)
    write_terms(program=program, document={"earn": [SALES]}, actor=SYSTEM, now=NOW, valid_from=NOW + DAY)
    delete_segment(segment=everybody, actor=SYSTEM, now=NOW)
    Shop(program).buy(10_000)
    assert list(Entry.objects.values_list("amount", flat=True)) == [10]


@pytest.mark.parametrize("is_told_late", [False, True])
def test_what_a_refund_took_back_stays_within_the_cap_whether_it_is_told_before_or_after_the_next_sale(
    is_told_late: bool,
) -> None:
    shop = Shop(open_program(earn=[SALES | {"cap": {"points": 10, "per": "day"}}]))
    first = shop.buy(10_000)
    assert shop.wallet() == (10, 0, 0, 0)
    for step in (1, 0) if is_told_late else (0, 1):
        if step:
            shop.buy(10_000, at=NOW + timedelta(hours=2))
        else:
            shop.refund(first, 10_000, at=NOW + timedelta(hours=1))
    assert shop.wallet() == (0, 0, 0, 0)
