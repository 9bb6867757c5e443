"""Many at once: the last piece, the limit, the voucher, and the same request."""

from collections import Counter
from datetime import timedelta
from functools import partial
from typing import Any

from accounts.tenancy import tenant
from loyalty.ledger.bought import VoucherNotOpenError
from loyalty.ledger.stock import RewardRefusedError
from loyalty.models import Reward, Voucher, Wallet
from loyalty.queries.reward_checks import broken_promises
from tests.conftest import Cast
from tests.loyalty.ledger_stage import make_member, make_program
from tests.loyalty.reward_stage import RewardStage, at_once, left, side_by_side


def stages(count: int) -> list[RewardStage]:
    """Members of one program with 100 points each; their keys do not meet."""
    program = make_program()
    found = []
    for number in range(count):
        stage = RewardStage(make_member(program))
        stage.keys = iter(range(number * 1_000, number * 1_000 + 1_000))  # type: ignore[assignment]  # counts like any other
        stage.earn(100)
        found.append(stage)
    return found


def outcomes(answers: list[Any]) -> Counter[str]:
    return Counter(type(answer).__name__ for answer in answers)


def test_the_last_piece_is_sold_once_to_32_members_at_once(committed_cast: Cast) -> None:
    with tenant(committed_cast.saffron.pk):
        members = stages(32)
        reward = members[0].reward(60, stock=3)
        members[0].buy(reward)
        members[0].earn(100)
        members[1].buy(reward)
        members[1].earn(100)
    answers = at_once(committed_cast.saffron.pk, [partial(member.buy, reward) for member in members])
    assert outcomes(answers) == {"Redemption": 1, "RewardRefusedError": 31}
    assert {answer.reason for answer in answers if isinstance(answer, RewardRefusedError)} == {"sold_out"}
    with tenant(committed_cast.saffron.pk):
        assert (left(reward), Voucher.objects.count(), broken_promises()) == ((3, 3), 3, [])
        assert sum(Wallet.objects.values_list("balance", flat=True)) == 34 * 100 - 3 * 60


def test_the_limit_of_a_member_holds_for_16_requests_at_once(committed_cast: Cast) -> None:
    with tenant(committed_cast.saffron.pk):
        (stage,) = stages(1)
        stage.earn(900)
        reward = stage.reward(10, limit_per_member=3)
    answers = at_once(committed_cast.saffron.pk, [partial(stage.buy, reward) for _ in range(16)])
    assert outcomes(answers) == {"Redemption": 3, "RewardRefusedError": 13}
    with tenant(committed_cast.saffron.pk):
        assert (stage.wallet(), left(reward), broken_promises()) == ((970, 0, 0, 0), (None, 3), [])


def test_16_times_the_same_request_at_once_is_one_voucher(committed_cast: Cast) -> None:
    with tenant(committed_cast.saffron.pk):
        (stage,) = stages(1)
        reward = stage.reward(60)
    answers = at_once(committed_cast.saffron.pk, [partial(stage.buy, reward, key="tap") for _ in range(16)])
    assert {answer.voucher.pk for answer in answers} == {answers[0].voucher.pk}
    assert sum(answer.receipt.is_replay for answer in answers) == 15
    with tenant(committed_cast.saffron.pk):
        assert (stage.wallet(), left(reward)) == ((40, 0, 0, 0), (None, 1))


def test_of_two_tills_with_one_voucher_one_gives_it_out(committed_cast: Cast) -> None:
    with tenant(committed_cast.saffron.pk):
        (stage,) = stages(1)
        vouchers = [stage.buy(stage.reward(10)).voucher for _ in range(5)]
    for voucher in vouchers:
        answers = at_once(committed_cast.saffron.pk, [partial(stage.use, voucher, key=f"{till}:{voucher.pk}") for till in ("a", "b")])
        assert outcomes(answers) == {"Voucher": 1, "VoucherNotOpenError": 1}
        assert [answer.state for answer in answers if isinstance(answer, VoucherNotOpenError)] == ["used"]


def test_a_voucher_is_either_used_or_undone(committed_cast: Cast) -> None:
    with tenant(committed_cast.saffron.pk):
        (stage,) = stages(1)
        reward = stage.reward(10, stock=5)
        vouchers = [stage.buy(reward).voucher for _ in range(5)]
    for voucher in vouchers:
        answers = at_once(committed_cast.saffron.pk, [partial(stage.use, voucher), partial(stage.give_back, voucher)])
        assert outcomes(answers)["VoucherNotOpenError"] == 1
    with tenant(committed_cast.saffron.pk):
        undone = Voucher.objects.filter(state="cancelled").count()
        assert (stage.wallet(), left(reward), broken_promises()) == ((50 + 10 * undone, 0, 0, 0), (5, 5 - undone), [])


def test_reserving_buying_undoing_and_lapsing_at_once_lose_no_piece_and_wait_in_no_circle(committed_cast: Cast) -> None:
    organization_id = committed_cast.saffron.pk
    with tenant(organization_id):
        members = stages(6)
        rewards = [members[0].reward(5, stock=4), members[0].reward(5, stock=4)]

    def churn(stage: RewardStage, order: list[Reward]) -> int:
        refused = 0
        for reward in order * 3:
            stage.now += timedelta(minutes=8)  # of what was reserved before, the older half has lapsed by now
            try:
                with tenant(organization_id):
                    bought = stage.buy(reward)
                    stage.reserve(reward)
                    stage.give_back(bought.voucher)
            except RewardRefusedError:
                refused += 1
        return refused

    answers = side_by_side([partial(churn, member, rewards[:: 1 if place % 2 else -1]) for place, member in enumerate(members)])
    assert set(outcomes(answers)) == {"int"}
    with tenant(organization_id):
        for stage in members:
            stage.now += timedelta(hours=1)
            stage.settle()
        assert broken_promises() == []
        assert [left(reward) for reward in rewards] == [(4, 0), (4, 0)]
        assert [stage.wallet() for stage in members] == [(100, 0, 0, 0)] * 6
