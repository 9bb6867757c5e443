"""What points owe."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from accounts.audit import SYSTEM
from accounts.models import Organization
from accounts.tenancy import tenant
from loyalty.actions.closing import close_months
from loyalty.actions.points import cancel_pending
from loyalty.models import ClosedMonth, Entry, Program
from loyalty.queries.closing_checks import CHECK, wrong_closings
from loyalty.queries.liability import liability_by_month, outstanding_points
from loyalty.rules.liability import PeriodAccount, Split, Worth, split_sale
from loyalty.tasks import close_months as close_months_of_all
from tests.conftest import Cast
from tests.loyalty.ledger_stage import DAY, NOW, Stage
from tests.loyalty.program_stage import SALES, Shop, open_program

WORTH = Worth(point_minor=Fraction("1.2"), redeemed_share=Fraction(80, 100))


def test_a_sale_of_800_with_2000_points_is_781_25_and_18_75() -> None:
    assert split_sale(sale_minor=80_000, points=2_000, worth=WORTH) == Split(78_125, 1_875)


def test_a_sale_without_points_belongs_to_the_goods() -> None:
    assert split_sale(sale_minor=80_000, points=0, worth=WORTH) == Split(80_000, 0)


@given(st.integers(1, 10**9), st.integers(0, 10**7))
def test_the_parts_of_a_sale_are_the_sale(sale_minor: int, points: int) -> None:
    split = split_sale(sale_minor=sale_minor, points=points, worth=WORTH)
    assert split.goods_minor + split.points_minor == sale_minor
    assert 0 <= split.points_minor <= sale_minor


def test_each_month_opens_with_what_the_one_before_closed_with_and_the_last_closes_with_what_wallets_hold(in_saffron: Cast) -> None:
    program = open_program(redemption={"points": 1_000, "minor": 1_200}, redeemed_share=80)
    shop = Shop(program)
    sale = shop.buy(2_000_000)
    stage = Stage(shop.member)
    stage.earn(100, expires_in=40 * DAY)
    redeemed = stage.redeem(600)
    stage.now = shop.now = NOW + 45 * DAY
    stage.undo(redeemed, 100)
    shop.refund(sale, 500_000)
    stage.hold(50)
    accounts = liability_by_month(program_id=program.pk, until=stage.now)
    assert [
        (str(month.starts_on), month.opening, month.issued, month.redeemed, month.expired, month.reversed, month.closing)
        for month in accounts
    ] == [
        ("2026-03-01", 0, 2_100, 600, 0, 0, 1_500),
        ("2026-04-01", 1_500, 0, -100, 0, 500, 1_100),
    ]
    assert accounts[-1].closing == outstanding_points(program.pk)
    # 20,000.00 with 2,000 points worth 1.2 minor units at 80 %: 1,920 of 2,001,920 parts.
    assert accounts[0].deferred_minor == 1_918


def deferred(program: Program, *, until: datetime = NOW) -> list[int]:
    return [month.deferred_minor for month in liability_by_month(program_id=program.pk, until=until)]


def test_what_belongs_to_points_goes_with_what_is_given_back_in_the_month_it_is(in_saffron: Cast) -> None:
    program = open_program(earn=[SALES | {"per_minor": 40}], redemption={"points": 1_000, "minor": 1_200}, redeemed_share=80)
    shop = Shop(program)
    sale = shop.buy(80_000)
    assert deferred(program) == [1_875]
    shop.refund(sale, 20_000)
    assert deferred(program) == [1_406]  # three quarters of it, half up
    later = shop.now = NOW + 45 * DAY
    shop.refund(sale, 60_000)
    assert (deferred(program), deferred(program, until=later)) == ([1_406], [1_406, -1_406])


def test_points_that_were_cancelled_or_given_back_defer_nothing_or_all_again(in_saffron: Cast) -> None:
    program = open_program(pending_days=14, earn=[SALES | {"per_minor": 40}], redemption={"points": 1_000, "minor": 1_200})
    shop = Shop(program)
    shop.buy(("OIL", 80_000), at=NOW - 9 * DAY)
    cancelled = Entry.objects.get(kind="earn")
    back = shop.bring_back("OIL", 80_000)
    assert (deferred(program), back.refund_of) == ([0], None)
    shop.buy(("OIL", 80_000), at=NOW - DAY)  # explains the refund better
    assert (deferred(program), shop.wallet()[2]) == ([1_875], 2_000)
    cancel_pending(member_id=shop.member.pk, entry_id=cancelled.pk, key="cancel", now=NOW, actor=SYSTEM)
    assert deferred(program) == [0]


def test_sales_are_divided_in_the_database_as_the_rule_divides_them(in_saffron: Cast) -> None:
    program = open_program(earn=[SALES | {"points": 7, "per_minor": 3}], redemption={"points": 1_000, "minor": 1_200}, redeemed_share=80)
    shop = Shop(program)
    for amount in (1, 2, 3, 5, 11, 12, 13, 499, 501, 99_999):
        shop.buy(amount)
    earned = Entry.objects.filter(kind="earn").values_list("purchase__total_minor", "amount")
    assert deferred(program) == [sum(split_sale(sale_minor=sale, points=points, worth=WORTH).points_minor for sale, points in earned)]


class Year:
    """A program that sells, takes back and redeems over months, the last of which is not over."""

    def __init__(self) -> None:
        self.program = open_program(redemption={"points": 1_000, "minor": 1_200}, redeemed_share=80)
        self.shop = Shop(self.program)
        sale = self.shop.buy(2_000_000)
        stage = Stage(self.shop.member)
        stage.now = self.shop.now = NOW + 45 * DAY
        stage.redeem(600)
        self.shop.refund(sale, 500_000)
        self.shop.now = NOW + 80 * DAY
        self.shop.refund(sale, 300_000)
        self.shop.buy(700_000)
        self.now = self.shop.now

    def accounts(self) -> list[PeriodAccount]:
        return liability_by_month(program_id=self.program.pk, until=self.now)


def test_closed_months_are_read_and_change_nothing_in_the_report(in_saffron: Cast) -> None:
    year = Year()
    before = year.accounts()
    assert close_months(now=year.now) == 2
    closed = list(ClosedMonth.objects.order_by("starts_on").values_list("starts_on", "issued", "redeemed", "reversed", "deferred_minor"))
    assert closed == [(month.starts_on, month.issued, month.redeemed, month.reversed, month.deferred_minor) for month in before[:2]]
    assert [str(month.starts_on) for month in before] == ["2026-03-01", "2026-04-01", "2026-05-01"]
    assert year.accounts() == before
    assert (close_months(now=year.now), ClosedMonth.objects.count()) == (0, 2)
    assert wrong_closings() == []
    # The report of a day before they were closed, and one by another clock, are added up.
    assert liability_by_month(program_id=year.program.pk, until=NOW) == [
        PeriodAccount(before[0].starts_on, 0, 2_000, 0, 0, 0, 1_918),
    ]
    Organization.objects.update(time_zone="Asia/Tehran")
    assert [month.closing for month in year.accounts()] == [month.closing for month in before]


def test_a_month_is_closed_when_it_has_been_over_for_a_day(in_saffron: Cast) -> None:
    year = Year()
    april = datetime(2026, 4, 1, 4, tzinfo=UTC)  # midnight in New York
    assert close_months(now=april + DAY - timedelta(microseconds=1)) == 0
    assert close_months(now=april + DAY) == 1
    assert ClosedMonth.objects.get().program == year.program


def test_a_closed_month_that_is_not_what_was_posted_is_told(in_saffron: Cast) -> None:
    year = Year()
    close_months(now=year.now)
    ClosedMonth.objects.filter(starts_on="2026-04-01").update(redeemed=1)
    assert [(promise.check, promise.ids) for promise in wrong_closings()] == [(CHECK, (year.program.pk,))]


def test_closing_leaves_other_organizations_alone(cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        year = Year()
    with tenant(cast.rival.pk):
        assert close_months(now=year.now) == 0
        assert ClosedMonth.objects.count() == 0
    close_months_of_all()
    with tenant(cast.saffron.pk):
        assert ClosedMonth.objects.count() == 3
    with tenant(cast.rival.pk):
        assert ClosedMonth.objects.count() == 0
