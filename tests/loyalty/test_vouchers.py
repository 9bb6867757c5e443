"""A voucher is used exactly once."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from accounts.models import AuditEntry
from accounts.tenancy import tenant
from crm.models import Event
from loyalty.actions.vouchers import CashDueError, UnknownVoucherError, VoucherNotUsedError, expire_vouchers
from loyalty.ledger.bought import VoucherNotOpenError
from loyalty.ledger.posting import KeyReusedError
from loyalty.models import Reward, Voucher, VoucherState
from loyalty.queries.vouchers import find_voucher, vouchers_of
from loyalty.tasks import sweep_rewards
from tests.conftest import Cast
from tests.loyalty.ledger_stage import DAY, make_member
from tests.loyalty.reward_stage import RewardStage, left


@pytest.fixture
def stage(in_saffron: Cast) -> RewardStage:
    stage = RewardStage(make_member())
    stage.earn(1_000)
    return stage


def test_a_voucher_is_used_once_and_says_when_and_where(stage: RewardStage, in_saffron: Cast) -> None:
    voucher = stage.buy(stage.reward()).voucher
    used = stage.use(voucher, location_id=in_saffron.downtown.pk)
    assert (used.state, used.used_at, used.used_location) == (VoucherState.USED, stage.now, in_saffron.downtown)
    with pytest.raises(VoucherNotOpenError) as error:
        stage.use(voucher, location_id=in_saffron.uptown.pk)
    assert error.value.state is VoucherState.USED
    event = Event.objects.get(kind="voucher.used")
    assert (event.properties["voucher"], event.properties["location"]) == (voucher.pk, in_saffron.downtown.pk)
    assert AuditEntry.objects.get(action="voucher.used").after == {"location": in_saffron.downtown.pk, "paid_minor": 0}


def test_the_same_request_again_is_the_same_use(stage: RewardStage) -> None:
    voucher = stage.buy(stage.reward()).voucher
    first = stage.use(voucher, key="till-1:7")
    assert stage.use(voucher, key="till-1:7").used_at == first.used_at
    assert Event.objects.filter(kind="voucher.used").count() == 1


def test_a_use_is_undone_once_and_the_voucher_can_be_used_again(stage: RewardStage) -> None:
    voucher = stage.buy(stage.reward(stock=1)).voucher
    stage.use(voucher, key="till-1:7")
    undone = stage.undo_use(voucher, key="undo")
    assert (undone.state, undone.used_at, undone.used_location) == (VoucherState.ISSUED, None, None)
    assert AuditEntry.objects.get(action="voucher.use_undone").after == {"state": "issued"}
    assert Event.objects.get(kind="voucher.use_undone").properties["voucher"] == voucher.pk
    assert stage.use(voucher, key="till-1:7").state == VoucherState.ISSUED
    assert stage.use(voucher, key="till-1:8").state == VoucherState.USED
    assert stage.undo_use(voucher, key="undo").state == VoucherState.USED
    assert left(voucher.reward) == (1, 1)


def test_a_use_that_is_undone_too_late_leaves_an_expired_voucher(stage: RewardStage) -> None:
    voucher = stage.buy(stage.reward(voucher_days=1)).voucher
    stage.use(voucher)
    stage.now += 3 * DAY
    assert stage.undo_use(voucher).state == VoucherState.EXPIRED
    assert Event.objects.filter(kind="voucher.expired").count() == 1
    with pytest.raises(VoucherNotUsedError):
        stage.undo_use(voucher)


def test_a_key_that_used_another_voucher_is_refused(stage: RewardStage) -> None:
    reward = stage.reward()
    first, second = stage.buy(reward).voucher, stage.buy(reward).voucher
    stage.use(first, key="till-1:7")
    with pytest.raises(KeyReusedError):
        stage.use(second, key="till-1:7")
    assert Voucher.objects.get(pk=second.pk).state == VoucherState.ISSUED


def test_a_voucher_with_money_is_used_by_paying_exactly_that(stage: RewardStage) -> None:
    voucher = stage.buy(stage.reward(60, cash_minor=499)).voucher
    for paid in (0, 498, 500):
        with pytest.raises(CashDueError) as error:
            stage.use(voucher, paid_minor=paid)
        assert error.value.due_minor == 499
    assert stage.use(voucher, paid_minor=499).state == VoucherState.USED
    assert stage.wallet() == (940, 0, 0, 0)


def test_a_voucher_holds_for_a_century_at_most_and_one_written_for_longer_stops_nobody(stage: RewardStage) -> None:
    with pytest.raises(ValidationError) as error:
        stage.reward(voucher_days=36_601)
    assert list(error.value.message_dict) == ["voucher_days"]
    reward = stage.reward(voucher_days=36_600)
    Reward.objects.filter(pk=reward.pk).update(voucher_days=9_999_999)
    reward.refresh_from_db()
    assert stage.buy(reward).voucher.expires_at == datetime(2126, 5, 18, 4, tzinfo=UTC)


def test_a_code_is_found_however_its_letters_and_digits_are_typed(stage: RewardStage) -> None:
    voucher = stage.buy(stage.reward()).voucher
    Voucher.objects.filter(pk=voucher.pk).update(code="23456789ABCDEF")
    assert [find_voucher(typed) for typed in ("2345 6789-abcdef", "۲۳۴۵ ۶۷۸۹ ABCDEF", "٢٣٤٥٦٧٨٩abcdef")] == [voucher] * 3
    assert find_voucher("۲۳۴۵ ۶۷۸۹ ABCDEG") is None


def test_a_voucher_holds_to_the_end_of_its_last_local_day_even_before_the_sweep(stage: RewardStage) -> None:
    reward = stage.reward(voucher_days=30)
    first, second = stage.buy(reward).voucher, stage.buy(reward).voucher
    end = datetime(2026, 4, 2, 4, tzinfo=UTC)  # midnight after 1 April in New York, by then in summer time
    assert first.expires_at == end
    stage.now = datetime(2026, 4, 2, 3, 59, 59, tzinfo=UTC)
    stage.use(first)
    stage.now = end
    with pytest.raises(VoucherNotOpenError) as error:
        stage.use(second)
    assert error.value.state is VoucherState.EXPIRED
    with pytest.raises(VoucherNotOpenError):
        stage.give_back(second)
    assert (expire_vouchers(now=end), expire_vouchers(now=end)) == (1, 0)
    assert Voucher.objects.get(pk=second.pk).state == VoucherState.EXPIRED
    assert Event.objects.get(kind="voucher.expired").occurred_at == end
    assert left(reward) == (None, 2)


def test_a_code_is_found_however_it_was_typed_and_guessing_finds_nothing(stage: RewardStage) -> None:
    code = stage.buy(stage.reward()).voucher.code
    typed = f" {code[:4].lower()}-{code[4:8]} {code[8:]}"
    found = find_voucher(typed)
    assert found is not None
    assert found.code == code
    with pytest.raises(UnknownVoucherError):
        stage.use(Voucher(code="A" * 14))


def test_a_member_sees_what_they_got_and_not_what_came_to_nothing(stage: RewardStage) -> None:
    reward = stage.reward()
    released = stage.reserve(reward).voucher
    assert released.hold_id is not None
    stage.release(released.hold_id)
    bought = stage.buy(reward).voucher
    undone = stage.buy(reward).voucher
    stage.give_back(undone)
    assert list(vouchers_of(stage.member.pk)) == [undone, bought]


def test_another_organization_neither_finds_nor_uses_a_voucher(cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        stage = RewardStage(make_member())
        stage.earn(100)
        voucher = stage.buy(stage.reward(voucher_days=1)).voucher
    with tenant(cast.rival.pk):
        assert find_voucher(voucher.code) is None
        with pytest.raises(UnknownVoucherError):
            stage.use(voucher)
        assert expire_vouchers(now=datetime(2030, 1, 1, tzinfo=UTC)) == 0
    with tenant(cast.saffron.pk):
        assert Voucher.objects.get().state == VoucherState.ISSUED


def test_the_sweep_expires_vouchers_and_verification_looks_at_rewards(committed_cast: Cast) -> None:
    with tenant(committed_cast.saffron.pk):
        stage = RewardStage(make_member())
        stage.earn(100)
        voucher = stage.buy(stage.reward(60, voucher_days=1)).voucher
    sweep_rewards()
    report = StringIO()
    call_command("verify_ledger", organization="saffron", stdout=report)
    assert "sold is what was not cancelled, and no more than the stock: ok" in report.getvalue()
    with tenant(committed_cast.saffron.pk):
        assert Voucher.objects.get().state == VoucherState.EXPIRED
        Voucher.objects.update(points=61)
    with pytest.raises(CommandError, match="1 promises are broken"):
        call_command("verify_ledger", organization="saffron", stdout=report)
    assert f"came back: BROKEN, first {voucher.pk}" in report.getvalue()


@pytest.mark.parametrize("swept", [True, False])
def test_a_voucher_used_while_the_till_was_alone_counts_as_of_then(stage: RewardStage, swept: bool) -> None:
    voucher = stage.buy(stage.reward(voucher_days=1)).voucher
    used_at = stage.now + timedelta(hours=1)
    stage.now += 4 * DAY
    if swept:
        assert expire_vouchers(now=stage.now) == 1
    used = stage.use(voucher, occurred_at=used_at)
    assert (used.state, used.used_at) == (VoucherState.USED, used_at)
    assert Event.objects.get(kind="voucher.used").occurred_at == used_at


@pytest.mark.parametrize(
    "said", [timedelta(days=3), timedelta(days=20), timedelta(days=-2)], ids=["after_its_end", "to_come", "before_a_week"]
)
def test_not_when_it_had_expired_by_then_or_a_week_has_passed(stage: RewardStage, said: timedelta) -> None:
    voucher = stage.buy(stage.reward(voucher_days=1)).voucher
    begun, stage.now = stage.now, stage.now + 6 * DAY
    with pytest.raises(VoucherNotOpenError) as error:
        stage.use(voucher, occurred_at=begun + said)
    assert error.value.state is VoucherState.EXPIRED
    voucher.refresh_from_db()
    assert (voucher.state, voucher.used_at, Event.objects.filter(kind="voucher.used").exists()) == (VoucherState.ISSUED, None, False)
