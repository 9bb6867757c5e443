"""What a till redeemed while it was alone counts as of then, for a week: also when the points have expired before it arrived."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.audit import SYSTEM
from loyalty.actions.holds import CaptureError, HoldResolvedError, capture_hold
from loyalty.actions.points import redeem_points
from loyalty.actions.programs import write_terms
from loyalty.actions.rewards import redeem_reward
from loyalty.ledger.posting import Receipt
from loyalty.ledger.stock import RewardRefusedError
from loyalty.ledger.verification import verify_ledger
from loyalty.models import Posting, Reward
from loyalty.queries.liability import outstanding_points
from loyalty.rules.postings import InsufficientPointsError
from loyalty.rules.rewards import Refusal
from tests.conftest import Cast
from tests.loyalty.ledger_stage import DAY, NOW, Stage, make_member
from tests.loyalty.reward_stage import RewardStage, left

HOUR = timedelta(hours=1)


@pytest.fixture
def stage(in_saffron: Cast) -> Stage:
    """Two lots, of which one expires in an hour."""
    stage = Stage(make_member())
    stage.earn(50, expires_in=HOUR)
    stage.earn(30, expires_in=90 * DAY)
    return stage


def arrive(stage: Stage, amount: int, *, at: datetime, key: str = "till") -> Receipt:
    return redeem_points(member_id=stage.member.pk, amount=amount, key=key, now=stage.now, actor=SYSTEM, occurred_at=at)


def sums(stage: Stage) -> dict[str, int]:
    totals: dict[str, int] = {}
    for account, amount in Posting.objects.filter(entry__member=stage.member).values_list("account", "amount"):
        totals[account] = totals.get(account, 0) + amount
    return totals


@pytest.mark.parametrize("later", [timedelta(0), 2 * HOUR, 7 * DAY])
def test_it_comes_out_the_same_whenever_it_arrives(stage: Stage, later: timedelta) -> None:
    stage.now += later
    stage.settle()
    arrive(stage, 60, at=NOW)
    stage.now = NOW + 8 * DAY
    stage.settle()
    assert (stage.wallet(), stage.lots()) == ((20, 0, 0, 0), [0, 20])
    assert {account: amount for account, amount in sums(stage).items() if amount} == {"issued": -80, "wallet": 20, "redeemed": 60}
    assert outstanding_points(stage.member.program_id) == 20
    assert {check: verdict.first for check, verdict in verify_ledger().items() if verdict.failed} == {}


@pytest.mark.parametrize(("at", "later"), [(NOW, 7 * DAY + HOUR), (NOW + 2 * HOUR, 3 * HOUR), (NOW - HOUR, 2 * HOUR)])
def test_not_after_a_week_nor_for_what_had_expired_or_was_not_earned_by_then(stage: Stage, at: datetime, later: timedelta) -> None:
    stage.now = NOW + later
    with pytest.raises(InsufficientPointsError) as error:
        arrive(stage, 60, at=at)
    assert (error.value.wanted, error.value.available) == (60, 30)


def test_no_point_is_brought_back_twice(stage: Stage) -> None:
    stage.now += 2 * HOUR
    arrive(stage, 40, at=NOW, key="first")
    with pytest.raises(InsufficientPointsError) as error:
        arrive(stage, 50, at=NOW, key="second")
    assert error.value.available == 40


def test_when_it_is_undone_they_have_expired(stage: Stage) -> None:
    stage.now += 2 * HOUR
    stage.undo(arrive(stage, 60, at=NOW))
    assert (stage.wallet(), stage.lots()) == ((30, 0, 0, 0), [0, 30])
    assert {check: verdict.first for check, verdict in verify_ledger().items() if verdict.failed} == {}


def test_a_reward_that_a_till_gave_out_is_paid_by_what_was_there_then(in_saffron: Cast) -> None:
    stage = RewardStage(make_member())
    stage.earn(50, expires_in=HOUR)
    stage.earn(30, expires_in=90 * DAY)
    reward = stage.reward(points=60, valid_until=NOW + HOUR)
    stage.now += 2 * HOUR
    with pytest.raises(RewardRefusedError):
        stage.buy(reward)
    assert (left(reward), stage.wallet()) == ((None, 0), (30, 0, 0, 0))
    bought = redeem_reward(member_id=stage.member.pk, reward_id=reward.pk, key="till", now=stage.now, actor=SYSTEM, occurred_at=NOW)
    assert (left(reward), stage.wallet(), bought.voucher.points) == ((None, 1), (20, 0, 0, 0), 60)
    assert {check: verdict.first for check, verdict in verify_ledger().items() if verdict.failed} == {}


def arrive_with(stage: RewardStage, reward: Reward, *, at: datetime) -> Receipt:
    key = f"till {at}"
    return redeem_reward(member_id=stage.member.pk, reward_id=reward.pk, key=key, now=stage.now, actor=SYSTEM, occurred_at=at).receipt


def test_a_reward_that_a_till_gave_out_asks_for_the_tier_of_then(in_saffron: Cast) -> None:
    stage = RewardStage(make_member())
    levels = [{"key": "gold", "threshold": 100}]
    document = {"tiers": {"basis": "points", "window": {"months": 1}, "levels": levels}}
    write_terms(program=stage.member.program, document=document, actor=SYSTEM, now=NOW)
    stage.earn(100)
    reward, gold_until = stage.reward(60, tiers=["gold"]), datetime(2026, 4, 2, 11, tzinfo=UTC)
    stage.now = gold_until + DAY
    with pytest.raises(RewardRefusedError) as error:
        arrive_with(stage, reward, at=gold_until)
    assert (error.value.reason, stage.wallet()) == (Refusal.TIER, (100, 0, 0, 0))
    assert arrive_with(stage, reward, at=gold_until - HOUR).balance == 40


def test_a_reward_that_a_till_gave_out_counts_in_the_day_of_then(in_saffron: Cast) -> None:
    stage = RewardStage(make_member())
    stage.earn(500)
    reward = stage.reward(60, limit_per_period=1, limit_period="day")
    stage.now += 2 * DAY
    stage.buy(reward)
    assert arrive_with(stage, reward, at=NOW + DAY).balance == 500 - 2 * 60
    for day in (NOW + DAY + HOUR, stage.now - HOUR):
        with pytest.raises(RewardRefusedError) as error:
            arrive_with(stage, reward, at=day)
        assert error.value.reason is Refusal.PERIOD_LIMIT
    assert (left(reward), stage.wallet()) == ((None, 2), (380, 0, 0, 0))


def capture_late(stage: Stage, hold_id: int, *, at: datetime, key: str = "till", amount: int | None = None) -> Receipt:
    return capture_hold(member_id=stage.member.pk, hold_id=hold_id, key=key, now=stage.now, actor=SYSTEM, amount=amount, occurred_at=at)


def test_a_reservation_that_a_till_captured_before_its_end_is_honoured_once(stage: Stage) -> None:
    _receipt, hold = stage.hold(60, lapses_in=HOUR)
    stage.now += 2 * HOUR  # the points of the first lot have expired as well
    stage.settle()
    assert stage.wallet() == (30, 0, 0, 0)
    with pytest.raises(CaptureError):
        capture_late(stage, hold, at=NOW, amount=61)
    before_its_end = NOW + HOUR - timedelta(microseconds=1)
    first = capture_late(stage, hold, at=before_its_end, amount=55)
    assert (first.balance, stage.lots()) == (25, [0, 25])
    assert capture_late(stage, hold, at=before_its_end, amount=55).is_replay
    with pytest.raises(HoldResolvedError):
        capture_late(stage, hold, at=before_its_end, amount=5, key="again")
    assert stage.undo(first).balance == 30
    assert {check: verdict.first for check, verdict in verify_ledger().items() if verdict.failed} == {}


def test_a_reservation_is_over_at_its_end_and_its_points_may_be_gone(stage: Stage) -> None:
    _receipt, hold = stage.hold(60, lapses_in=HOUR)
    stage.now += 2 * HOUR
    with pytest.raises(HoldResolvedError):
        capture_late(stage, hold, at=NOW + HOUR)
    stage.redeem(30)
    with pytest.raises(InsufficientPointsError) as error:
        capture_late(stage, hold, at=NOW)
    assert (error.value.wanted, error.value.available, stage.wallet()) == (60, 50, (0, 0, 0, 0))


def test_a_reward_whose_reservation_lapsed_is_not_captured_any_more(in_saffron: Cast) -> None:
    stage = RewardStage(make_member())
    stage.earn(100)
    reserved = stage.reserve(reward := stage.reward(60, stock=1), lapses_in=HOUR).voucher
    stage.now += 2 * HOUR
    stage.settle()
    assert reserved.hold_id is not None
    with pytest.raises(HoldResolvedError):
        capture_late(stage, reserved.hold_id, at=NOW)
    assert (stage.wallet(), left(reward)) == ((100, 0, 0, 0), (1, 0))
