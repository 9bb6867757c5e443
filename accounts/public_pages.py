"""Pages that customers open by a signed link: no shell, no script, no login, kept out of search engines."""

from typing import Any

from csp.constants import NONCE
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import override

_RIGHT_TO_LEFT = {"fa"}
_STRICT = {
    "default-src": ["'none'"],
    "style-src": ["'self'", NONCE],
    "font-src": ["'self'"],
    "img-src": ["'self'"],
    "form-action": ["'self'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
}


def render_public(request: HttpRequest, template: str, context: dict[str, Any], language: str, status: int = 200) -> HttpResponse:
    """Render a page in the reader's language, under the strict policy."""
    direction = "rtl" if language in _RIGHT_TO_LEFT else "ltr"
    with override(language):
        response = render(request, template, {**context, "language": language, "direction": direction}, status=status)
    # What csp.decorators.csp does, whose types know only views without parameters.
    response._csp_config = _STRICT  # type: ignore[attr-defined]  # read by csp.middleware
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


def render_not_found(request: HttpRequest, status: int = 404) -> HttpResponse:
    """Say that a link does not work, and nothing of why."""
    language = asked_language(request) or ("fa" if request.headers.get("Accept-Language", "").startswith("fa") else "en")
    return render_public(request, "public/not_found.html", {}, language, status=status)


def asked_language(request: HttpRequest) -> str:
    """The language that was chosen on the page itself, or nothing."""
    return known_language(request.GET.get("lang", ""), default="")


def known_language(*wanted: str, default: str = "en") -> str:
    """The first of these languages that there are words in."""
    known = {code for code, _name in settings.LANGUAGES}
    return next((code for code in wanted if code in known), default)
