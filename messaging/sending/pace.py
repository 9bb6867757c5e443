"""The rate limit of a sender, shared by all workers through Valkey."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from limits import RateLimitItemPerSecond
from limits.storage import Storage
from limits.strategies import SlidingWindowCounterRateLimiter

logger = logging.getLogger(__name__)
SLICES_PER_SECOND = 10
SHARE_WITHOUT_VALKEY = 4
AGAIN_SECONDS = 5.0


class Pace:
    """Gives out permits to send, a tenth of a second's worth at a time.

    While Valkey is away each worker keeps to a quarter of the rate by itself: slower than allowed with few workers,
    and still within the limit with up to four.
    """

    def __init__(
        self,
        key: str,
        per_second: int | None,
        *,
        open_storage: Callable[[], Storage],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_limited = per_second is not None
        self._key = key
        self._rate = per_second or 0
        self._batch = max(1, self._rate // SLICES_PER_SECOND)
        self._open_storage = open_storage
        self._limiter: SlidingWindowCounterRateLimiter | None = None
        self._clock = clock
        self._shared_again_at = 0.0
        self._alone_next_at = 0.0

    def take(self) -> int:
        """Return how many messages may be sent now; 0 means later."""
        if not self.is_limited:
            return self._batch
        if self._clock() >= self._shared_again_at:
            try:
                return self._take_shared()
            except Exception as error:  # whatever the client raises when Valkey is away
                logger.warning("rate limit of %s without Valkey: %s", self._key, error)
                self._limiter = None
                self._shared_again_at = self._clock() + AGAIN_SECONDS
        return self._take_alone()

    def _take_shared(self) -> int:
        if self._limiter is None:
            self._limiter = SlidingWindowCounterRateLimiter(self._open_storage())
        item = RateLimitItemPerSecond(self._rate)
        if self._limiter.hit(item, self._key, cost=self._batch):
            return self._batch
        return 1 if self._batch > 1 and self._limiter.hit(item, self._key) else 0

    def _take_alone(self) -> int:
        now = self._clock()
        if now < self._alone_next_at:
            return 0
        self._alone_next_at = now + self._batch * SHARE_WITHOUT_VALKEY / self._rate
        return self._batch
