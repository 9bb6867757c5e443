"""A member: what is there, what happened, what expires when."""

from typing import Any

from django.db.models import Sum
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.pagination import PAGE_SIZE, BoundedPaginator
from accounts.permissions import Permission, requires
from crm.views.asking import asking, customer_or_404
from loyalty.actions.counter import used_today
from loyalty.forms.counter import REASONS, ReasonForm, RedeemForm, new_token
from loyalty.models import Member, Program, ProgramState
from loyalty.queries.members import find_members, history, history_lines, members, open_lots
from loyalty.queries.wallets import spendable
from loyalty.rules.limits import limit_of, most_now
from loyalty.words import expiry_chart, headline, signed, tone_of, why

MOST_TEXT = 100
PANEL_ENTRIES = 5
LOTS_SHOWN = 10
ACTIONS = ("redeem", "give", "take")


@require_safe
@requires(Permission.LOYALTY_VIEW)
def list_members(request: HttpRequest) -> HttpResponse:
    """Members, the newest first, narrowed by program, by what is in the wallet, or by what one knows of them."""
    text = request.GET.get("q", "").strip()[:MOST_TEXT]
    rows = find_members(text) if text else members()
    programs = list(Program.objects.all())
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
    }
    return render(request, "loyalty/members.html", context)


@require_safe
@requires(Permission.LOYALTY_VIEW)
def show_member(request: HttpRequest, pk: int) -> HttpResponse:
    """A member's points: what can be done with them, and why they are as many as they are."""
    return member_page(request, get_object_or_404(members(), pk=pk), opened=request.GET.get("do", ""))


@require_safe
@requires(Permission.LOYALTY_VIEW)
def customer_panel(request: HttpRequest, pk: int) -> HttpResponse:
    """On the customer's page: their points in each program, and what can be done with them."""
    customer, now = customer_or_404(pk), timezone.now()
    shown = []
    for member in members().filter(customer=customer):
        lines = history_lines(member, list(history(member)[:PANEL_ENTRIES]))
        expiring = open_lots(member).filter(expires_at__gt=now, available__gt=0).first()
        shown.append({**_standing(member), "member": member, "lines": _told(lines), "expiring": expiring, "token": new_token()})
    joinable = Program.objects.filter(state=ProgramState.ACTIVE).exclude(members__customer=customer).exists()
    may_change = asking(request).allows(Permission.POINTS_CHANGE)
    context = {"customer": customer, "shown": shown, "joinable": joinable and may_change, "may_change": may_change}
    return render(request, "loyalty/fragments/customer_panel.html", context)


def member_page(request: HttpRequest, member: Member, *, forms: dict[str, Form] | None = None, opened: str = "") -> HttpResponse:
    """The member's page, with what was typed into a form that was refused."""
    access, now = asking(request), timezone.now()
    page = BoundedPaginator(history(member), PAGE_SIZE).get_page(request.GET.get("page"))
    given = {"redeem": RedeemForm(name="redeem"), "give": ReasonForm(name="give"), "take": ReasonForm(name="take"), **(forms or {})}
    lots = open_lots(member)
    context: dict[str, Any] = {
        "title": str(member.customer),
        "member": member,
        "page": page,
        "lines": _told(history_lines(member, list(page.object_list))),
        "lots": lots[:LOTS_SHOWN],
        "has_more_lots": lots.count() > LOTS_SHOWN,
        "expiries": expiry_chart(
            list(lots.filter(available__gt=0).order_by("expires_at").values_list("expires_at").annotate(sum=Sum("available")))
        ),
        "opened": opened if opened in ACTIONS else "",
        "reasons": REASONS,
        "token": new_token(),
        **_standing(member),
    }
    if access.allows(Permission.POINTS_CHANGE) and member.is_active:
        limit = limit_of(access.role)
        used = used_today(member, now=now, actor=access.actor) if limit else 0
        context |= {"forms": given, "limit": limit, "most": most_now(limit, used_today=used), "may_change": True}
    return render(request, "loyalty/member.html", context)


def _standing(member: Member) -> dict[str, Any]:
    return {"wallet": member.wallet, "spendable": spendable(member.pk, timezone.now())}


def _told(lines: list[Any]) -> list[dict[str, Any]]:
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
