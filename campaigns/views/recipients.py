from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.pagination import PAGE_SIZE, BoundedPaginator
from accounts.permissions import Permission, requires
from accounts.queries import current_organization
from campaigns.queries.explaining import Verdict, explain
from campaigns.queries.figures import campaign_figures
from campaigns.queries.recipients import Narrowing, campaign_names, messages_to, recipients
from campaigns.views.detail import campaign_or_404
from campaigns.words import skipped_rows
from crm.models import Customer
from crm.queries.search import find_customers
from crm.views.asking import customer_or_404
from messaging.models import Delivery, DeliveryState
from messaging.models.delivery import reason_words

MOST_TEXT = 100
FOUND = 8
PANEL_ROWS = 10
STATE_TONES = {
    DeliveryState.SENT: "good",
    DeliveryState.DELIVERED: "good",
    DeliveryState.PLANNED: "info",
    DeliveryState.RETRYING: "warn",
    DeliveryState.AMBIGUOUS: "warn",
    DeliveryState.FAILED: "bad",
    DeliveryState.BOUNCED: "bad",
}
VERDICT_TONES = {Verdict.GOT: "good", Verdict.NOT: "muted", Verdict.WAITING: "info", Verdict.UNCERTAIN: "warn"}


@require_safe
@requires(Permission.MESSAGES_VIEW)
def list_recipients(request: HttpRequest, pk: int) -> HttpResponse:
    """The ledger of a campaign, narrowed by state, reason, deed or a customer."""
    campaign = campaign_or_404(pk)
    given = {name: request.GET.get(name, "").strip()[:MOST_TEXT] for name in ("state", "reason", "deed")}
    narrowing = Narrowing(**given, text=request.GET.get("q", "").strip()[:MOST_TEXT])
    page = BoundedPaginator(recipients(campaign, narrowing), PAGE_SIZE).get_page(request.GET.get("page"))
    deeds = [
        ("opened", _("Opened")),
        ("clicked", _("Clicked")),
        ("unsubscribed", _("Unsubscribed")),
        ("returned", _("Came back later")),
        ("machine", _("Machines")),
    ]
    context = {
        "title": _("Recipients of %(name)s") % {"name": campaign.name},
        "campaign": campaign,
        "page": page,
        "rows": [(row, *_told(row)) for row in page.object_list],
        "narrowing": narrowing,
        "states": DeliveryState.choices,
        "deeds": deeds,
        "reasons": skipped_rows(campaign_figures(campaign, now=timezone.now())),
    }
    return render(request, "campaigns/recipients.html", context)


@require_safe
@requires(Permission.CAMPAIGNS_VIEW)
def show_why(request: HttpRequest, pk: int) -> HttpResponse:
    """Why did or did not this customer get it? An answer for every customer."""
    campaign, text = campaign_or_404(pk), request.GET.get("q", "").strip()[:MOST_TEXT]
    customer, found = _asked_for(request.GET.get("customer", ""), text)
    context = {"title": _("Who got %(name)s, and why") % {"name": campaign.name}, "campaign": campaign, "text": text, "found": found}
    if customer is not None:
        answer = explain(campaign, customer, now=timezone.now())
        context |= {"customer": customer, "answer": answer, "tone": VERDICT_TONES[answer.verdict], "word": _verdict_word(answer.verdict)}
    return render(request, "campaigns/why.html", context)


@require_safe
@requires(Permission.MESSAGES_VIEW)
def customer_panel(request: HttpRequest, pk: int) -> HttpResponse:
    """On the customer's page: the messages they got, or were left out of."""
    customer = customer_or_404(pk)
    rows = list(messages_to(customer.pk)[: PANEL_ROWS + 1])
    campaigns = campaign_names({row.dispatch_id for row in rows})
    shown = [(row, campaigns.get(row.dispatch_id), *_told(row)) for row in rows[:PANEL_ROWS]]
    context = {"customer": customer, "rows": shown, "has_more": len(rows) > PANEL_ROWS}
    return render(request, "campaigns/fragments/customer_messages.html", context)


def _asked_for(number: str, text: str) -> tuple[Customer | None, list[Customer]]:
    if number.isdecimal() and len(number) < 19:
        return Customer.objects.filter(pk=int(number)).first(), []
    found = list(find_customers(text, region=current_organization().region)[:FOUND]) if text else []
    return (found[0], []) if len(found) == 1 else (None, found)


def _told(row: Delivery) -> tuple[str, str, str]:
    """The state of a message as word, tone and reason."""
    state = DeliveryState(row.state)
    return str(state.label), STATE_TONES.get(state, "muted"), reason_words(row.reason) if row.reason else ""


def _verdict_word(verdict: Verdict) -> str:
    words = {Verdict.GOT: _("Got it"), Verdict.NOT: _("Did not get it"), Verdict.WAITING: _("Not yet"), Verdict.UNCERTAIN: _("Uncertain")}
    return words[verdict]
