"""Who calls: a program with an API key, or a signed-in person who tries the API in its documentation."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from accounts.actions import KEY_PREFIX, use_api_key
from accounts.permissions import Access, access_of


class ApiKeyAuthentication(BaseAuthentication):
    """``Authorization: Bearer rgl_…``."""

    def authenticate(self, request: Request) -> tuple[Any, Access] | None:
        scheme, _space, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        if (access := use_api_key(secret.strip())) is None:
            raise AuthenticationFailed(_("The API key is unknown, revoked or expired."))
        return AnonymousUser(), access

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Regulars"'


class SessionAccessAuthentication(SessionAuthentication):
    """The session of the pages, with the organization chosen there; changes need the CSRF token."""

    def authenticate(self, request: Request) -> tuple[Any, Access] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        access = access_of(request._request)
        if access is None:
            raise PermissionDenied(_("You belong to no organization."))
        return found[0], access


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself
    target_class = "accounts.api.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": f"{KEY_PREFIX}…"}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself
    target_class = "accounts.api.authentication.SessionAccessAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}
