"""What a merge of customers and its undoing do to a membership: nothing is lost on the way there or back."""

import pytest

from accounts.audit import SYSTEM
from loyalty.actions.moving import MovedOnError, OpenHoldsError, move_member, undo_move
from loyalty.actions.points import NotEarnedError, earn_points
from loyalty.actions.programs import write_terms
from loyalty.ledger.moving import carry_strays
from loyalty.ledger.prolonging import prolong_lots
from loyalty.ledger.verification import verify_ledger
from loyalty.models import Entry, Lot, LotRemainder, Member, Posting
from tests.conftest import Cast
from tests.factories import CustomerFactory
from tests.loyalty.ledger_stage import DAY, NOW, Stage, make_member
from tests.loyalty.program_stage import SALES


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


def remaining(stage: Stage) -> list[int]:
    """What can be spent of each lot that has something left, the smallest first."""
    return sorted(left for left in stage.lots() if left)


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


def test_an_undone_redemption_goes_to_whoever_holds_the_points(stage: Stage, other: Stage) -> None:
    stage.earn(100)
    redemption = stage.redeem(60)
    move(stage, other)
    receipt = stage.undo(redemption)
    assert (receipt.balance, stage.wallet(), other.wallet()) == (100, (0, 0, 0, 0), (100, 0, 0, 0))
    undo(stage, other)
    assert (stage.wallet(), stage.lots(), other.wallet()) == ((100, 0, 0, 0), [100], (0, 0, 0, 0))
    assert_sound()


def test_a_refund_after_the_move_takes_from_its_own_lot_first_then_from_the_others(stage: Stage, other: Stage) -> None:
    sale = stage.earn(100, expires_in=90 * DAY)
    stage.earn(30, expires_in=9 * DAY)
    other.earn(5)
    move(stage, other)
    stage.claw_back(40, sale)
    assert (stage.wallet(), other.wallet(), remaining(other)) == ((0, 0, 0, 0), (95, 0, 0, 0), [5, 30, 60])
    other.redeem(80)
    receipt = stage.claw_back(50, sale)
    assert (receipt.debt, stage.wallet(), other.wallet()) == (35, (0, 0, 0, 0), (0, 0, 0, 35))
    undo(stage, other)
    assert (stage.wallet(), other.wallet()) == ((0, 0, 0, 40), (5, 0, 0, 0))
    assert_sound()


def test_a_refund_after_moving_back_is_charged_to_the_one_who_earned(stage: Stage, other: Stage) -> None:
    sale = stage.earn(100)
    other.earn(50)
    move(stage, other)
    undo(stage, other)
    stage.claw_back(100, sale)
    assert (stage.wallet(), other.wallet()) == ((0, 0, 0, 0), (50, 0, 0, 0))
    assert_sound()


def test_points_that_expired_where_they_went_are_not_taken_a_second_time(stage: Stage, other: Stage) -> None:
    sale = stage.earn(100, expires_in=DAY)
    other.earn(50)
    move(stage, other)
    stage.now = other.now = stage.now + 2 * DAY
    stage.claw_back(60, sale)
    assert (stage.wallet(), other.wallet()) == ((0, 0, 0, 0), (50, 0, 0, 0))
    undo(stage, other)
    stage.claw_back(40, sale)
    assert (stage.wallet(), other.wallet()) == ((0, 0, 0, 0), (50, 0, 0, 0))
    assert_sound()


def test_a_refund_told_by_a_clock_that_is_behind_takes_nothing_that_has_lapsed_by_the_clock_at_home(stage: Stage, other: Stage) -> None:
    sale = stage.earn(100, expires_in=3 * DAY)
    move(stage, other)
    stage.now += 5 * DAY
    stage.earn(1)
    stage.now -= 4 * DAY
    receipt = stage.claw_back(40, sale)
    legs = Posting.objects.filter(entry=receipt.entry_id).order_by("id").values_list("account", "amount")
    assert list(legs) == [("reversed", 40), ("expired", -40)]
    assert (stage.wallet(), other.wallet()) == ((0, 0, 0, 0), (1, 0, 0, 0))
    assert_sound()


def test_pending_points_are_cancelled_and_taken_back_wherever_they_are(stage: Stage, other: Stage) -> None:
    cancelled, refunded = stage.earn(100, matures_in=2 * DAY), stage.earn(40, matures_in=2 * DAY)
    move(stage, other)
    stage.cancel(cancelled)
    stage.claw_back(10, refunded)
    assert (stage.wallet(), other.wallet()) == ((0, 0, 0, 0), (0, 0, 30, 0))
    with pytest.raises(NotEarnedError):
        stage.cancel(cancelled)
    stage.now = other.now = stage.now + 2 * DAY
    other.settle()
    assert (stage.wallet(), other.wallet()) == ((0, 0, 0, 0), (30, 0, 0, 0))
    assert_sound()


