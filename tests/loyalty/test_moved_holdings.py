"""What goes with a membership beside its points, and comes back: vouchers, limits, stamps, referrals, the tier."""

from dataclasses import dataclass
from typing import Any

import pytest
from django.utils import timezone

from accounts.audit import SYSTEM
from accounts.permissions import API_SCOPES
from accounts.tenancy import tenant
from crm.actions import NewLine, record_purchase, refund_purchase
from crm.models import Event
from loyalty.actions.moving import move_member, undo_move
from loyalty.actions.points import earn_points
from loyalty.actions.stamping import stamp_sales
from loyalty.actions.stamps import create_stamp_card, give_stamps
from loyalty.ledger.stock import RewardRefusedError
from loyalty.models import Member, StampCard, Terms, Voucher, Wallet
from loyalty.queries.referrals import member_figures
from loyalty.queries.reward_checks import broken_promises
from loyalty.queries.rewards import times_taken
from loyalty.queries.stamps import cards_of
from loyalty.queries.vouchers import vouchers_of
from tests.api.conftest import caller_of
from tests.conftest import Cast
from tests.factories import CustomerFactory
from tests.loyalty.ledger_stage import DAY, NOW, Stage, make_member
from tests.loyalty.program_stage import SALES, broken, open_program
from tests.loyalty.reward_stage import RewardStage, left
from tests.loyalty.test_referrals import Town, make_town

TIERS = {
    "basis": "spend",
    "window": {"kind": "rolling", "months": 12},
    "levels": [{"key": "silver", "name": "Silver", "threshold": 100_00}],
}


@dataclass
class Pair:
    """Two members of a program; everything ``first`` has can move to ``second``."""

    first: RewardStage
    second: RewardStage

    def move(self) -> None:
        move_member(member_id=self.first.member.pk, to_customer=self.second.member.customer, now=self.first.now, actor=SYSTEM)

    def undo(self) -> None:
        undo_move(member_id=self.first.member.pk, to_member_id=self.second.member.pk, now=self.first.now, actor=SYSTEM)

    def seen(self) -> tuple[list[Voucher], list[Voucher]]:
        return list(vouchers_of(self.first.member.pk)), list(vouchers_of(self.second.member.pk))


@pytest.fixture
def pair(in_saffron: Cast) -> Pair:
    first = RewardStage(make_member())
    return Pair(first, RewardStage(make_member(first.member.program), keys=first.keys))


def test_vouchers_go_along_are_used_there_and_their_points_return_there(pair: Pair) -> None:
    reward = pair.first.reward(60, stock=5)
    pair.first.earn(200)
    used, cancelled = pair.first.buy(reward).voucher, pair.first.buy(reward).voucher
    pair.move()
    assert pair.seen()[1] == [cancelled, used]
    pair.second.use(used)
    told = Event.objects.get(kind="voucher.used")
    assert (told.customer_id, told.properties["member"]) == (pair.second.member.customer_id, pair.second.member.pk)
    pair.first.give_back(cancelled)
    assert (pair.first.wallet(), pair.second.wallet(), left(reward)) == ((0, 0, 0, 0), (140, 0, 0, 0), (5, 1))
    pair.undo()
    assert pair.seen() == ([cancelled, used], [])
    assert (pair.first.wallet(), pair.second.wallet()) == ((140, 0, 0, 0), (0, 0, 0, 0))
    assert (broken(), broken_promises()) == ({}, [])


def test_what_was_taken_before_the_move_counts_towards_limits_there(pair: Pair) -> None:
    reward = pair.first.reward(10, limit_per_member=1)
    pair.first.earn(100)
    pair.first.buy(reward)
    pair.move()
    with pytest.raises(RewardRefusedError):
        pair.second.buy(reward)
    pair.undo()
    assert times_taken(pair.second.member.pk, [reward], NOW)[reward.pk].ever == 0
    assert times_taken(pair.first.member.pk, [reward], NOW)[reward.pk].ever == 1


