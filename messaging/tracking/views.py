"""Public pages of a message's recipient; their right to be here is the signed link."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import override
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from accounts.client_addresses import client_address
from accounts.public_pages import asked_language, known_language, render_not_found, render_public
from accounts.queries import current_organization
from accounts.tenancy import tenant
from crm.models import ConsentState, Purpose
from messaging.actions.unsubscribing import decide_consents, unsubscribe
from messaging.models import Delivery, TrackingHit
from messaging.tracking.hits import Hit, read_request
from messaging.tracking.keys import token_reader
from messaging.tracking.preferences import choices_of, flat, read_grants, sign_grants

logger = logging.getLogger(__name__)
TEST_TOKEN = "test"  # noqa: S105 - what untracked messages carry in its place
Page = Callable[[HttpRequest, Delivery, str], HttpResponse]


@require_safe
@never_cache
def track(request: HttpRequest, **_parts: str) -> HttpResponse:
    """Pixels and tracked links that came by way of Django; the production server answers them before it."""
    answer = read_request(request.META, token_reader(), timezone.now())
    if answer is None:
        return render_not_found(request)
    try:
        with tenant(answer.hit.ref.organization_id):
            _keep(answer.hit)
    except DatabaseError:
        logger.exception("a hit is lost")
    response = HttpResponse(answer.body, status=int(answer.status[:3]))
    for name, value in answer.headers:
        response[name] = value
    return response


def _keep(hit: Hit) -> None:
    TrackingHit.objects.create(
        delivery_id=hit.ref.delivery_id,
        kind=hit.kind,
        link_index=hit.link_index,
        address=hit.address,
        at=hit.at,
        machine=hit.machine,
        user_agent=hit.user_agent,
    )


def recipient_page(page: Page) -> Callable[Concatenate[HttpRequest, ...], HttpResponse]:
    """Open a page for the delivery its token names, in that organization's scope and the recipient's language.

    The token is the whole authority, so there is no session to forge a request of: CSRF protection would
    only turn away the mail programs that unsubscribe with one click (RFC 8058).
    """

    @csrf_exempt
    @never_cache
    @require_http_methods(["GET", "HEAD", "POST"])
    @wraps(page)
    def opened(request: HttpRequest, token: str) -> HttpResponse:
        if token == TEST_TOKEN:
            return render_public(request, "public/test_message.html", {}, asked_language(request) or "en")
        ref = token_reader().read_manage(token)
        if ref is None:
            return render_not_found(request)
        with tenant(ref.organization_id):
            found = Delivery.objects.select_related("customer", "dispatch__version").filter(pk=ref.delivery_id).first()
            if found is None:
                return render_not_found(request)
            with override(_language(request, found)):
                return page(request, found, token)

    return opened


@recipient_page
def unsubscribe_page(request: HttpRequest, delivery: Delivery, token: str) -> HttpResponse:
    """GET shows what would be left, and changes nothing; POST leaves, whether by the button or by one click."""
    if delivery.dispatch.purpose == Purpose.TRANSACTIONAL:
        return _preferences(request, delivery, token)
    if request.method != "POST":
        return _page(request, "public/unsubscribe.html", delivery, token)
    one_click = request.POST.get("List-Unsubscribe") == "One-Click"
    way = "one_click" if one_click else "unsubscribe_page"
    unsubscribe(delivery=delivery, way=way, now=timezone.now(), proof=_proof(request))
    return _page(request, "public/unsubscribed.html", delivery, token)


@recipient_page
def preferences_page(request: HttpRequest, delivery: Delivery, token: str) -> HttpResponse:
    """What to receive, per channel and purpose; leaving is immediate, coming back is asked once more."""
    if request.method != "POST":
        return _preferences(request, delivery, token)
    wanted = set(request.POST.getlist("consent"))
    groups = choices_of(delivery.customer)
    left = [choice for choice in flat(groups) if choice.is_granted and choice.value not in wanted]
    joined = [choice for choice in flat(groups) if not choice.is_granted and choice.value in wanted]
    decide_consents(
        delivery=delivery,
        choices=[(choice.channel, choice.purpose) for choice in left],
        state=ConsentState.WITHDRAWN,
        way="preference_page",
        now=timezone.now(),
        proof=_proof(request),
    )
    if joined:
        more = {"joined": joined, "confirmation": sign_grants(delivery, joined)}
        return _page(request, "public/confirm.html", delivery, token, **more)
    return _preferences(request, delivery, token, saved=True)


@recipient_page
def confirm_page(request: HttpRequest, delivery: Delivery, token: str) -> HttpResponse:
    """The second yes to messages that were not wanted before."""
    grants = read_grants(delivery, request.POST.get("confirmation", "")) if request.method == "POST" else None
    if grants is None:
        return render_not_found(request)
    decide_consents(
        delivery=delivery,
        choices=grants,
        state=ConsentState.GRANTED,
        way="preference_page",
        now=timezone.now(),
        proof=_proof(request),
    )
    return _preferences(request, delivery, token, saved=True)


def _preferences(request: HttpRequest, delivery: Delivery, token: str, *, saved: bool = False) -> HttpResponse:
    groups = choices_of(delivery.customer)
    return _page(request, "public/preferences.html", delivery, token, groups=groups, saved=saved)


def _page(request: HttpRequest, template: str, delivery: Delivery, token: str, **more: Any) -> HttpResponse:
    context = {"organization": current_organization(), "delivery": delivery, "token": token, **more}
    return render_public(request, template, context, _language(request, delivery))


def _language(request: HttpRequest, delivery: Delivery) -> str:
    return known_language(asked_language(request), delivery.customer.language, delivery.dispatch.version.language)


def _proof(request: HttpRequest) -> dict[str, str]:
    return {"user_agent": request.headers.get("User-Agent", "")[:300], "ip": client_address(request)}