def test_a_clawback_is_restored_to_whoever_holds_the_points(stage: Stage, other: Stage) -> None:
    sale = stage.earn(100)
    stage.redeem(70)
    move(stage, other)
    clawback = stage.claw_back(100, sale)
    assert other.wallet() == (0, 0, 0, 70)
    stage.restore(clawback)
    assert (stage.wallet(), other.wallet()) == ((0, 0, 0, 0), (30, 0, 0, 0))
    assert_sound()


def test_what_was_spent_there_and_is_undone_after_moving_back_goes_home(stage: Stage, other: Stage) -> None:
    stage.earn(100, expires_in=9 * DAY)
    other.earn(5)
    move(stage, other)
    redemption = other.redeem(60)
    undo(stage, other)
    other.undo(redemption)
    assert (stage.wallet(), stage.lots(), other.wallet()) == ((100, 0, 0, 0), [100], (5, 0, 0, 0))
    assert_sound()


def test_a_repeated_refund_changes_nothing(stage: Stage, other: Stage) -> None:
    sale = stage.earn(100)
    move(stage, other)
    first = stage.claw_back(30, sale, key="refund")
    entries = Entry.objects.count()
    again = stage.claw_back(30, sale, key="refund")
    assert (again.entry_id, again.is_replay, again.balance, Entry.objects.count()) == (first.entry_id, True, 70, entries)


def test_points_that_moved_twice_come_home_from_the_last_one_and_go_back_in_steps(stage: Stage, other: Stage) -> None:
    third = Stage(make_member(stage.member.program), keys=stage.keys)
    sale = stage.earn(100)
    move(stage, other)
    move(other, third)
    assert move(stage, third) == third.member
    stage.claw_back(30, sale)
    assert (stage.wallet(), other.wallet(), third.wallet()) == ((0, 0, 0, 0), (0, 0, 0, 0), (70, 0, 0, 0))
    with pytest.raises(MovedOnError):
        undo(stage, other)
    undo(other, third)
    undo(stage, other)
    assert (stage.wallet(), stage.lots(), other.wallet(), third.wallet()) == ((70, 0, 0, 0), [70], (0, 0, 0, 0), (0, 0, 0, 0))
    assert_sound()


def test_two_memberships_that_take_each_other_over_in_turn_lose_nothing(stage: Stage, other: Stage) -> None:
    stage.earn(100)
    other.claw_back(30)
    for source, target in ((stage, other), (other, stage)) * 2:
        move(source, target)
        undo(source, target)
    assert (stage.wallet(), other.wallet()) == ((70, 0, 0, 0), (0, 0, 0, 0))
    assert_sound()


def test_activity_there_keeps_the_points_alive_at_home(stage: Stage, other: Stage) -> None:
    version = write_terms(program=stage.member.program, document={"earn": [SALES]}, actor=SYSTEM, now=NOW)
    earn_points(
        member_id=stage.member.pk,
        amount=100,
        key="sale",
        now=NOW,
        actor=SYSTEM,
        expires_at=NOW + 5 * DAY,
        terms_id=version.pk,
    )
    move(stage, other)
    prolong_lots(member_id=other.member.pk, at=NOW + DAY, until={version.pk: NOW + 50 * DAY}, now=NOW + DAY)
    stage.now = other.now = NOW + 10 * DAY
    undo(stage, other)
    assert (stage.wallet(), other.wallet()) == ((100, 0, 0, 0), (0, 0, 0, 0))
    assert LotRemainder.objects.get(member=stage.member).expires_at == NOW + 50 * DAY
    assert_sound()


def test_points_that_repaid_debt_and_come_back_repay_what_is_owed_beside_it(stage: Stage, other: Stage) -> None:
    stage.claw_back(30)
    other.earn(20)
    move(stage, other)
    other.claw_back(5)
    assert other.wallet() == (0, 0, 0, 15)
    undo(stage, other)
    assert (stage.wallet(), other.wallet()) == ((0, 0, 0, 30), (15, 0, 0, 0))
    assert_sound()


def test_points_that_came_in_the_moment_of_the_move_go_on_with_the_next_sweep(stage: Stage, other: Stage) -> None:
    move(stage, other)
    stage.earn(40)
    assert (carry_strays(now=stage.now), carry_strays(now=stage.now)) == (1, 0)
    assert (stage.wallet(), other.wallet()) == ((0, 0, 0, 0), (40, 0, 0, 0))


def test_nothing_moves_while_points_are_reserved(stage: Stage, other: Stage) -> None:
    stage.earn(100)
    stage.hold(10)
    with pytest.raises(OpenHoldsError):
        move(stage, other)
    assert (stage.wallet(), other.wallet()) == ((90, 10, 0, 0), (0, 0, 0, 0))
