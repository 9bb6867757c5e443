"""Who was meant to get a campaign, and what became of each message."""

from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from accounts.queries import current_organization
from campaigns.models import Campaign
from crm.queries.search import find_customers
from messaging.models import Delivery, DeliveryState, Dispatch, SkipReason
from messaging.models.delivery import FateReason

# What people narrow the list by, besides the states; machines alone, as the figures count them.
DEEDS = {
    "opened": Q(opened_at__isnull=False),
    "clicked": Q(clicked_at__isnull=False),
    "unsubscribed": Q(unsubscribed_at__isnull=False),
    "complained": Q(complained_at__isnull=False),
    "returned": Q(bounced_at__isnull=False),
    "machine": Q(machine_opened_at__isnull=False, opened_at=None) | Q(machine_clicked_at__isnull=False, clicked_at=None),
}

REASONS = frozenset([*SkipReason.values, *FateReason.values])


@dataclass(frozen=True, slots=True)
class Narrowing:
    """How the list of recipients is narrowed; empty text is not."""

    state: str = ""
    reason: str = ""
    deed: str = ""
    text: str = ""


def recipients(campaign: Campaign, narrowing: Narrowing | None = None) -> QuerySet[Delivery]:
    """The ledger of a campaign, in the order of its customers, which is that of an index."""
    wanted = narrowing or Narrowing()
    rows = Delivery.objects.filter(dispatch=campaign.dispatch).select_related("customer").order_by("customer_id")
    if wanted.state in DeliveryState.values:
        rows = rows.filter(state=wanted.state)
    if wanted.reason in REASONS:
        rows = rows.filter(reason=wanted.reason)
    if wanted.deed in DEEDS:
        # What was refused at the door has no time of sending, and did not come back.
        rows = rows.filter(DEEDS[wanted.deed], sent_at__isnull=False)
    if wanted.text:
        found = find_customers(wanted.text, region=current_organization().region, at_most=None)
        rows = rows.filter(customer_id__in=found.order_by().values("pk"))
    return rows


def messages_to(customer_id: int) -> QuerySet[Delivery]:
    """Every message a customer got or was meant to get, the latest first."""
    return Delivery.objects.filter(customer_id=customer_id).select_related("dispatch").order_by("-pk")


def campaign_names(dispatches: set[int]) -> dict[int, Campaign]:
    """The campaigns behind dispatches."""
    found = Campaign.objects.filter(dispatch_id__in=dispatches).only("pk", "name", "dispatch_id")
    return {campaign.dispatch_id: campaign for campaign in found if campaign.dispatch_id is not None}


def failures(dispatch: Dispatch) -> list[tuple[str, int]]:
    """Why messages could not be sent, the commonest answer first; reads the whole ledger of the dispatch."""
    refused = Q(state=DeliveryState.FAILED) | Q(state=DeliveryState.BOUNCED, sent_at=None)
    rows = Delivery.objects.filter(refused, dispatch=dispatch).order_by().values_list("detail")
    return list(rows.annotate(count=Count("pk")).order_by("-count")[:10])
