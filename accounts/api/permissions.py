"""Whether a caller may: asked of the one permission matrix."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.permissions import Access


class HoldsPermission(BasePermission):
    """The caller's role, or the scopes of their key, include what the view asks for; a view that asks for nothing is shut."""

    def has_permission(self, request: Request, view: Any) -> bool:
        access = request.auth
        if not isinstance(access, Access):
            raise NotAuthenticated
        if request.method not in view.allowed_methods:
            return True  # goes on to 405
        missing = [permission for permission in view.required_permissions if not access.allows(permission)]
        if missing or not view.required_permissions:
            raise PermissionDenied(_("This needs the scope “%(scope)s”.") % {"scope": ", ".join(missing)}, code="missing_scope")
        return True
