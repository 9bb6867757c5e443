"""What a member's history offers to undo."""

import pytest

from accounts.audit import SYSTEM
from loyalty.actions.counter import undo_at_counter
from loyalty.models import Entry, EntryKind, Member
from loyalty.queries.members import history, history_lines
from tests.conftest import Cast
from tests.loyalty.ledger_stage import make_member
from tests.loyalty.reward_stage import RewardStage


@pytest.fixture
def stage(in_saffron: Cast) -> RewardStage:
    return RewardStage(make_member())


def offered(stage: RewardStage) -> list[tuple[str, bool]]:
    member = Member.objects.select_related("wallet").get(pk=stage.member.pk)
    return [(line.entry.kind, line.undoable) for line in history_lines(member, list(history(member)))]


def test_what_was_held_at_a_till_and_then_redeemed_is_offered_once(stage: RewardStage) -> None:
    stage.earn(100)
    stage.capture(stage.hold(60)[1])
    assert offered(stage) == [("capture", True), ("hold", False), ("earn", False)]
    captured = Entry.objects.get(kind=EntryKind.CAPTURE)
    undo_at_counter(member=stage.member, entry_id=captured.pk, token="a-token-of-a-form-0001", now=stage.now, actor=SYSTEM, role=None)
    assert (stage.wallet(), offered(stage)[1]) == ((100, 0, 0, 0), ("capture", False))


def test_a_redemption_is_offered_only_while_its_voucher_can_still_be_used(stage: RewardStage) -> None:
    stage.earn(100)
    voucher = stage.buy(stage.reward(60)).voucher
    before = offered(stage)
    stage.use(voucher)
    used = offered(stage)
    stage.undo_use(voucher)
    open_again, closed = [("redeem", True), ("earn", False)], [("redeem", False), ("earn", False)]
    assert (before, used, offered(stage)) == (open_again, closed, open_again)
