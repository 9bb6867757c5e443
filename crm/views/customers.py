from datetime import datetime
from urllib.parse import quote

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.pagination import COUNTED_AT_MOST, PAGE_SIZE, BoundedPaginator
from accounts.permissions import Permission, requires
from accounts.queries import current_organization
from crm.models import Customer
from crm.panels import panels_for
from crm.queries.lists import CHIPS, narrowed
from crm.queries.profile import TIMELINE_PAGE, consents_of, figures_of, timeline_of
from crm.queries.search import find_by_any_word, find_customers
from crm.queries.visible import purchases_for, visits_for
from crm.timeline import tell
from crm.views.asking import asking, customer_or_404, seat_of
from crm.views.downloads import customers_download, format_asked

MOST_TEXT = 100
LATEST = 5


@requires(Permission.CUSTOMERS_VIEW)
def list_customers(request: HttpRequest) -> HttpResponse:
    """Find a customer by what one knows of them, or narrow the list."""
    text, who = _typed(request), request.GET.getlist("who")
    rows = found(text, at_most=None) if who else found(text)  # whom a chip leaves may begin behind the first that fit the text
    rows, chosen = narrowed(rows, who, timezone.now())
    page = BoundedPaginator(rows.select_related("facts"), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "title": _("Customers"),
        "page": page,
        "search_text": text,
        "chips": CHIPS,
        "chosen": chosen,
        "chosen_keys": [chip.key for chip in chosen],
        "filtered": bool(text or chosen),
        "typed": quote(text),
    }
    return render(request, "crm/customers.html", context)


@requires(Permission.CUSTOMERS_EXPORT)
def download_customers(request: HttpRequest) -> HttpResponseBase:
    """Everybody the list shows, on all its pages."""
    rows, _chosen = narrowed(found(_typed(request), at_most=None), request.GET.getlist("who"), timezone.now())
    return customers_download(request, rows, format_asked(request), otherwise="crm:customers")


def _typed(request: HttpRequest) -> str:
    return request.GET.get("q", "").strip()[:MOST_TEXT]


def found(text: str, *, at_most: int | None = COUNTED_AT_MOST + 1) -> QuerySet[Customer]:
    """Customers that begin with the text; if none does, those with a later name that does."""
    rows = find_customers(text, region=current_organization().region, at_most=at_most)
    if text and not rows.exists():
        return find_by_any_word(text)
    return rows


@requires(Permission.CUSTOMERS_VIEW)
def show_customer(request: HttpRequest, pk: int) -> HttpResponse:
    """Everything known of a customer that this person may see."""
    access, customer = asking(request), customer_or_404(pk)
    context = {
        "title": str(customer),
        "customer": customer,
        "figures": figures_of(customer, access),
        "consents": consents_of(customer),
        "visits": visits_for(access).filter(customer=customer)[:LATEST] if access.allows(Permission.VISITS_VIEW) else [],
        "purchases": purchases_for(access).filter(customer=customer)[:LATEST] if access.allows(Permission.PURCHASES_VIEW) else [],
        "panels": panels_for(request),
        "may_change": access.allows(Permission.CUSTOMERS_CHANGE),
        "may_consent": access.allows(Permission.CONSENT_CHANGE),
        "may_record": access.allows(Permission.VISITS_CHANGE),
        "may_sell": access.allows(Permission.PURCHASES_CHANGE),
    }
    return render(request, "crm/customer.html", context)


@requires(Permission.EVENTS_VIEW)
def show_timeline(request: HttpRequest, pk: int) -> HttpResponse:
    """A page of the customer's timeline, to be put after the last."""
    customer = customer_or_404(pk)
    events = timeline_of(customer, asking(request), before=_position(request.GET.get("before", "")))
    seat = seat_of(request)
    shown = [tell(event, seat) for event in events[:TIMELINE_PAGE]]
    more = f"{shown[-1].event.occurred_at.isoformat()}~{shown[-1].event.pk}" if len(events) > TIMELINE_PAGE else ""
    first = "before" not in request.GET
    return render(request, "crm/fragments/timeline.html", {"customer": customer, "told": shown, "more": more, "first": first})


def _position(text: str) -> tuple[datetime, int] | None:
    moment, _tilde, number = text.partition("~")
    try:
        at = datetime.fromisoformat(moment.replace(" ", "+"))
        return (at, int(number)) if timezone.is_aware(at) else None
    except ValueError:
        return None
