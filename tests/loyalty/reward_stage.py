"""Rewards on the ledger's stage, and many threads that ask for one thing at once."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import connection

from accounts.audit import SYSTEM
from accounts.tenancy import tenant
from loyalty.actions.catalogue import create_reward
from loyalty.actions.rewards import Redemption, redeem_reward, reserve_reward, undo_reward
from loyalty.actions.vouchers import undo_use, use_voucher
from loyalty.ledger.posting import Receipt
from loyalty.models import Reward, Voucher
from tests.loyalty.ledger_stage import Stage


@dataclass
class RewardStage(Stage):
    """A member, and the actions on rewards in short."""

    def reward(self, points: int = 60, **values: Any) -> Reward:
        return create_reward(program=self.member.program, actor=SYSTEM, **{"name": "Haircut", "points": points, **values})

    def buy(self, reward: Reward, *, key: str = "") -> Redemption:
        return redeem_reward(member_id=self.member.pk, reward_id=reward.pk, key=key or self._key(), now=self.now, actor=SYSTEM)

    def reserve(self, reward: Reward, *, lapses_in: timedelta = timedelta(minutes=15), key: str = "") -> Redemption:
        return reserve_reward(
            member_id=self.member.pk,
            reward_id=reward.pk,
            lapses_at=self.now + lapses_in,
            key=key or self._key(),
            now=self.now,
            actor=SYSTEM,
        )

    def give_back(self, voucher: Voucher, *, key: str = "") -> Receipt:
        return undo_reward(voucher=voucher, key=key or self._key(), now=self.now, actor=SYSTEM)

    def use(self, voucher: Voucher, *, key: str = "", **values: Any) -> Voucher:
        return use_voucher(code=voucher.code, key=key or self._key(), now=self.now, actor=SYSTEM, **values)

    def undo_use(self, voucher: Voucher, *, key: str = "") -> Voucher:
        return undo_use(code=voucher.code, key=key or self._key(), now=self.now, actor=SYSTEM)


def left(reward: Reward) -> tuple[int | None, int]:
    """Stock and what is sold of it."""
    reward.refresh_from_db()
    return reward.stock, reward.sold


def at_once(organization_id: int, acts: Sequence[Callable[[], Any]]) -> list[Any]:
    """Do everything at the same moment, each in a transaction of its own; what was raised is the answer."""
    return side_by_side([partial(_in_scope, organization_id, act) for act in acts])


def side_by_side(acts: Sequence[Callable[[], Any]]) -> list[Any]:
    """Do everything at the same moment, each on a connection of its own; what was raised is the answer."""
    start = threading.Barrier(len(acts), timeout=60)
    answers: list[Any] = [None] * len(acts)

    def run(place: int) -> None:
        try:
            start.wait(30)
            answers[place] = acts[place]()
        except Exception as error:
            answers[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers


def _in_scope(organization_id: int, act: Callable[[], Any]) -> Any:
    with tenant(organization_id):
        return act()
