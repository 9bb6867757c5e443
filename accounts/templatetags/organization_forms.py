"""Every form says in which organization it was opened: ``{% csrf_token %}`` writes it, without being loaded."""

from typing import Any

from django import template
from django.template.base import Parser, Token
from django.template.defaulttags import CsrfTokenNode
from django.utils.html import format_html

from accounts.middleware import ORGANIZATION_FIELD
from accounts.permissions import access_of

register = template.Library()


class OrganizationTokenNode(CsrfTokenNode):
    """Django's token, and the organization of the page."""

    def render(self, context: Any) -> str:
        token = super().render(context)
        access = access_of(context["request"]) if "request" in context else None
        if not token or access is None:
            return token
        return token + format_html('<input type="hidden" name="{}" value="{}">', ORGANIZATION_FIELD, access.organization_id)


@register.tag
def csrf_token(parser: Parser, token: Token) -> OrganizationTokenNode:
    """Take the place of Django's tag of this name."""
    return OrganizationTokenNode()
