from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.formats import format_money, in_one_run
from accounts.forms import add_refusal
from accounts.pagination import PAGE_SIZE, BoundedPaginator
from accounts.permissions import Permission, requires
from crm.actions import record_purchase, refund_moment, refund_purchase
from crm.answers import act_on_purchase
from crm.forms.purchase import LineFormSet, RefundForm, SaleForm
from crm.models import Purchase, PurchaseKind
from crm.queries.visible import purchases_for
from crm.views.asking import asking, customer_or_404, seat_of


@requires(Permission.PURCHASES_VIEW)
def list_purchases(request: HttpRequest) -> HttpResponse:
    """Sales and refunds, the latest first."""
    kind = request.GET.get("kind", "")
    rows = purchases_for(asking(request))
    if kind in PurchaseKind.values:
        rows = rows.filter(kind=kind)
    page = BoundedPaginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "crm/purchases.html", {"title": _("Purchases"), "page": page, "kinds": PurchaseKind.choices, "kind": kind})


@requires(Permission.PURCHASES_VIEW)
def show_purchase(request: HttpRequest, pk: int) -> HttpResponse:
    """A receipt with its lines and what was given back of it."""
    access = asking(request)
    purchase = get_object_or_404(purchases_for(access).select_related("refund_of"), pk=pk)
    left = _left_of(purchase)
    context = {
        "title": (_("Receipt %(number)s") if purchase.kind == PurchaseKind.SALE else _("Refund %(number)s")) % _named(purchase),
        "purchase": purchase,
        "lines": purchase.lines.all(),
        "refunds": purchase.refunds.all(),
        "may_refund": left > 0 and access.allows(Permission.PURCHASES_CHANGE),
        "left_minor": left,
    }
    return render(request, "crm/purchase.html", context)


@requires(Permission.PURCHASES_CHANGE)
def new_sale(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """Record a sale to this customer, or to nobody known."""
    customer = customer_or_404(pk) if pk is not None else None
    access, now, seat = asking(request), timezone.now(), seat_of(request)
    initial = {"purchased_at": now, "staff": customer.preferred_staff_id if customer else None}
    form = SaleForm(request.POST or None, access=access, initial=initial)
    lines: Any = LineFormSet(request.POST or None, prefix="lines", form_kwargs={"seat": seat})
    if request.method == "POST" and form.is_valid() & lines.is_valid():
        try:
            purchase = record_purchase(customer=customer, lines=lines.lines, now=now, actor=access.actor, **form.cleaned_data)
        except ValidationError as error:
            add_refusal(form, error)
        else:
            act_on_purchase(purchase, actor=access.actor, now=now)
            amount = format_money(purchase.total_minor, seat.currency, seat.money_unit)
            messages.success(request, _("The sale of %(amount)s was recorded.") % {"amount": amount})
            return redirect("crm:customer", pk=customer.pk) if customer else redirect("crm:purchase", pk=purchase.pk)
    title = _("Sale to %(name)s") % {"name": customer} if customer else _("Sale without a customer")
    return render(request, "crm/sale_form.html", {"title": title, "form": form, "lines": lines, "customer": customer})


@requires(Permission.PURCHASES_CHANGE)
def refund(request: HttpRequest, pk: int) -> HttpResponse:
    """Give back a part of a sale or all of it."""
    access, now, seat = asking(request), timezone.now(), seat_of(request)
    purchase = get_object_or_404(purchases_for(access).filter(kind=PurchaseKind.SALE), pk=pk)
    left = _left_of(purchase)
    form = RefundForm(request.POST or None, seat=seat, left_minor=left)
    if request.method == "POST" and form.is_valid():
        amount = form.cleaned_data["amount_minor"]
        try:
            given_back = refund_purchase(
                purchase=purchase,
                amount_minor=amount,
                refunded_at=refund_moment(purchase, now),
                actor=access.actor,
                number=form.cleaned_data["number"],
            )
        except ValidationError as error:
            add_refusal(form, error)
        else:
            act_on_purchase(given_back, actor=access.actor, now=now)
            shown = format_money(amount, seat.currency, seat.money_unit)
            messages.success(request, _("%(amount)s was given back.") % {"amount": shown})
            return redirect("crm:purchase", pk=purchase.pk)
    title = _("Refund of %(number)s") % _named(purchase)
    return render(request, "crm/refund_form.html", {"title": title, "form": form, "purchase": purchase, "left_minor": left})


def _left_of(purchase: Purchase) -> int:
    """What of a sale has not been given back yet."""
    if purchase.kind != PurchaseKind.SALE:
        return 0
    return purchase.total_minor + (purchase.refunds.aggregate(total=Sum("total_minor"))["total"] or 0)


def _named(purchase: Purchase) -> dict[str, str]:
    """Its number for a title; the # of one without a receipt number stays in front of it among Persian words."""
    return {"number": in_one_run(str(purchase))}
