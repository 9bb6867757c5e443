"""The rate limit: shared by all workers through Valkey, kept without it too."""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.conf import settings
from limits.storage import MemoryStorage, Storage

from messaging.sending.pace import Pace
from messaging.sending.run import rate_storage
from tests.conftest import Cast
from tests.messaging.sending_stage import set_stage
from tests.smtp_server import smtp_server


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def taken(paces: list[Pace], seconds: float, clock: Clock | None = None) -> int:
    """What several workers get together in a while when all take what they can."""
    total, until = 0, (clock or time.monotonic)() + seconds
    while (clock or time.monotonic)() < until:
        total += sum(pace.take() for pace in paces)
        if clock is not None:
            clock.now += 0.005
        else:
            time.sleep(0.005)
    return total


def test_without_a_limit_nothing_is_asked() -> None:
    def never() -> Storage:
        raise AssertionError

    pace = Pace("sender:1:1", None, open_storage=never)
    assert not pace.is_limited
    assert pace.take() >= 1


def test_all_workers_together_keep_to_the_rate() -> None:
    shared = MemoryStorage()
    paces = [Pace("sender:1:1", 100, open_storage=lambda: shared) for _ in range(3)]
    assert 150 <= taken(paces, 2.0) <= 300


def test_senders_do_not_share_a_rate() -> None:
    shared = MemoryStorage()
    paces = [Pace(f"sender:1:{number}", 50, open_storage=lambda: shared) for number in (1, 2)]
    assert paces[0].take() == 5
    assert paces[1].take() == 5


def test_a_rate_below_one_slice_is_given_out_one_by_one() -> None:
    shared = MemoryStorage()
    pace = Pace("sender:1:1", 3, open_storage=lambda: shared)
    assert [pace.take() for _ in range(5)] == [1, 1, 1, 0, 0]


def test_valkey_itself_counts() -> None:
    paces = [Pace(f"test:{time.time()}", 40, open_storage=rate_storage) for _ in range(1)]
    assert 40 <= taken(paces, 1.5) <= 100


def test_without_valkey_each_worker_keeps_to_a_quarter() -> None:
    def away() -> Storage:
        raise ConnectionError

    clock = Clock()
    pace = Pace("sender:1:1", 100, open_storage=away, clock=clock)
    assert 45 <= taken([pace], 2.0, clock) <= 60


def test_valkey_is_asked_again_after_a_while() -> None:
    answers: list[object] = [ConnectionError(), MemoryStorage()]

    def recovering() -> Storage:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Storage)
        return answer

    clock = Clock()
    pace = Pace("sender:1:1", 100, open_storage=recovering, clock=clock)
    pace.take()
    clock.now += 6
    assert pace.take() == 10
    assert answers == []


def test_a_limited_sender_sends_slowly_and_everything(committed_cast: Cast) -> None:
    with smtp_server() as server:
        stage = set_stage(committed_cast.saffron.pk, server.port, people=120, rate_per_second=50)
        started = time.monotonic()
        stage.run()
        took = time.monotonic() - started
    assert stage.states() == {"sent": 120}
    assert 1.0 < took < 6.0
    assert settings.REDIS_URL