def coffee_card(pair: Pair, stamped_for: str = "purchase") -> StampCard:
    reward = pair.first.reward(0, name="Free coffee")
    return create_stamp_card(
        program=pair.first.member.program, actor=SYSTEM, name="Coffee card", size=5, stamped_for=stamped_for, reward=reward
    )


def stamps(stage: RewardStage) -> list[tuple[int, int]]:
    """Stamps in all and cards filled."""
    return [(one.filled * one.standing.size + one.standing.stamps, one.filled) for one in cards_of(stage.member, now=NOW)]


def test_stamps_of_both_fill_one_card_and_part_again(pair: Pair) -> None:
    card = coffee_card(pair)
    give_stamps(member=pair.first.member, card=card, key="a", now=NOW, actor=SYSTEM, count=3)
    give_stamps(member=pair.second.member, card=card, key="b", now=NOW, actor=SYSTEM, count=2)
    pair.move()
    assert stamps(pair.second) == [(5, 1)]
    assert Voucher.objects.get().member == pair.second.member
    pair.undo()
    assert (stamps(pair.first), stamps(pair.second)) == ([(3, 0)], [(2, 0)])
    assert (Voucher.objects.get().state, broken_promises()) == ("cancelled", [])


def test_a_refund_takes_a_stamp_off_the_card_that_moved(pair: Pair) -> None:
    Terms.objects.create(program=pair.first.member.program, version=1, valid_from=NOW - DAY, document={})
    coffee_card(pair)
    sale = record_purchase(lines=[NewLine(300)], purchased_at=NOW, now=NOW, actor=SYSTEM, customer=pair.first.member.customer)
    stamp_sales([sale.pk], now=NOW)
    pair.move()
    assert stamps(pair.second) == [(1, 0)]
    stamp_sales([refund_purchase(purchase=sale, amount_minor=300, refunded_at=NOW, actor=SYSTEM).pk], now=NOW)
    assert stamps(pair.second) == [(0, 0)]
    assert broken_promises() == []


def test_the_tier_follows_from_what_both_did(pair: Pair) -> None:
    Terms.objects.create(program=pair.first.member.program, version=1, valid_from=NOW - DAY, document={"tiers": TIERS})
    for stage in (pair.first, pair.second):
        record_purchase(lines=[NewLine(60_00)], purchased_at=NOW, now=NOW, actor=SYSTEM, customer=stage.member.customer)
    pair.move()
    assert Member.objects.get(pk=pair.second.member.pk).tier == "silver"
    pair.undo()
    assert list(Member.objects.order_by("pk").values_list("tier", flat=True)) == ["", ""]


@pytest.fixture
def town(in_saffron: Cast) -> Town:
    return make_town()


def test_friends_still_come_by_the_code_and_reward_whoever_holds_the_points(town: Town) -> None:
    nora, omid = town.member(), town.member()
    waiting = town.join(nora)
    move_member(member_id=nora.pk, to_customer=omid.customer, now=town.now, actor=SYSTEM)
    later = town.join(nora)
    assert later.referrer == omid
    town.buy(waiting)
    bought = town.buy(later)
    assert [Wallet.objects.get(member=one).pending for one in (nora, omid)] == [0, 1_000]
    assert member_figures(omid.pk).qualified == 2
    town.refund(bought, 5_000)
    undo_move(member_id=nora.pk, to_member_id=omid.pk, now=town.now, actor=SYSTEM)
    assert (member_figures(nora.pk).qualified, member_figures(omid.pk).rejected) == (1, {"refunded": 1})
    assert [Wallet.objects.get(member=one).pending for one in (nora, omid)] == [0, 500]
    assert broken() == {}


