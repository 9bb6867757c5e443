"""How often a caller may ask: counted per key or user."""

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.permissions import Access
from accounts.throttling import count_asking


class CallerThrottle(BaseThrottle):
    """So many requests in a sliding minute."""

    remaining_seconds = 0.0

    def allow_request(self, request: Request, view: Any) -> bool:
        access = request.auth
        if not isinstance(access, Access):
            return True
        count, self.remaining_seconds = count_asking(f"api:{access.actor.kind}:{access.actor.id}")
        return bool(count <= settings.API_REQUESTS_PER_MINUTE)

    def wait(self) -> float:
        return self.remaining_seconds
