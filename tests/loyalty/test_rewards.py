"""Points and stock move together: redeeming, reserving, undoing."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts.audit import SYSTEM
from accounts.models import AuditEntry
from accounts.tenancy import tenant
from crm.models import Event
from loyalty.actions.catalogue import change_reward
from loyalty.actions.points import NotUndoableError
from loyalty.actions.programs import write_terms
from loyalty.ledger.bought import PriceError, VoucherNotOpenError
from loyalty.ledger.posting import KeyReusedError
from loyalty.ledger.stock import RewardRefusedError
from loyalty.ledger.store import UnknownMemberError
from loyalty.models import Entry, EntryKind, Member, Program, Reward, Voucher, VoucherState
from loyalty.queries.reward_checks import broken_promises
from loyalty.queries.rewards import catalogue_for
from loyalty.rules.postings import InsufficientPointsError
from loyalty.rules.rewards import Refusal
from tests.conftest import Cast
from tests.loyalty.ledger_stage import DAY, make_member
from tests.loyalty.reward_stage import RewardStage, left


@pytest.fixture
def stage(in_saffron: Cast) -> RewardStage:
    return RewardStage(make_member())


def another(stage: RewardStage) -> RewardStage:
    """Somebody else in the same program, with points."""
    other = RewardStage(make_member(stage.member.program), stage.now, stage.keys)
    other.earn(100)
    return other


def refused(stage: RewardStage, reward: Reward) -> Refusal:
    with pytest.raises(RewardRefusedError) as error:
        stage.buy(reward)
    return error.value.reason


def seen(stage: RewardStage) -> list[Refusal | None]:
    """What the catalogue says against each reward."""
    return [offered.refusal for offered in catalogue_for(stage.member, now=stage.now)]


def test_a_reward_takes_its_points_and_a_piece_of_stock_and_gives_a_voucher(stage: RewardStage) -> None:
    stage.earn(100)
    reward = stage.reward(60, stock=3)
    bought = stage.buy(reward)
    assert (stage.wallet(), left(reward)) == ((40, 0, 0, 0), (3, 1))
    voucher = Voucher.objects.get()
    assert (voucher, voucher.state, voucher.points, voucher.entry_id) == (bought.voucher, "issued", 60, bought.receipt.entry_id)
    assert len(voucher.code) == 14
    entry = Entry.objects.get(pk=bought.receipt.entry_id)
    assert (entry.kind, entry.details) == ("redeem", {"reward": reward.pk, "cash_minor": 0})


def test_a_redeemed_reward_is_told_in_the_event_log_and_the_audit(stage: RewardStage) -> None:
    stage.earn(100)
    reward = stage.reward(60, cash_minor=250)
    voucher = stage.buy(reward).voucher
    event = Event.objects.get(kind="reward.redeemed")
    assert event.customer_id == stage.member.customer_id
    assert event.properties == {
        "program": stage.member.program_id,
        "member": stage.member.pk,
        "reward": reward.pk,
        "name": "Haircut",
        "voucher": voucher.pk,
        "points": 60,
        "cash_minor": 250,
        "location": None,
    }
    audit = AuditEntry.objects.get(action="reward.redeemed")
    assert audit.after == {"reward": reward.pk, "member": stage.member.pk, "points": 60, "cash_minor": 250}


def test_the_same_request_gives_the_same_voucher_even_when_the_price_has_changed(stage: RewardStage) -> None:
    stage.earn(100)
    reward = stage.reward(60, stock=1)
    first = stage.buy(reward, key="till-1")
    change_reward(reward=reward, actor=SYSTEM, points=90)
    again = stage.buy(reward, key="till-1")
    assert (again.voucher, again.receipt.is_replay, stage.wallet(), left(reward)) == (first.voucher, True, (40, 0, 0, 0), (1, 1))


def test_a_key_that_came_with_another_reward_is_refused(stage: RewardStage) -> None:
    stage.earn(100)
    shave, haircut = stage.reward(10), stage.reward(20)
    stage.buy(shave, key="till-1")
    with pytest.raises(KeyReusedError):
        stage.buy(haircut, key="till-1")
    with pytest.raises(KeyReusedError):
        stage.reserve(shave, key="till-1")
    assert (stage.wallet(), left(haircut), Voucher.objects.count()) == ((90, 0, 0, 0), (None, 0), 1)


def test_too_few_points_leave_the_stock_as_it_was(stage: RewardStage) -> None:
    stage.earn(59)
    reward = stage.reward(60, stock=1)
    with pytest.raises(InsufficientPointsError):
        stage.buy(reward)
    assert (stage.wallet(), left(reward), Voucher.objects.count()) == ((59, 0, 0, 0), (1, 0), 0)


def test_what_is_sold_out_leaves_the_points_as_they_were(stage: RewardStage) -> None:
    reward = stage.reward(60, stock=1)
    another(stage).buy(reward)
    stage.earn(100)
    assert refused(stage, reward) is Refusal.SOLD_OUT
    assert (stage.wallet(), left(reward)) == ((100, 0, 0, 0), (1, 1))


def test_the_database_refuses_to_sell_more_than_the_stock(stage: RewardStage) -> None:
    reward = stage.reward(60, stock=1)
    with pytest.raises(IntegrityError, match="reward_sold_in_stock"), transaction.atomic():
        Reward.objects.filter(pk=reward.pk).update(sold=2)


def test_a_stock_below_what_is_sold_is_refused_and_one_above_sells_on(stage: RewardStage) -> None:
    stage.earn(200)
    reward = stage.reward(60, stock=2)
    stage.buy(reward)
    stage.buy(reward)
    with pytest.raises(ValidationError) as error:
        change_reward(reward=reward, actor=SYSTEM, stock=1)
    assert error.value.messages == ["More than this stock is sold already."]
    change_reward(reward=reward, actor=SYSTEM, stock=3)
    stage.buy(reward)
    assert (stage.wallet(), left(reward)) == ((20, 0, 0, 0), (3, 3))


def test_a_member_has_a_reward_so_often_and_no_more_and_what_was_undone_does_not_count(stage: RewardStage) -> None:
    stage.earn(100)
    reward = stage.reward(10, limit_per_member=2)
    stage.buy(reward)
    second = stage.buy(reward)
    assert refused(stage, reward) is Refusal.MEMBER_LIMIT
    stage.give_back(second.voucher)
    stage.buy(reward)
    assert refused(stage, reward) is Refusal.MEMBER_LIMIT
    assert another(stage).buy(reward).receipt.balance == 90


@pytest.mark.parametrize(
    ("period", "first", "still", "again"),
    [
        ("day", "2026-03-02T05:00", "2026-03-03T04:59", "2026-03-03T05:00"),  # midnight in New York is 05:00 UTC in winter
        ("month", "2026-03-02T12:00", "2026-04-01T03:59", "2026-04-01T04:00"),
        ("year", "2026-03-02T12:00", "2027-01-01T04:59", "2027-01-01T05:00"),
    ],
)
def test_a_limit_per_period_starts_again_with_the_local_period(stage: RewardStage, period: str, first: str, still: str, again: str) -> None:
    stage.earn(100)
    reward = stage.reward(10, limit_per_period=1, limit_period=period)
    stage.now = moment(first)
    stage.buy(reward)
    stage.now = moment(still)
    assert refused(stage, reward) is Refusal.PERIOD_LIMIT
    stage.now = moment(again)
    assert stage.buy(reward).receipt.balance == 80


def test_a_reward_of_a_tier_is_refused_to_others(stage: RewardStage) -> None:
    levels = [{"key": "gold", "threshold": 100}, {"key": "black", "threshold": 200}, {"key": "diamond", "threshold": 300}]
    document = {"tiers": {"basis": "points", "window": {"months": 1}, "levels": levels}}
    write_terms(program=stage.member.program, document=document, actor=SYSTEM, now=stage.now)
    reward = stage.reward(10, tiers=["gold", "black"])
    stage.earn(99)
    assert (refused(stage, reward), seen(stage)) == (Refusal.TIER, [Refusal.TIER])
    stage.earn(1)  # the row of the member says so only later
    assert (stage.buy(reward).receipt.balance, seen(stage)) == (90, [None])
    stage.earn(200)
    assert (refused(stage, reward), seen(stage)) == (Refusal.TIER, [Refusal.TIER])
    Member.objects.filter(pk=stage.member.pk).update(tier="gold", tier_until=stage.now + 31 * DAY)
    stage.now += 31 * DAY
    assert (refused(stage, reward), seen(stage)) == (Refusal.TIER, [Refusal.TIER])


def test_a_reward_is_offered_within_its_dates_only(stage: RewardStage) -> None:
    stage.earn(100)
    reward = stage.reward(10, valid_from=stage.now + DAY, valid_until=stage.now + 2 * DAY)
    assert refused(stage, reward) is Refusal.NOT_OFFERED
    stage.now += DAY
    stage.buy(reward)
    stage.now += DAY
    assert refused(stage, reward) is Refusal.NOT_OFFERED


def test_nobody_gets_what_is_switched_off_given_only_or_of_another_program(stage: RewardStage) -> None:
    stage.earn(100)
    assert refused(stage, stage.reward(10, is_active=False)) is Refusal.NOT_OFFERED
    assert refused(stage, stage.reward(0)) is Refusal.NOT_FOR_POINTS
    elsewhere = RewardStage(make_member(Program.objects.create(name="Other", slug="other", state="active")))
    assert refused(stage, elsewhere.reward(10)) is Refusal.NOT_OFFERED
    reward = stage.reward(10)
    Member.objects.filter(pk=stage.member.pk).update(is_active=False)
    assert refused(stage, reward) is Refusal.NOT_OFFERED
    assert stage.wallet() == (100, 0, 0, 0)


def test_undoing_returns_points_to_their_lots_the_piece_to_the_stock_and_cancels_the_voucher(stage: RewardStage) -> None:
    stage.earn(30, expires_in=9 * DAY)
    stage.earn(70)
    reward = stage.reward(60, stock=1)
    voucher = stage.buy(reward).voucher
    stage.give_back(voucher, key="undo-1")
    assert stage.give_back(voucher, key="undo-1").is_replay
    voucher.refresh_from_db()
    assert (stage.lots(), left(reward), voucher.state) == ([30, 70], (1, 0), VoucherState.CANCELLED)
    with pytest.raises(NotUndoableError):
        stage.give_back(voucher)
    with pytest.raises(VoucherNotOpenError):
        stage.use(voucher)
    assert Event.objects.filter(kind="voucher.cancelled").count() == 1


def test_a_reward_whose_voucher_was_used_cannot_be_undone(stage: RewardStage) -> None:
    stage.earn(100)
    reward = stage.reward(60, stock=1)
    bought = stage.buy(reward)
    stage.use(bought.voucher)
    with pytest.raises(VoucherNotOpenError) as error:
        stage.give_back(bought.voucher)
    assert error.value.state is VoucherState.USED
    assert (stage.wallet(), left(reward)) == ((40, 0, 0, 0), (1, 1))


def test_undoing_the_entry_itself_takes_the_voucher_back_too_and_only_as_a_whole(stage: RewardStage) -> None:
    stage.earn(100)
    reward = stage.reward(60, stock=1)
    bought = stage.buy(reward)
    with pytest.raises(PriceError):
        stage.undo(bought.receipt, 59)
    stage.undo(bought.receipt)
    assert (stage.wallet(), left(reward), Voucher.objects.get().state) == ((100, 0, 0, 0), (1, 0), "cancelled")


def test_a_reservation_holds_points_and_a_piece_until_it_is_captured(stage: RewardStage) -> None:
    stage.earn(100)
    reward = stage.reward(60, stock=1, voucher_days=0)
    reserved = stage.reserve(reward, key="till-1")
    assert stage.reserve(reward, key="till-1").voucher == reserved.voucher
    assert (stage.wallet(), left(reward), reserved.voucher.state) == ((40, 60, 0, 0), (1, 1), "reserved")
    with pytest.raises(VoucherNotOpenError):
        stage.use(reserved.voucher)
    assert reserved.voucher.hold_id is not None
    receipt = stage.capture(reserved.voucher.hold_id)
    voucher = Voucher.objects.get()
    assert (stage.wallet(), left(reward)) == ((40, 0, 0, 0), (1, 1))
    assert (voucher.state, voucher.entry_id) == ("issued", receipt.entry_id)
    assert voucher.expires_at == datetime(2026, 3, 3, 5, tzinfo=UTC)  # the end of the day in New York
    assert stage.use(voucher).state == "used"


def test_a_reserved_reward_is_captured_whole_or_not_at_all(stage: RewardStage) -> None:
    stage.earn(100)
    voucher = stage.reserve(stage.reward(60)).voucher
    assert voucher.hold_id is not None
    with pytest.raises(PriceError):
        stage.capture(voucher.hold_id, 59)
    assert (stage.wallet(), Voucher.objects.get().state) == ((40, 60, 0, 0), "reserved")


def test_a_released_reservation_returns_points_and_piece(stage: RewardStage) -> None:
    stage.earn(100)
    reward = stage.reward(60, stock=1)
    voucher = stage.reserve(reward).voucher
    assert voucher.hold_id is not None
    stage.release(voucher.hold_id)
    assert (stage.wallet(), left(reward), Voucher.objects.get().state) == ((100, 0, 0, 0), (1, 0), "cancelled")


def test_a_reservation_that_lapses_returns_points_and_piece_once(stage: RewardStage) -> None:
    stage.earn(100)
    reward = stage.reward(60, stock=1)
    stage.reserve(reward)
    stage.now += timedelta(minutes=15)
    assert (stage.settle(), stage.settle()) == (1, 0)
    assert (stage.wallet(), left(reward), Voucher.objects.get().state) == ((100, 0, 0, 0), (1, 0), "cancelled")


def test_the_piece_of_a_lapsed_reservation_can_be_had_before_anybody_noticed_that_it_lapsed(stage: RewardStage) -> None:
    stage.earn(100)
    reward, other = stage.reward(60, stock=1), another(stage)
    stage.reserve(reward)
    assert refused(other, reward) is Refusal.SOLD_OUT
    other.now = stage.now = stage.now + timedelta(minutes=15)
    other.buy(reward)
    assert left(reward) == (1, 1)
    stage.settle()
    assert (stage.wallet(), other.wallet(), left(reward)) == ((100, 0, 0, 0), (40, 0, 0, 0), (1, 1))
    assert broken_promises() == []


def test_a_reservation_counts_against_the_limit_of_its_member(stage: RewardStage) -> None:
    stage.earn(100)
    reward = stage.reward(10, limit_per_member=1)
    stage.reserve(reward)
    assert refused(stage, reward) is Refusal.MEMBER_LIMIT


def test_the_catalogue_says_what_stands_between_a_member_and_each_reward(stage: RewardStage) -> None:
    stage.earn(100)
    stage.reward(0, name="Given")
    stage.reward(5, name="Off", is_active=False)
    sold_out = stage.reward(10, name="Sold out", stock=1)
    another(stage).buy(sold_out)
    stage.reward(20, name="Gold", tiers=["gold"])
    stage.reward(30, name="Shave")
    stage.reward(160, name="Haircut")
    offered = [(item.reward.name, item.refusal, item.missing, item.can_be_redeemed) for item in catalogue_for(stage.member, now=stage.now)]
    assert offered == [
        ("Sold out", Refusal.SOLD_OUT, 0, False),
        ("Gold", Refusal.TIER, 0, False),
        ("Shave", None, 0, True),
        ("Haircut", None, 60, False),
    ]


def test_another_organization_sees_no_reward_and_redeems_none(cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        stage = RewardStage(make_member())
        stage.earn(100)
        reward = stage.reward(60, stock=1)
        bought = stage.buy(reward)
    with tenant(cast.rival.pk):
        assert (Reward.objects.count(), Voucher.objects.count()) == (0, 0)
        with pytest.raises(UnknownMemberError):
            stage.buy(reward)
        rival = RewardStage(make_member(Program.objects.create(name="Rival", slug="rival", state="active")))
        rival.earn(100)
        assert refused(rival, reward) is Refusal.NOT_OFFERED
        with pytest.raises(UnknownMemberError):
            rival.give_back(bought.voucher)
    with tenant(cast.saffron.pk):
        assert (stage.wallet(), left(reward), Voucher.objects.get().state) == ((40, 0, 0, 0), (1, 1), "issued")


def test_verification_names_what_does_not_hold(stage: RewardStage) -> None:
    stage.earn(500)
    reward = stage.reward(60, stock=9)
    first, second, third = (stage.buy(reward).voucher for _ in range(3))
    stage.reserve(reward)
    stage.give_back(third)
    assert broken_promises() == []
    Reward.objects.update(sold=7)
    Voucher.objects.filter(pk=first.pk).update(points=61)
    Voucher.objects.filter(pk=second.pk).update(state="cancelled")
    Voucher.objects.filter(state="reserved").update(hold=None)
    assert [(promise.check.split(",")[0], len(promise.ids)) for promise in broken_promises()] == [
        ("sold is what was not cancelled", 1),
        ("a voucher that was bought has an entry that redeemed its points", 1),
        ("the points of a cancelled voucher that was bought came back in full", 1),
        ("a reserved voucher has an open hold of its points", 1),
    ]
    assert Entry.objects.filter(kind=EntryKind.UNDO).count() == 1


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
