"""Puts every page into the tenant scope of the organization its user has chosen."""

from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone, translation

from accounts.audit import record_audit
from accounts.models import User
from accounts.permissions import access_of
from accounts.queries import Seat, seats_of
from accounts.tenancy import tenant

SESSION_KEY = "organization_id"
CUSTOMER_PATHS = ("/t/",)
API_PATHS = ("/api/",)
# Set by the switch: the first request inside the new organization tells of it there, where it can be read.
ENTERED_KEY = "organization_entered"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
# What a form says of the organization it was opened in (accounts.templatetags.organization_forms, shell.js).
ORGANIZATION_FIELD = "in_organization"
ORGANIZATION_HEADER = "X-Organization"
# These change the session and nothing of an organization's.
ABOUT_THE_SESSION = ("accounts:switch_organization", "admin:login", "admin:logout", "set_language")


class OrganizationMiddleware:
    """Sets ``request.access`` and ``request.seats`` and opens the scope; one transaction per request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.seats, request.access = [], None  # type: ignore[attr-defined]  # typed by accounts.permissions.access_of
        user = request.user
        # A program that shows a key of its own is let in by accounts.api.authentication, whoever else is signed in.
        # What a customer opens belongs to the organization its link names, whoever is signed in in this browser.
        if (
            not isinstance(user, User)
            or request.headers.get("Authorization", "").lower().startswith("bearer ")
            or request.path_info.startswith(CUSTOMER_PATHS)
        ):
            return self.get_response(request)
        seats = seats_of(user)
        seat = _chosen(request, seats)
        request.seats = seats  # type: ignore[attr-defined]  # read by accounts.context
        with translation.override(_language(request, user, seat)):
            if seat is None:
                return self.get_response(request)
            request.access = seat.access  # type: ignore[attr-defined]  # typed by accounts.permissions.access_of
            with timezone.override(seat.time_zone), tenant(seat.organization_id):
                has_entered = request.session.get(ENTERED_KEY, False)
                if has_entered:
                    record_audit(action="organization.entered", subject=user, actor=seat.access.actor)
                response = self.get_response(request)
                if response.status_code >= 500:
                    transaction.set_rollback(True)
                if has_entered and not transaction.get_rollback():
                    request.session.pop(ENTERED_KEY, None)
                return response

    def process_view(self, request: HttpRequest, *view: object) -> HttpResponse | None:
        """Refuse what was meant for another organization: in another tab one switched, or the seat was closed meanwhile."""
        access = access_of(request)
        if access is None or request.method in SAFE_METHODS or _is_about_the_session(request):
            return None
        said = request.headers.get(ORGANIZATION_HEADER) or request.POST.get(ORGANIZATION_FIELD)
        meant = said or request.session.get(SESSION_KEY, access.organization_id)
        return None if str(meant) == str(access.organization_id) else render(request, "409.html", status=409)

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        if getattr(request, "access", None) is not None:
            transaction.set_rollback(True)


class ReadableQueryMiddleware:
    """Refuses pages whose address holds the character NUL, which no column can be compared with; the API tells it in its own way."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "%00" in request.META.get("QUERY_STRING", "") and not request.path_info.startswith(API_PATHS):
            raise BadRequest("The query string holds the character NUL.")
        return self.get_response(request)


class ShellPolicyMiddleware:
    """Lets Alpine evaluate its expressions on the pages of the shell; every other page keeps the strict policy."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if getattr(request, "in_shell", False) and not hasattr(response, "_csp_update"):
            response._csp_update = {"script-src": ["'unsafe-eval'"]}  # type: ignore[attr-defined]  # read by django-csp
        return response

    def process_view(self, request: HttpRequest, view: Callable[..., HttpResponse], *args: object) -> None:
        match = request.resolver_match
        in_admin = match is not None and match.app_name == "admin"
        request.in_shell = in_admin or hasattr(view, "required_permission") or hasattr(view, "in_shell")  # type: ignore[attr-defined]


def _is_about_the_session(request: HttpRequest) -> bool:
    return request.resolver_match is not None and request.resolver_match.view_name in ABOUT_THE_SESSION


def _chosen(request: HttpRequest, seats: list[Seat]) -> Seat | None:
    wanted = request.session.get(SESSION_KEY)
    return next((seat for seat in seats if seat.organization_id == wanted), seats[0] if seats else None)


def _language(request: HttpRequest, user: User, seat: Seat | None) -> str:
    # A language chosen on the page (the cookie) wins over the profile, which wins over the organization.
    cookie = request.COOKIES.get("django_language")
    return cookie if cookie in ("en", "fa") else user.language or (seat.language if seat else translation.get_language() or "en")
