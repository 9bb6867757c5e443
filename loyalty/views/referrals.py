"""Who brings whom: the figures of a program, and codes at the counter."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.pagination import PAGE_SIZE, BoundedPaginator
from accounts.permissions import Permission, requires
from crm.views.asking import asking, customer_or_404
from loyalty.actions.referrals import UnknownCodeError, code_of, join_by_code
from loyalty.forms.referrals import CodeForm
from loyalty.models import Program, Referral, ReferralFlag, ReferralRejection, ReferralState
from loyalty.queries.members import members
from loyalty.queries.referrals import ReferralFigures, program_figures, referrers, revenue_by_referrer

TONES = {
    ReferralState.INVITED: "muted",
    ReferralState.JOINED: "info",
    ReferralState.QUALIFIED: "info",
    ReferralState.REWARDED: "good",
    ReferralState.REJECTED: "bad",
}


@require_safe
@requires(Permission.INSIGHTS_VIEW)
def show_referrals(request: HttpRequest, pk: int) -> HttpResponse:
    """What referrals came to in a program: the way from invitation to reward, who brought most, and each one."""
    program = get_object_or_404(Program, pk=pk)
    figures = program_figures(pk, asking(request).location_ids)
    state = request.GET.get("state", "")
    context: dict[str, Any] = {
        "title": _("Referrals"),
        "program": program,
        "figures": figures,
        "funnel": _funnel(figures),
        "rejected": [(ReferralRejection(reason).label, count) for reason, count in sorted(figures.rejected.items())],
        "states": ReferralState.choices,
        "chosen": state if state in ReferralState.values else "",
        "shows_best": request.GET.get("show") == "best",
    }
    rows = _best(request, pk) if context["shows_best"] else _listed(request, pk, context["chosen"])
    return render(request, "loyalty/referrals.html", context | rows)


@requires(Permission.POINTS_CHANGE)
def enter_code(request: HttpRequest, pk: int) -> HttpResponse:
    """At the counter: by whose code a customer came."""
    customer, form = customer_or_404(pk), CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            referral = join_by_code(code=form.cleaned_data["code"], customer=customer, now=timezone.now(), actor=asking(request).actor)
        except UnknownCodeError:
            form.add_error("code", forms.ValidationError(_("No member of a running program has this code. Nothing was changed.")))
        else:
            _tell(request, referral)
            return redirect("crm:customer", pk=pk)
    return render(request, "loyalty/enter_code.html", {"title": _("Enter a referral code"), "form": form, "customer": customer})


@require_POST
@requires(Permission.POINTS_CHANGE)
def make_code(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a member the code that they pass on to friends."""
    member = get_object_or_404(members(), pk=pk, is_active=True)
    code = code_of(member=member, now=timezone.now())
    messages.success(request, _("The code to pass on is %(code)s.") % {"code": code})
    return redirect("loyalty:member", pk=pk)


def _tell(request: HttpRequest, referral: Referral) -> None:
    if referral.state == ReferralState.REJECTED:
        words = _("The code does not count: %(reason)s. They are a member anyway.")
        messages.warning(request, words % {"reason": referral.get_rejection_display()})
    else:
        messages.success(request, _("Noted: they came by %(name)s.") % {"name": referral.referrer.customer})


def _funnel(figures: ReferralFigures) -> dict[str, Any] | None:
    """How many got at least as far as each step; who was rejected is on none of them."""
    reached = [figures.invited, figures.joined, figures.qualified, figures.rewarded]
    if not any(reached):
        return None
    labels = [_("Invited or came"), _("Joined"), _("Bought something"), _("Rewarded")]
    values = [sum(reached[step:]) for step in range(len(reached))]
    return {"label": _("Step"), "labels": labels, "series": [{"name": _("Referrals"), "values": values}]}


def _best(request: HttpRequest, program_id: int) -> dict[str, Any]:
    page = BoundedPaginator(referrers(program_id), PAGE_SIZE).get_page(request.GET.get("page"))
    revenue = revenue_by_referrer([member.pk for member in page.object_list], asking(request).location_ids)
    return {"page": page, "rows": [(member, revenue.get(member.pk, 0)) for member in page.object_list]}


def _listed(request: HttpRequest, program_id: int, state: str) -> dict[str, Any]:
    found = Referral.objects.filter(program_id=program_id, **({"state": state} if state else {}))
    page = BoundedPaginator(found.select_related("referrer__customer", "customer"), PAGE_SIZE).get_page(request.GET.get("page"))
    rows = [
        (referral, TONES[ReferralState(referral.state)], [ReferralFlag(flag).label for flag in referral.flags])
        for referral in page.object_list
    ]
    return {"page": page, "rows": rows}
