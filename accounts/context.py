"""What every page of the shell shows: the organization, the others one can switch to, and the navigation."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts.permissions import access_of


def shell(request: HttpRequest) -> dict[str, Any]:
    """Template variables of the shell; no queries, the middleware has read them already."""
    access = access_of(request)
    seats = getattr(request, "seats", [])
    seat = next((item for item in seats if access and item.organization_id == access.organization_id), None)
    return {**_around(request), "access": access, "seat": seat, "seats": seats}


def _around(request: HttpRequest) -> dict[str, Any]:
    # Admin pages bring this themselves; fragments have nothing around them.
    match = request.resolver_match
    if not getattr(request, "in_shell", False) or (match and match.app_name == "admin") or getattr(request, "htmx", False):
        return {}
    return admin.site.each_context(request)
