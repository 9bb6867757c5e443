"""Who calls: a program with an API key, or a signed-in person who tries the API in its documentation."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from accounts.actions import KEY_PREFIX, hash_api_key
from accounts.models import ApiKey
from accounts.permissions import Access, access_of
from accounts.queries import access_of_api_key
from accounts.tenancy import tenant

LAST_USED_EVERY = timedelta(minutes=1)


class ApiKeyAuthentication(BaseAuthentication):
    """``Authorization: Bearer rgl_…``."""

    def authenticate(self, request: Request) -> tuple[Any, Access] | None:
        scheme, _space, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        access = access_of_api_key(hash_api_key(secret.strip())) if secret.strip().startswith(KEY_PREFIX) else None
        if access is None:
            raise AuthenticationFailed(_("The API key is unknown, revoked or expired."))
        _note_use(access)
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


def _note_use(access: Access) -> None:
    """Write when the key was last used, at most once a minute and in a transaction of its own.

    Inside the request's transaction, every other request of the same key would wait for its row.
    """
    # While the cache is away the condition below keeps the pace.
    if not cache.add(f"api-key-used:{access.actor.id}", 1, timeout=LAST_USED_EVERY.total_seconds()):
        return
    now = timezone.now()
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - LAST_USED_EVERY)
    with tenant(access.organization_id):
        ApiKey.objects.filter(stale, pk=access.actor.id or 0).update(last_used_at=now)


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
