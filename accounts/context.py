"""What every page of the shell shows: the organization, and the others one can switch to."""

from typing import Any

from django.http import HttpRequest

from accounts.permissions import access_of


def shell(request: HttpRequest) -> dict[str, Any]:
    """Template variables of the shell; no queries, the middleware has read them already."""
    access = access_of(request)
    seats = getattr(request, "seats", [])
    seat = next((item for item in seats if access and item.organization_id == access.organization_id), None)
    return {"access": access, "seat": seat, "seats": seats}
