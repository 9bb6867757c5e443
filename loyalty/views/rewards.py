"""The catalogue, and vouchers at the counter."""

from typing import Any

from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.pagination import PAGE_SIZE, BoundedPaginator
from accounts.permissions import Permission, requires
from crm.views.asking import asking
from loyalty.actions.vouchers import CashDueError, VoucherNotUsedError, undo_use, use_voucher
from loyalty.forms.counter import TokenForm, new_token
from loyalty.ledger.bought import VoucherNotOpenError
from loyalty.ledger.posting import KeyReusedError
from loyalty.models import Program, Reward, Voucher, VoucherState
from loyalty.queries.vouchers import find_voucher
from loyalty.rules.rewards import is_offered

MOST_TEXT = 40
TONES = {
    VoucherState.ISSUED: "good",
    VoucherState.RESERVED: "info",
    VoucherState.USED: "muted",
    VoucherState.CANCELLED: "bad",
    VoucherState.EXPIRED: "bad",
}


@require_safe
@requires(Permission.LOYALTY_VIEW)
def list_rewards(request: HttpRequest) -> HttpResponse:
    """What points can buy, the cheapest first."""
    now, access = timezone.now(), asking(request)
    page = BoundedPaginator(Reward.objects.select_related("program"), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "title": _("Rewards"),
        "page": page,
        "rows": [
            (reward, is_offered(reward, now), None if reward.stock is None else reward.stock - reward.sold) for reward in page.object_list
        ],
        "may_change": access.allows(Permission.LOYALTY_CHANGE),
        "has_programs": Program.objects.exists(),
    }
    return render(request, "loyalty/rewards.html", context)


@require_safe
@requires(Permission.LOYALTY_VIEW)
def show_picture(request: HttpRequest, pk: int) -> HttpResponseBase:
    """A reward's picture."""
    reward = get_object_or_404(Reward, pk=pk)
    if not reward.picture:
        raise Http404
    response = FileResponse(reward.picture.open("rb"))
    response["Cache-Control"] = "private, max-age=3600"
    return response


@require_safe
@requires(Permission.POINTS_CHANGE)
def check_voucher(request: HttpRequest) -> HttpResponse:
    """What a voucher stands for, and whether it can be used."""
    code = request.GET.get("code", "").strip()[:MOST_TEXT]
    voucher = find_voucher(code) if code else None
    context: dict[str, Any] = {"title": _("Vouchers"), "code": code, "voucher": voucher, "token": new_token()}
    if voucher is not None:
        over = voucher.expires_at is not None and voucher.expires_at <= timezone.now()
        state = VoucherState.EXPIRED if voucher.state == VoucherState.ISSUED and over else VoucherState(voucher.state)
        context |= {
            "word": state.label,
            "tone": TONES[state],
            "may_use": state == VoucherState.ISSUED,
            "may_undo": state == VoucherState.USED,
        }
    return render(request, "loyalty/voucher.html", context)


@require_POST
@requires(Permission.POINTS_CHANGE)
def use(request: HttpRequest, pk: int) -> HttpResponse:
    """Give out what a voucher stands for; what is due with it has been paid."""
    voucher, form, access = get_object_or_404(Voucher, pk=pk), TokenForm(request.POST), asking(request)
    only_location = next(iter(access.location_ids)) if access.location_ids and len(access.location_ids) == 1 else None
    try:
        if form.is_valid():
            use_voucher(
                code=voucher.code,
                key=f"counter:{form.cleaned_data['token']}",
                now=timezone.now(),
                actor=access.actor,
                location_id=only_location,
                paid_minor=voucher.cash_minor,
            )
            messages.success(request, _("The voucher is used."))
        else:
            messages.error(request, " ".join(map(str, form.errors["token"])))
    except VoucherNotOpenError as error:
        messages.error(request, _("Nothing was changed: the voucher is “%(state)s”.") % {"state": VoucherState(error.state).label})
    except (CashDueError, KeyReusedError):
        messages.error(request, _("Nothing was changed; look at the voucher once more."))
    return redirect(f"{reverse('loyalty:vouchers')}?code={voucher.code}")


@require_POST
@requires(Permission.POINTS_CHANGE)
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Take back that a voucher was used."""
    voucher, form = get_object_or_404(Voucher, pk=pk), TokenForm(request.POST)
    try:
        if form.is_valid():
            undo_use(code=voucher.code, key=f"counter:{form.cleaned_data['token']}", now=timezone.now(), actor=asking(request).actor)
            messages.success(request, _("Undone."))
        else:
            messages.error(request, " ".join(map(str, form.errors["token"])))
    except VoucherNotUsedError:
        messages.error(request, _("There is nothing to undo here any more. Nothing was changed."))
    return redirect(f"{reverse('loyalty:vouchers')}?code={voucher.code}")
