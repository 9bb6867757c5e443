"""The invariants of the points ledger, one by one."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import Sum

from accounts.audit import SYSTEM
from loyalty.actions.holds import CaptureError, HoldResolvedError
from loyalty.actions.points import NotEarnedError, NotUndoableError, redeem_points
from loyalty.ledger.posting import KeyReusedError
from loyalty.ledger.verification import verify_ledger
from loyalty.models import Entry, EntryKind, Hold, HoldState, Posting
from loyalty.queries.wallets import standing_at
from loyalty.rules.postings import InsufficientPointsError
from tests.conftest import Cast
from tests.loyalty.ledger_stage import DAY, Stage, make_member


@pytest.fixture
def stage(in_saffron: Cast) -> Stage:
    return Stage(make_member())


def test_the_legs_of_every_entry_sum_to_zero(stage: Stage) -> None:
    earned = stage.earn(100)
    redemption = stage.redeem(60)
    stage.undo(redemption, 10)
    stage.claw_back(80, earned)
    _receipt, hold = stage.hold(0 + 5) if stage.wallet()[0] >= 5 else (None, None)
    assert hold is None
    sums = Posting.objects.values("entry").annotate(sum=Sum("amount")).values_list("sum", flat=True)
    assert set(sums) == {0}
    assert stage.wallet() == (0, 0, 0, 30)


def test_the_database_refuses_legs_that_do_not_sum_to_zero(stage: Stage) -> None:
    earned = stage.earn(100)
    with pytest.raises(DatabaseError, match="do not sum to zero"), transaction.atomic():
        Posting.objects.create(entry_id=earned.entry_id, account="wallet", amount=5)


@pytest.mark.parametrize("table", ["entry", "posting", "lot", "terms"])
def test_the_database_refuses_to_change_or_delete_what_was_posted(stage: Stage, table: str) -> None:
    stage.earn(100)
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from pg_trigger where tgrelid = %s::regclass and tgname like '%%append_only'", [f"loyalty_{table}"])
        assert cursor.fetchone() == (1,)
    if table == "terms":
        return
    for statement in (f"update loyalty_{table} set amount = amount + 1", f"delete from loyalty_{table}"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_the_same_key_and_request_is_the_same_entry(stage: Stage) -> None:
    first, again = stage.earn(100, key="sale-1"), stage.earn(100, key="sale-1")
    assert (again.entry_id, again.is_replay) == (first.entry_id, True)
    assert stage.wallet() == (100, 0, 0, 0)


def test_the_same_key_with_another_request_is_refused(stage: Stage) -> None:
    stage.earn(100, key="sale-1")
    with pytest.raises(KeyReusedError):
        stage.earn(101, key="sale-1")
    assert stage.wallet() == (100, 0, 0, 0)


def test_more_than_can_be_spent_is_refused_and_nothing_moves(stage: Stage) -> None:
    stage.earn(100)
    stage.hold(60)
    with pytest.raises(InsufficientPointsError):
        stage.redeem(41)
    assert stage.wallet() == (40, 60, 0, 0)
    assert Entry.objects.filter(kind=EntryKind.REDEEM).count() == 0


def test_the_earliest_expiry_is_spent_first_then_the_oldest_and_what_never_expires_last(stage: Stage) -> None:
    stage.earn(10)
    stage.earn(10, expires_in=30 * DAY)
    stage.earn(10, expires_in=20 * DAY)
    stage.redeem(15)
    assert stage.lots() == [10, 5, 0]


def test_of_lots_with_one_expiry_the_oldest_is_spent_first(stage: Stage) -> None:
    stage.earn(10, expires_in=30 * DAY)
    stage.now += DAY
    stage.earn(10, expires_in=29 * DAY)
    stage.redeem(11)
    assert stage.lots() == [0, 9]


def test_a_hold_is_captured_once_and_the_rest_returns(stage: Stage) -> None:
    stage.earn(100)
    _receipt, hold = stage.hold(60)
    stage.capture(hold, 45)
    assert stage.wallet() == (55, 0, 0, 0)
    for resolve in (stage.capture, stage.release):
        with pytest.raises(HoldResolvedError):
            resolve(hold)
    assert stage.wallet() == (55, 0, 0, 0)


def test_no_more_is_captured_than_is_held(stage: Stage) -> None:
    stage.earn(100)
    _receipt, hold = stage.hold(60)
    with pytest.raises(CaptureError):
        stage.capture(hold, 61)
    assert (stage.wallet(), Hold.objects.get().state) == ((40, 60, 0, 0), HoldState.OPEN)


def test_a_hold_lapses_at_its_moment_however_late_that_is_noticed(stage: Stage) -> None:
    stage.earn(100)
    _receipt, hold = stage.hold(60, lapses_in=timedelta(minutes=15))
    lapses_at = stage.now + timedelta(minutes=15)
    stage.now += 3 * DAY
    assert (stage.settle(), stage.settle()) == (1, 0)
    entry = Entry.objects.get(kind=EntryKind.LAPSE)
    assert (entry.occurred_at, entry.recorded_at) == (lapses_at, stage.now)
    assert stage.wallet() == (100, 0, 0, 0)
    with pytest.raises(HoldResolvedError):
        stage.capture(hold)


def test_points_held_over_their_expiry_can_be_captured_but_expire_when_they_return(stage: Stage) -> None:
    stage.earn(100, expires_in=DAY)
    _receipt, hold = stage.hold(60, lapses_in=3 * DAY)
    stage.now += 2 * DAY
    stage.capture(hold, 50)
    assert stage.wallet() == (0, 0, 0, 0)
    assert Posting.objects.filter(account="expired").aggregate(sum=Sum("amount"))["sum"] == 50


def test_nothing_that_has_lapsed_can_be_spent_before_the_sweep_came(stage: Stage) -> None:
    stage.earn(100, expires_in=DAY)
    stage.earn(10)
    stage.now += DAY
    with pytest.raises(InsufficientPointsError):
        stage.redeem(11)
    stage.redeem(10)
    assert stage.wallet() == (0, 0, 0, 0)


def test_undoing_a_redemption_restores_its_lots_and_lapsed_ones_expire_at_once(stage: Stage) -> None:
    stage.earn(30, expires_in=DAY)
    stage.earn(70, expires_in=9 * DAY)
    redemption = stage.redeem(50)
    stage.now += 2 * DAY
    stage.undo(redemption)
    assert (stage.wallet(), stage.lots()) == ((70, 0, 0, 0), [0, 70])
    with pytest.raises(NotUndoableError):
        stage.undo(redemption)


def test_a_redemption_is_undone_by_parts_and_never_beyond_itself(stage: Stage) -> None:
    stage.earn(30, expires_in=DAY)
    stage.earn(70)
    redemption = stage.redeem(50)
    stage.undo(redemption, 25)
    assert stage.lots() == [5, 70]
    with pytest.raises(NotUndoableError):
        stage.undo(redemption, 26)
    stage.undo(redemption, 25)
    assert stage.lots() == [30, 70]


def test_a_captured_hold_is_undone_like_a_redemption(stage: Stage) -> None:
    stage.earn(30)
    stage.earn(70)
    _receipt, hold = stage.hold(60)
    captured = stage.capture(hold, 40)
    stage.undo(captured)
    assert (stage.wallet(), stage.lots()) == ((100, 0, 0, 0), [30, 70])


def test_a_clawback_takes_its_own_lot_first_then_others_then_becomes_debt(stage: Stage) -> None:
    stage.earn(20, expires_in=DAY)
    earned = stage.earn(100, expires_in=9 * DAY)
    stage.claw_back(30, earned)
    assert stage.lots() == [20, 70]
    stage.claw_back(100, earned)
    assert (stage.wallet(), stage.lots()) == ((0, 0, 0, 10), [0, 0])


def test_debt_is_repaid_before_anything_can_be_spent(stage: Stage) -> None:
    stage.claw_back(50)
    stage.earn(30)
    assert stage.wallet() == (0, 0, 0, 20)
    stage.earn(30)
    assert (stage.wallet(), stage.lots()) == ((10, 0, 0, 0), [0, 10])


def test_points_that_expired_before_the_refund_are_not_taken_twice(stage: Stage) -> None:
    earned = stage.earn(100, expires_in=DAY)
    stage.earn(40)
    stage.now += 2 * DAY
    stage.claw_back(100, earned)
    assert stage.wallet() == (40, 0, 0, 0)


def test_pending_points_cannot_be_spent_and_mature_at_their_moment(stage: Stage) -> None:
    stage.earn(100, matures_in=DAY)
    assert stage.wallet() == (0, 0, 100, 0)
    with pytest.raises(InsufficientPointsError):
        stage.redeem(1)
    stage.now += DAY
    stage.redeem(1)
    assert stage.wallet() == (99, 0, 0, 0)


def test_pending_points_can_be_cancelled_once(stage: Stage) -> None:
    earned = stage.earn(100, matures_in=DAY)
    stage.cancel(earned)
    assert stage.wallet() == (0, 0, 0, 0)
    with pytest.raises(NotEarnedError):
        stage.cancel(earned)
    stage.now += 2 * DAY
    assert stage.settle() == 0


def test_points_earned_late_with_an_expiry_that_has_passed_are_gone_at_once(stage: Stage) -> None:
    stage.earn(100, expires_in=-DAY)
    assert stage.wallet() == (0, 0, 0, 0)


def test_cached_balances_equal_a_replay_at_every_past_moment(stage: Stage) -> None:
    seen = []
    earned = stage.earn(100, expires_in=9 * DAY)
    for step in (
        lambda: stage.redeem(30),
        lambda: stage.hold(20),
        lambda: stage.claw_back(80, earned),
        lambda: stage.earn(50),
        stage.settle,
    ):
        stage.now += DAY
        step()
        seen.append((stage.now, stage.wallet()))
    replayed = [standing_at(stage.member.pk, at) for at, _wallet in seen]
    assert [(at.balance, at.held, at.pending, at.debt) for at in replayed] == [wallet for _at, wallet in seen]
    assert [wallet for _at, wallet in seen][-1] == (40, 0, 0, 0)


def test_undoing_a_taking_restores_lots_and_expiries_and_lapsed_ones_expire_at_once(stage: Stage) -> None:
    stage.earn(50, expires_in=DAY)
    stage.earn(50, expires_in=9 * DAY)
    taken = redeem_points(member_id=stage.member.pk, amount=80, key="take", now=stage.now, actor=SYSTEM, kind=EntryKind.TAKE)
    stage.now += 2 * DAY
    stage.undo(taken)
    assert (stage.wallet(), stage.lots()) == ((50, 0, 0, 0), [0, 50])
    assert {check: verdict.first for check, verdict in verify_ledger().items() if verdict.failed} == {}
    with pytest.raises(NotUndoableError):
        stage.undo(taken)