def test_a_referral_that_qualified_before_the_move_is_taken_back_from_whoever_holds_its_points(town: Town) -> None:
    nora, omid = town.member(), town.member()
    bought = town.buy(town.join(nora))
    town.now += 15 * DAY
    move_member(member_id=nora.pk, to_customer=omid.customer, now=town.now, actor=SYSTEM)
    assert Wallet.objects.get(member=omid).balance == 500
    town.refund(bought, 5_000)
    assert [(one.balance, one.debt) for one in Wallet.objects.filter(member__in=[nora, omid])] == [(0, 0), (0, 0)]
    assert broken() == {}


def test_a_known_customer_without_membership_gets_the_member_with_all_it_has(pair: Pair) -> None:
    reward = pair.first.reward(60)
    pair.first.earn(100)
    voucher, newcomer = pair.first.buy(reward).voucher, CustomerFactory.create()
    member = move_member(member_id=pair.first.member.pk, to_customer=newcomer, now=NOW, actor=SYSTEM)
    assert (member.customer_id, list(vouchers_of(member.pk))) == (newcomer.pk, [voucher])


def test_what_the_api_gives_or_takes_by_the_closed_membership_is_the_holders(cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        first = make_member()
        second, third = make_member(first.program), make_member(first.program)
        strangers = Stage(third).earn(70).entry_id
        move_member(member_id=first.pk, to_customer=second.customer, now=NOW, actor=SYSTEM)
    caller = caller_of(cast.saffron, API_SCOPES, cast)
    answer = caller.post(f"members/{first.pk}/give/", {"points": 50, "reason": "Sorry"}, idempotency_key="give-1")
    assert (answer.status_code, answer.json()["balance"]) == (200, 50)
    with tenant(cast.saffron.pk):
        assert [Wallet.objects.get(member=one).balance for one in (first, second)] == [0, 50]
    undone = caller.post(f"members/{first.pk}/undo/", {"entry": answer.json()["entry"]}, idempotency_key="undo-1")
    assert (undone.status_code, undone.json()["balance"]) == (200, 0)
    other = caller.post(f"members/{first.pk}/undo/", {"entry": strangers}, idempotency_key="undo-2")
    assert other.status_code == 409
    with tenant(cast.saffron.pk):
        assert Wallet.objects.get(member=third).balance == 70


def test_what_a_till_does_with_the_card_of_the_closed_membership_is_the_holders(cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        program = open_program(earn=[SALES], redemption={"points": 10, "minor": 100})
        first, second = (make_member(program) for _ in range(2))
        earn_points(member_id=first.pk, amount=300, key="earned", now=NOW, actor=SYSTEM)
        move_member(member_id=first.pk, to_customer=second.customer, now=NOW, actor=SYSTEM)
    till, card = caller_of(cast.saffron, API_SCOPES, cast), {"member_number": first.number}
    cut = {"description": "Cut", "unit_price_minor": 10_00}

    def later(sequence: int, kind: str, **body: object) -> dict[str, Any]:
        operation = {
            "sequence": sequence,
            "key": f"op-{sequence}",
            "kind": kind,
            "occurred_at": timezone.now().isoformat(),
            "body": {**card, **body},
        }
        [done] = till.post("till-operations/", {"till": "front", "operations": [operation]}).json()["operations"]
        answer: dict[str, Any] = done["operation"]["answer"]
        return answer

    assert till.post("till/quote/", {**card, "lines": [cut]}).json()["spendable"] == 300
    redeemed = later(1, "redeem", points=100)
    held = till.post("holds/", {**card, "points": 50}, idempotency_key="h").json()
    sold = till.post("till/sales/", {**card, "hold": held["hold"]["id"], "lines": [cut]}, idempotency_key="s").json()
    undone = later(2, "undo", entry=redeemed["entry"])
    assert (redeemed["balance"], sold["purchase"]["customer"], undone["balance"]) == (200, second.customer_id, 250)
    with tenant(cast.saffron.pk):
        assert [Wallet.objects.get(member=one).balance for one in (first, second)] == [0, 250]
        assert broken() == {}
