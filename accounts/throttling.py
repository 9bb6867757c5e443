"""How often somebody asked lately, counted in the shared cache; not at all while that is down."""

import time
from typing import cast

from django.core.cache import caches

from accounts.cache import OptionalRedisCache

WINDOW_SECONDS = 60


def count_asking(caller: str, *, window: int = WINDOW_SECONDS) -> tuple[float, float]:
    """Count one more request of ``caller``.

    Returns:
        Requests in a sliding window, a minute unless said otherwise, made of the count of this one and the fading share
        of the last; and the seconds until the next begins.
    """
    number, elapsed = divmod(time.time(), window)
    cache = cast(OptionalRedisCache, caches["default"])
    count, before = cache.count(f"{caller}:{int(number)}", beside=f"{caller}:{int(number) - 1}", seconds=2 * window)
    return count + before * (1 - elapsed / window), window - elapsed
