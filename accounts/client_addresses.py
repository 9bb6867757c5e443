"""From which address a request came."""

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The caller's address; behind trusted proxies the one that the outermost of them saw.

    Each proxy adds the address it saw at the end of X-Forwarded-For; what stands before the trusted ones' anybody can have written.
    """
    nearest = str(request.META.get("REMOTE_ADDR", ""))
    proxies = settings.TRUSTED_PROXIES
    seen = request.headers.get("X-Forwarded-For", "").split(",")
    if not 0 < proxies <= len(seen):
        return nearest
    try:
        return str(ip_address(seen[-proxies].strip()))
    except ValueError:
        return nearest
