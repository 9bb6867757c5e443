"""What a merge of customers and its undoing do to a membership: nothing is lost on the way there or back."""

import pytest

from accounts.audit import SYSTEM
from loyalty.actions.moving import OpenHoldsError, move_member, undo_move
from loyalty.ledger.verification import verify_ledger
from loyalty.models import Entry, Lot, Member
from tests.conftest import Cast
from tests.factories import CustomerFactory
from tests.loyalty.ledger_stage import DAY, Stage, make_member


@pytest.fixture
def stage(in_saffron: Cast) -> Stage:
    return Stage(make_member())


@pytest.fixture
def other(stage: Stage) -> Stage:
    """Another customer's membership of the same program."""
    return Stage(make_member(stage.member.program), keys=stage.keys)


def move(stage: Stage, other: Stage) -> Member:
    return move_member(member_id=stage.member.pk, to_customer=other.member.customer, now=stage.now, actor=SYSTEM)


def undo(stage: Stage, other: Stage) -> None:
    undo_move(member_id=stage.member.pk, to_member_id=other.member.pk, now=stage.now, actor=SYSTEM)


def assert_sound() -> None:
    assert {check: verdict.first for check, verdict in verify_ledger().items() if verdict.failed} == {}


def test_a_customer_without_a_membership_gets_the_member_itself(stage: Stage) -> None:
    stage.earn(100)
    merged = CustomerFactory.create()
    member = move_member(member_id=stage.member.pk, to_customer=merged, now=stage.now, actor=SYSTEM)
    assert (member.pk, member.customer_id) == (stage.member.pk, merged.pk)
    assert stage.wallet() == (100, 0, 0, 0)
    assert Entry.objects.count() == 1


def test_points_go_with_their_dates_to_the_other_membership_and_the_old_one_closes(stage: Stage, other: Stage) -> None:
    first = stage.earn(100, expires_in=9 * DAY)
    stage.redeem(30)
    stage.earn(50, matures_in=2 * DAY, expires_in=30 * DAY)
    other.earn(5)
    assert move(stage, other) == other.member
    assert (stage.wallet(), other.wallet()) == ((0, 0, 0, 0), (75, 0, 50, 0))
    moved = Lot.objects.get(moved_from=first.entry_id)
    original = Lot.objects.get(pk=first.entry_id)
    assert (moved.amount, moved.earned_at, moved.expires_at) == (70, original.earned_at, original.expires_at)
    assert not Member.objects.get(pk=stage.member.pk).is_active
    stage.now = other.now = stage.now + 2 * DAY
    other.settle()
    assert other.wallet() == (125, 0, 0, 0)
    assert_sound()


def test_there_and_back_conserves_points_and_lots(stage: Stage, other: Stage) -> None:
    stage.earn(100, expires_in=9 * DAY)
    stage.earn(40)
    stage.earn(50, matures_in=2 * DAY)
    other.earn(5)
    before = (stage.wallet(), stage.lots(), other.wallet())
    move(stage, other)
    undo(stage, other)
    assert (stage.wallet(), stage.lots(), other.wallet()) == before
    assert Member.objects.get(pk=stage.member.pk).is_active
    stage.now += 10 * DAY
    stage.settle()
    assert (stage.wallet(), stage.lots()) == ((90, 0, 0, 0), [0, 40, 50])
    assert_sound()


def test_what_was_spent_meanwhile_does_not_come_back(stage: Stage, other: Stage) -> None:
    stage.earn(100, expires_in=9 * DAY)
    other.earn(5)
    move(stage, other)
    other.redeem(60)
    undo(stage, other)
    assert (stage.wallet(), stage.lots(), other.wallet()) == ((40, 0, 0, 0), [40], (5, 0, 0, 0))
    assert_sound()


def test_debt_goes_along_is_repaid_there_and_comes_back(stage: Stage, other: Stage) -> None:
    stage.claw_back(30)
    other.earn(20)
    move(stage, other)
    assert (stage.wallet(), other.wallet()) == ((0, 0, 0, 0), (0, 0, 0, 10))
    undo(stage, other)
    assert (stage.wallet(), other.wallet(), other.lots()) == ((0, 0, 0, 30), (20, 0, 0, 0), [20])
    undo(stage, other)
    assert (stage.wallet(), other.wallet()) == ((0, 0, 0, 30), (20, 0, 0, 0))
    assert_sound()


def test_moved_points_repay_debt_of_the_other_membership_first(stage: Stage, other: Stage) -> None:
    stage.earn(100)
    other.claw_back(30)
    move(stage, other)
    assert (stage.wallet(), other.wallet(), other.lots()) == ((0, 0, 0, 0), (70, 0, 0, 0), [70])
    assert_sound()


def test_what_comes_to_a_closed_membership_later_is_carried_over_by_moving_again(stage: Stage, other: Stage) -> None:
    stage.earn(100)
    redemption = stage.redeem(60)
    move(stage, other)
    stage.undo(redemption)
    move(stage, other)
    assert (stage.wallet(), other.wallet()) == ((0, 0, 0, 0), (100, 0, 0, 0))
    assert_sound()


def test_nothing_moves_while_points_are_reserved(stage: Stage, other: Stage) -> None:
    stage.earn(100)
    stage.hold(10)
    with pytest.raises(OpenHoldsError):
        move(stage, other)
    assert (stage.wallet(), other.wallet()) == ((90, 10, 0, 0), (0, 0, 0, 0))
