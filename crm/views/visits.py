from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.forms import add_refusal
from accounts.pagination import PAGE_SIZE, BoundedPaginator
from accounts.permissions import Permission, requires
from crm.actions import book_visit, change_visit_state
from crm.forms.visit import VisitForm
from crm.models import VisitState
from crm.queries.visible import visits_for
from crm.views.asking import asking, customer_or_404, seat_of
from crm.views.customers import MOST_TEXT, found


@requires(Permission.VISITS_VIEW)
def list_visits(request: HttpRequest) -> HttpResponse:
    """Visits, the latest first."""
    state = request.GET.get("state", "")
    rows = visits_for(asking(request))
    if state in VisitState.values:
        rows = rows.filter(state=state)
    page = BoundedPaginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "crm/visits.html", {"title": _("Visits"), "page": page, "states": VisitState.choices, "state": state})


@requires(Permission.VISITS_CHANGE)
def choose_for_visit(request: HttpRequest) -> HttpResponse:
    """Whose visit it is: the first step of recording one."""
    return _choose(request, _("Record a visit"), "crm:new_visit")


@requires(Permission.PURCHASES_CHANGE)
def choose_for_sale(request: HttpRequest) -> HttpResponse:
    """Who bought: the first step of recording a sale."""
    return _choose(request, _("Record a sale"), "crm:new_sale")


def _choose(request: HttpRequest, title: str, next_name: str) -> HttpResponse:
    text = request.GET.get("q", "").strip()[:MOST_TEXT]
    customers = found(text).select_related("facts")[:10] if text else []
    context = {"title": title, "customers": customers, "text": text, "next_name": next_name, "sale": next_name == "crm:new_sale"}
    return render(request, "crm/choose_customer.html", context)


@requires(Permission.VISITS_CHANGE)
def new_visit(request: HttpRequest, pk: int) -> HttpResponse:
    """Record a visit of this customer."""
    customer, access, now = customer_or_404(pk), asking(request), timezone.now()
    initial = {"starts_at": now, "staff": customer.preferred_staff_id}
    form = VisitForm(request.POST or None, access=access, seat=seat_of(request), initial=initial)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data | {"state": VisitState(form.cleaned_data["state"])}
        try:
            book_visit(customer=customer, actor=access.actor, now=now, **data)
        except ValidationError as error:
            add_refusal(form, error)
        else:
            messages.success(request, _("The visit was recorded."))
            return redirect("crm:customer", pk=customer.pk)
    title = _("Visit of %(name)s") % {"name": customer}
    return render(request, "crm/visit_form.html", {"title": title, "form": form, "customer": customer})


@require_POST
@requires(Permission.VISITS_CHANGE)
def move_visit(request: HttpRequest, pk: int) -> HttpResponse:
    """Move a visit on: arrived, done, did not come, cancelled."""
    access = asking(request)
    visit = get_object_or_404(visits_for(access), pk=pk)
    state = request.POST.get("state", "")
    if state not in VisitState.values:
        messages.error(request, _("Nothing was changed: this is not a state of a visit."))
    else:
        try:
            change_visit_state(visit=visit, state=VisitState(state), actor=access.actor, now=timezone.now())
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            messages.success(request, _("%(name)s: %(state)s.") % {"name": visit.customer, "state": VisitState(state).label})
    back = request.POST.get("back", "")
    safe = url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return redirect(back if safe else "crm:today")
