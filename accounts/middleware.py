"""Puts every page into the tenant scope of the organization its user has chosen."""

from collections.abc import Callable

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from accounts.models import User
from accounts.queries import Seat, seats_of
from accounts.tenancy import tenant

SESSION_KEY = "organization_id"


class OrganizationMiddleware:
    """Sets ``request.access`` and ``request.seats`` and opens the scope; one transaction per request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.seats, request.access = [], None  # type: ignore[attr-defined]  # typed by accounts.permissions.access_of
        user = request.user
        if not isinstance(user, User):
            return self.get_response(request)
        seats = seats_of(user)
        seat = _chosen(request, seats)
        request.seats = seats  # type: ignore[attr-defined]  # read by accounts.context
        with translation.override(_language(request, user, seat)):
            if seat is None:
                return self.get_response(request)
            request.access = seat.access  # type: ignore[attr-defined]  # typed by accounts.permissions.access_of
            with timezone.override(seat.time_zone), tenant(seat.organization_id):
                response = self.get_response(request)
                if response.status_code >= 500:
                    transaction.set_rollback(True)
                return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        if getattr(request, "access", None) is not None:
            transaction.set_rollback(True)


def _chosen(request: HttpRequest, seats: list[Seat]) -> Seat | None:
    wanted = request.session.get(SESSION_KEY)
    return next((seat for seat in seats if seat.organization_id == wanted), seats[0] if seats else None)


def _language(request: HttpRequest, user: User, seat: Seat | None) -> str:
    # A language chosen on the page (the cookie) wins over the profile, which wins over the organization.
    cookie = request.COOKIES.get("django_language")
    return cookie if cookie in ("en", "fa") else user.language or (seat.language if seat else translation.get_language() or "en")
