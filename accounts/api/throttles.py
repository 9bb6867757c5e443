"""How often a caller may ask: counted per key or user in the shared cache, and not at all while that is down."""

import time
from typing import Any

from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.permissions import Access

WINDOW_SECONDS = 60


class CallerThrottle(BaseThrottle):
    """A sliding minute, made of the count of this minute and the fading share of the last one."""

    remaining_seconds = 0.0

    def allow_request(self, request: Request, view: Any) -> bool:
        access = request.auth
        if not isinstance(access, Access):
            return True
        return bool(self._count(f"api:{access.actor.kind}:{access.actor.id}") <= settings.API_REQUESTS_PER_MINUTE)

    def wait(self) -> float:
        return self.remaining_seconds

    def _count(self, caller: str) -> float:
        minute, elapsed = divmod(time.time(), WINDOW_SECONDS)
        self.remaining_seconds = WINDOW_SECONDS - elapsed
        current = f"{caller}:{int(minute)}"
        # add() sets the expiry once; incr() is atomic over all processes.
        cache.add(current, 0, timeout=2 * WINDOW_SECONDS)
        before = cache.get(f"{caller}:{int(minute) - 1}") or 0
        try:
            count = cache.incr(current)
        except ValueError:  # the cache is away, or was emptied in between
            count = 1
        return count + float(before) * (1 - elapsed / WINDOW_SECONDS)
