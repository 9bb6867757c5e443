"""The permission matrix: the one file that says who may do what, for admin, pages and API alike."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url

from accounts.audit import Actor
from accounts.models.membership import Role


class Permission(StrEnum):
    """What can be allowed; the values are the scopes of API keys."""

    CUSTOMERS_VIEW = "customers.view"
    CUSTOMERS_CHANGE = "customers.change"
    CUSTOMERS_IMPORT = "customers.import"
    CUSTOMERS_EXPORT = "customers.export"
    CONSENT_CHANGE = "consent.change"
    VISITS_VIEW = "visits.view"
    VISITS_CHANGE = "visits.change"
    PURCHASES_VIEW = "purchases.view"
    PURCHASES_CHANGE = "purchases.change"
    EVENTS_VIEW = "events.view"
    EVENTS_CHANGE = "events.change"
    SEGMENTS_VIEW = "segments.view"
    SEGMENTS_CHANGE = "segments.change"
    TEMPLATES_VIEW = "templates.view"
    TEMPLATES_CHANGE = "templates.change"
    CAMPAIGNS_VIEW = "campaigns.view"
    CAMPAIGNS_CHANGE = "campaigns.change"
    CAMPAIGNS_LAUNCH = "campaigns.launch"
    MESSAGES_VIEW = "messages.view"
    LOYALTY_VIEW = "loyalty.view"
    LOYALTY_CHANGE = "loyalty.change"
    POINTS_CHANGE = "points.change"
    SENDERS_CHANGE = "senders.change"
    INSIGHTS_VIEW = "insights.view"
    MEMBERS_CHANGE = "members.change"
    ORGANIZATION_CHANGE = "organization.change"
    API_KEYS_CHANGE = "api_keys.change"
    AUDIT_VIEW = "audit.view"


P = Permission
_LOOK = {P.CUSTOMERS_VIEW, P.VISITS_VIEW, P.PURCHASES_VIEW, P.EVENTS_VIEW, P.LOYALTY_VIEW}
_COUNTER = _LOOK | {P.CUSTOMERS_CHANGE, P.CONSENT_CHANGE, P.VISITS_CHANGE, P.PURCHASES_CHANGE, P.POINTS_CHANGE}
_MARKETING = {
    P.SEGMENTS_VIEW,
    P.SEGMENTS_CHANGE,
    P.TEMPLATES_VIEW,
    P.TEMPLATES_CHANGE,
    P.CAMPAIGNS_VIEW,
    P.CAMPAIGNS_CHANGE,
    P.CAMPAIGNS_LAUNCH,
    P.MESSAGES_VIEW,
    P.LOYALTY_CHANGE,
    P.INSIGHTS_VIEW,
}
_MANAGEMENT = _COUNTER | _MARKETING | {P.CUSTOMERS_IMPORT, P.CUSTOMERS_EXPORT, P.EVENTS_CHANGE, P.SENDERS_CHANGE, P.AUDIT_VIEW}

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.OWNER: frozenset(Permission),
    Role.MANAGER: frozenset(_MANAGEMENT | {P.MEMBERS_CHANGE}),
    Role.MARKETER: frozenset(_LOOK | _MARKETING | {P.CUSTOMERS_IMPORT, P.CUSTOMERS_EXPORT, P.CONSENT_CHANGE}),
    Role.FRONT_DESK: frozenset(_COUNTER),
    Role.SUPPORT: frozenset(_LOOK | {P.CUSTOMERS_CHANGE, P.CONSENT_CHANGE, P.MESSAGES_VIEW}),
    Role.ANALYST: frozenset(_LOOK | {P.SEGMENTS_VIEW, P.CAMPAIGNS_VIEW, P.MESSAGES_VIEW, P.INSIGHTS_VIEW, P.CUSTOMERS_EXPORT}),
}
# What no location bounds (docs/decisions/0014): whoever is limited to some does without.
OF_ALL_LOCATIONS: frozenset[Permission] = frozenset({P.AUDIT_VIEW})
# A key speaks for a program, so it never manages people or other keys.
API_SCOPES: frozenset[Permission] = frozenset(_MANAGEMENT)


@dataclass(frozen=True, slots=True)
class Access:
    """Who is asking, in which organization, with which permissions.

    ``location_ids`` limits what is seen to some locations; ``None`` is all of them.
    """

    organization_id: int
    actor: Actor
    permissions: frozenset[Permission]
    role: Role | None = None
    location_ids: frozenset[int] | None = None

    def allows(self, permission: Permission) -> bool:
        return permission in self.permissions


def access_of(request: HttpRequest) -> Access | None:
    """The access that middleware or API authentication put on the request."""
    return getattr(request, "access", None)


View = Callable[..., HttpResponseBase]


def requires(permission: Permission) -> Callable[[View], View]:
    """Let a page be opened only with ``permission``.

    Whoever is not logged in is asked to; without an organization or the permission the answer is 403.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _ask_to_log_in(request)
            access = access_of(request)
            if access is None or not access.allows(permission):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        guarded.required_permission = permission  # type: ignore[attr-defined]  # read by the architecture test
        return guarded

    return decorate


def _ask_to_log_in(request: HttpRequest) -> HttpResponse:
    if "HX-Request" in request.headers:
        # A fragment must not be replaced by the login page: shell/session.js opens it over the page.
        return HttpResponse(status=204, headers={"HX-Trigger": "loggedOut"})
    return redirect_to_login(request.get_full_path(), resolve_url(settings.LOGIN_URL))
