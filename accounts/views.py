"""Pages of accounts outside the admin."""

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from accounts.middleware import ENTERED_KEY, SESSION_KEY
from accounts.queries import Seat


@require_POST
@login_required
def switch_organization(request: HttpRequest) -> HttpResponse:
    """Work in another of one's organizations from now on; the switch is in that organization's audit log."""
    seats: list[Seat] = request.seats  # type: ignore[attr-defined]  # set by OrganizationMiddleware
    wanted = request.POST.get("organization", "")
    seat = next((item for item in seats if str(item.organization_id) == wanted), None)
    if seat is None:
        raise PermissionDenied
    request.session[SESSION_KEY] = seat.organization_id
    request.session[ENTERED_KEY] = True
    return redirect("crm:today")


def show_lock_out(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Say for how long logging in is paused, and what to do meanwhile (called by axes)."""
    return render(request, "registration/locked_out.html", {"minutes": round(settings.AXES_COOLOFF_TIME * 60)}, status=429)
