"""How often somebody asked lately, counted in the shared cache; not at all while that is down."""

import time

from django.core.cache import cache

WINDOW_SECONDS = 60


def count_asking(caller: str) -> tuple[float, float]:
    """Count one more request of ``caller``.

    Returns:
        Requests in a sliding minute, made of the count of this minute and the fading share of the last one; and the
        seconds until the next minute begins.
    """
    minute, elapsed = divmod(time.time(), WINDOW_SECONDS)
    current = f"{caller}:{int(minute)}"
    # add() sets the expiry once; incr() is atomic over all processes.
    cache.add(current, 0, timeout=2 * WINDOW_SECONDS)
    before = cache.get(f"{caller}:{int(minute) - 1}") or 0
    try:
        count = cache.incr(current)
    except ValueError:  # the cache is away, or was emptied in between
        count = 1
    return count + float(before) * (1 - elapsed / WINDOW_SECONDS), WINDOW_SECONDS - elapsed
