"""A member's own pages; their right to be here is the signed link."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from accounts.client_addresses import client_address
from accounts.pagination import BoundedPaginator
from accounts.permissions import Permission, requires
from accounts.public_pages import asked_language, known_language, render_not_found, render_public
from accounts.queries import current_organization
from accounts.tenancy import current_organization_id, tenant
from accounts.throttling import count_asking
from loyalty.actions.referrals import code_of
from loyalty.cards import card_of
from loyalty.ledger.families import holders_after
from loyalty.links import member_token, read_member_token
from loyalty.models import Member
from loyalty.queries.clocks import Clocks
from loyalty.queries.members import history, history_lines, members, next_expiry
from loyalty.queries.programs import TermsBook
from loyalty.queries.rewards import catalogue_for
from loyalty.queries.stamps import cards_of
from loyalty.queries.tiers import standing_of
from loyalty.queries.wallets import spendable
from loyalty.referring import device_of, referral_block
from loyalty.views.member import told_lines, worth_minor
from loyalty.words import benefit_words, missing_words
from messaging.models import Delivery
from messaging.tracking.keys import signer_for

PER_MINUTE = 60
HISTORY_PAGE = 15
REWARDS_SHOWN = 12
TOO_MANY = 429
Page = Callable[[HttpRequest, Member, str], HttpResponse]


def for_member(page: Page) -> Callable[..., HttpResponse]:
    """Open a page for the member its token names, in that organization's scope, on the member's clock and in their language.

    Who guesses tokens, or asks without end, is turned away for the rest of the minute.
    """

    @never_cache
    @wraps(page)
    def opened(request: HttpRequest, token: str) -> HttpResponse:
        ref = read_member_token(token)
        caller = f"member:{ref.organization_id}:{ref.member_id}" if ref else f"stranger:{client_address(request)}"
        if count_asking(caller)[0] > PER_MINUTE:
            return render_not_found(request, TOO_MANY)
        if ref is None:
            return render_not_found(request)
        with tenant(ref.organization_id):
            member = members().filter(pk=[ref.member_id, *holders_after(ref.member_id)][-1], is_active=True).first()
            if member is None:
                return render_not_found(request)
            language = known_language(asked_language(request), member.customer.language, current_organization().language)
            with override(language), timezone.override(Clocks().of(member.customer)):
                return page(request, member, language)

    return opened


@require_safe
@for_member
def show_own_page(request: HttpRequest, member: Member, language: str) -> HttpResponse:
    """Balance, what expires, the way to the next tier, history."""
    links = {"token": member_token(member.pk), "preferences": _preferences_token(member)}
    return render_public(request, "loyalty/own_page.html", what_they_see(request, member) | links, language)


@require_safe
@for_member
def show_own_card(request: HttpRequest, member: Member, language: str) -> HttpResponse:
    """The card, to be shown at the counter, kept on a phone or printed."""
    return render_public(request, "loyalty/card.html", _card(member, TermsBook()), language)


@csrf_exempt  # the token is the whole authority, so there is no session to forge a request of
@require_POST
@for_member
def make_own_code(request: HttpRequest, member: Member, language: str) -> HttpResponse:
    """Give the member the code that they pass on to friends."""
    code_of(member=member, now=timezone.now(), device=device_of(request))
    return redirect(f"{reverse('member_page', args=[member_token(member.pk)])}?lang={language}#friends")


@require_safe
@requires(Permission.LOYALTY_VIEW)
def show_to_staff(request: HttpRequest, pk: int) -> HttpResponse:
    """The member's own page as staff see it: without the links by which the member decides."""
    member = get_object_or_404(members(), pk=pk)
    language = known_language(asked_language(request), member.customer.language, current_organization().language)
    with override(language), timezone.override(Clocks().of(member.customer)):
        return render_public(request, "loyalty/own_page.html", what_they_see(request, member), language)


def what_they_see(request: HttpRequest, member: Member) -> dict[str, Any]:
    """What a member's own page tells."""
    now, book = timezone.now(), TermsBook()
    version, standing, available = book.in_force(member.program_id, now), standing_of(member, at=now, book=book), spendable(member.pk, now)
    page = BoundedPaginator(history(member), HISTORY_PAGE).get_page(request.GET.get("page"))
    return {
        **_card(member, book),
        "wallet": member.wallet,
        "spendable": available,
        "worth_minor": worth_minor(version, available),
        "missing": missing_words(available, version),
        "expiring": next_expiry(member, now=now),
        "standing": standing,
        "basis": version.terms.tiers.basis.value if version and version.terms.tiers else "",
        "benefits": [benefit_words(benefit) for benefit in standing.level.benefits] if standing and standing.level else [],
        "progress": _progress(standing.counted, standing.missing) if standing else 0,
        "rewards": [offered for offered in catalogue_for(member, now=now) if offered.refusal is None][:REWARDS_SHOWN],
        "page": page,
        "stamp_cards": cards_of(member, now=now),
        **referral_block(member),
        "lines": told_lines(history_lines(member, list(page.object_list))),
    }


def _card(member: Member, book: TermsBook) -> dict[str, Any]:
    organization = current_organization()
    tier = book.tier_name(member.program_id, member.tier, timezone.now())
    return {"organization": organization, "member": member, "card": card_of(member, organization, tier=tier)}


def _progress(counted: int, missing: int) -> int:
    return round(100 * counted / (counted + missing)) if counted + missing else 100


def _preferences_token(member: Member) -> str:
    """The way to the preferences page, by the last message the member was sent."""
    last = Delivery.objects.filter(customer_id=member.customer_id).order_by("-id").first()
    return signer_for(current_organization_id()).sign(last.pk).manage if last else ""
