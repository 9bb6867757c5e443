"""A member: what is there, what happened, what expires when."""

from typing import Any

from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.pagination import PAGE_SIZE, BoundedPaginator
from accounts.permissions import Permission, requires
from crm.views.asking import asking, customer_or_404
from loyalty.actions.role_limits import points_today
from loyalty.forms.counter import REASONS, ReasonForm, RedeemForm, TokenForm, new_token
from loyalty.models import Member, Program, ProgramState
from loyalty.queries.clocks import Clocks
from loyalty.queries.members import HistoryLine, find_members, history, history_lines, members, next_expiry, open_lots
from loyalty.queries.programs import TermsBook, Version
from loyalty.queries.rewards import catalogue_for
from loyalty.queries.stamps import cards_of, stamps_by_hand
from loyalty.queries.vouchers import vouchers_of
from loyalty.queries.wallets import spendable
from loyalty.referring import referral_block
from loyalty.rules.limits import limit_of, most_now
from loyalty.words import expiry_chart, headline, missing_words, refusal_words, signed, tone_of, why

MOST_TEXT = 100
PANEL_ENTRIES = 5
LOTS_SHOWN = 10
VOUCHERS_SHOWN = 5
HAND_STAMPS_SHOWN = 5
ACTIONS = ("redeem", "give", "take")


@require_safe
@requires(Permission.LOYALTY_VIEW)
def list_members(request: HttpRequest) -> HttpResponse:
    """Members, the newest first, narrowed by program, by what is in the wallet, or by what one knows of them."""
    text, now, book = request.GET.get("q", "").strip()[:MOST_TEXT], timezone.now(), TermsBook()
    rows = find_members(text) if text else members()
    programs = list(book.programs.values())
    program = next((one for one in programs if str(one.pk) == request.GET.get("program")), None)
    if program is not None:
        rows = rows.filter(program=program)
    wallet = request.GET.get("wallet", "")
    if wallet in ("balance", "pending", "held", "debt"):
        rows = rows.filter(**{f"wallet__{wallet}__gt": 0})
    page = BoundedPaginator(rows.order_by("-pk"), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "title": _("Members"),
        "page": page,
        "text": text,
        "programs": programs,
        "program": program,
        "wallet": wallet,
        "wallets": [("balance", _("Can spend")), ("pending", _("Pending")), ("held", _("Reserved")), ("debt", _("In debt"))],
        "may_enrol": asking(request).allows(Permission.POINTS_CHANGE),
        "filtered": bool(text or program or wallet),
        "rows": [(member, book.tier_name(member.program_id, member.tier, now)) for member in page.object_list],
    }
    return render(request, "loyalty/members.html", context)


@require_safe
@requires(Permission.LOYALTY_VIEW)
def show_member(request: HttpRequest, pk: int) -> HttpResponse:
    """A member's points: what can be done with them, and why they are as many as they are."""
    return member_page(request, get_object_or_404(members(), pk=pk), action=request.GET.get("do", ""))


@require_safe
@requires(Permission.LOYALTY_VIEW)
def customer_panel(request: HttpRequest, pk: int) -> HttpResponse:
    """On the customer's page: their points in each program, and what can be done with them."""
    customer, now, book = customer_or_404(pk), timezone.now(), TermsBook()
    zone = Clocks().of(customer)
    shown = [
        {
            **_standing(member, book),
            "lines": told_lines(history_lines(member, list(history(member)[:PANEL_ENTRIES]))),
            "expiring": next_expiry(member, now=now),
            "zone": zone,
        }
        for member in members().filter(customer=customer)
    ]
    joinable = Program.objects.filter(state=ProgramState.ACTIVE).exclude(members__customer=customer).exists()
    may_change = asking(request).allows(Permission.POINTS_CHANGE)
    context = {"customer": customer, "shown": shown, "joinable": joinable and may_change, "may_change": may_change}
    return render(request, "loyalty/fragments/customer_panel.html", context)


def member_page(request: HttpRequest, member: Member, *, action: str, form: TokenForm | None = None) -> HttpResponse:
    """The member's page, with the form of one action; one that was refused has what was typed."""
    page = BoundedPaginator(history(member), PAGE_SIZE).get_page(request.GET.get("page"))
    lots, zone = open_lots(member), Clocks().of(member.customer)
    expiring = lots.filter(available__gt=0).order_by("expires_at").values_list("expires_at").annotate(sum=Sum("available"))
    context: dict[str, Any] = {
        "title": str(member.customer),
        "page": page,
        "lines": told_lines(history_lines(member, list(page.object_list))),
        "lots": lots[:LOTS_SHOWN],
        "has_more_lots": lots.count() > LOTS_SHOWN,
        "expiries": expiry_chart(list(expiring), zone),
        "zone": zone,
        "rewards": [
            (offered, refusal_words(offered.refusal) if offered.refusal else "") for offered in catalogue_for(member, now=timezone.now())
        ],
        "vouchers": vouchers_of(member.pk)[:VOUCHERS_SHOWN],
        "stamp_cards": cards_of(member, now=timezone.now()),
        "hand_stamps": stamps_by_hand(member)[:HAND_STAMPS_SHOWN],
        **referral_block(member, asking(request).location_ids),
        **_standing(member, TermsBook()),
    }
    if asking(request).allows(Permission.POINTS_CHANGE) and member.is_active:
        context |= {"may_change": True, **_action(request, member, action, form)}
    return render(request, "loyalty/member.html", context)


def _action(request: HttpRequest, member: Member, action: str, form: TokenForm | None) -> dict[str, Any]:
    """The form of what is to be done, and what the role allows."""
    action, access = action if action in ACTIONS else "redeem", asking(request)
    limit = limit_of(access.role)
    used = points_today(member, now=timezone.now(), actor=access.actor) if limit else 0
    return {
        "action": action,
        "actions": [("redeem", _("Redeem")), ("give", _("Give")), ("take", _("Take"))],
        "verb": {"redeem": _("Redeem points"), "give": _("Give points"), "take": _("Take points")}[action],
        "action_url": reverse(f"loyalty:{action}", args=[member.pk]),
        "form": form or (RedeemForm if action == "redeem" else ReasonForm)(),
        "reasons": REASONS,
        "limit": limit,
        "most": most_now(limit, used_today=used),
    }


def worth_minor(version: Version | None, points: int) -> int:
    """What points are worth when they are redeemed, in minor units; nothing without terms."""
    return points * version.terms.redemption.minor // version.terms.redemption.points if version else 0


def _standing(member: Member, book: TermsBook) -> dict[str, Any]:
    now = timezone.now()
    available, version = spendable(member.pk, now), book.in_force(member.program_id, now)
    return {
        "member": member,
        "wallet": member.wallet,
        "spendable": available,
        "worth_minor": worth_minor(version, available),
        "missing": missing_words(available, version),
        "tier": book.tier_name(member.program_id, member.tier, now),
        "token": new_token(),
    }


def told_lines(lines: list[HistoryLine]) -> list[dict[str, Any]]:
    """Lines of the history in words."""
    return [
        {
            "line": line,
            "entry": line.entry,
            "headline": headline(line.entry),
            "tone": tone_of(line.entry),
            "why": why(line),
            "change": signed(line.wallet),
            "pending": signed(line.pending),
        }
        for line in lines
    ]
