"""How often somebody asked lately, counted in the shared cache; not at all while that is down."""

import time
from typing import cast

from django.core.cache import caches

from accounts.cache import OptionalRedisCache

WINDOW_SECONDS = 60


def count_asking(caller: str) -> tuple[float, float]:
    """Count one more request of ``caller``.

    Returns:
        Requests in a sliding minute, made of the count of this minute and the fading share of the last one; and the
        seconds until the next minute begins.
    """
    minute, elapsed = divmod(time.time(), WINDOW_SECONDS)
    cache = cast(OptionalRedisCache, caches["default"])
    count, before = cache.count(f"{caller}:{int(minute)}", beside=f"{caller}:{int(minute) - 1}", seconds=2 * WINDOW_SECONDS)
    return count + before * (1 - elapsed / WINDOW_SECONDS), WINDOW_SECONDS - elapsed
