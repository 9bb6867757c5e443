"""What the customer page shows besides the profile itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Q, Sum

from accounts.permissions import Access
from crm.models import Channel, Consent, ConsentChange, ConsentState, Customer, Event, PurchaseKind, Purpose, VisitState
from crm.queries.visible import events_for, purchases_for, visits_for

TIMELINE_PAGE = 20


@dataclass(frozen=True, slots=True)
class CustomerFigures:
    """What a member may know by counting."""

    visits: int
    no_shows: int
    last_visit_at: datetime | None
    purchases: int
    spent_minor: int
    last_purchase_at: datetime | None

    @property
    def average_minor(self) -> int | None:
        """What they spend each time, refunds taken off."""
        return round(self.spent_minor / self.purchases) if self.purchases else None


def figures_of(customer: Customer, access: Access) -> CustomerFigures:
    """The kept facts; for a member limited to locations, counted over those."""
    if access.location_ids is None:
        facts = customer.facts
        return CustomerFigures(
            facts.visit_count,
            facts.no_show_count,
            facts.last_visit_at,
            facts.purchase_count,
            facts.spent_minor,
            facts.last_purchase_at,
        )
    visits = (
        visits_for(access)
        .filter(customer=customer)
        .aggregate(
            done=Count("pk", filter=Q(state=VisitState.COMPLETED)),
            missed=Count("pk", filter=Q(state=VisitState.NO_SHOW)),
            last=Max("starts_at", filter=Q(state=VisitState.COMPLETED)),
        )
    )
    sales = (
        purchases_for(access)
        .filter(customer=customer)
        .aggregate(
            count=Count("pk", filter=Q(kind=PurchaseKind.SALE)),
            total=Sum("total_minor"),
            last=Max("purchased_at", filter=Q(kind=PurchaseKind.SALE)),
        )
    )
    return CustomerFigures(visits["done"], visits["missed"], visits["last"], sales["count"], sales["total"] or 0, sales["last"])


@dataclass(frozen=True, slots=True)
class ConsentLine:
    """What a customer said for one channel and purpose, with the proof of the last change."""

    channel: Channel
    purpose: Purpose
    state: ConsentState
    changed_at: datetime
    proof: ConsentChange | None

    @property
    def tone(self) -> str:
        """The colour that goes with the word."""
        return {ConsentState.GRANTED: "good", ConsentState.PENDING: "warn"}.get(self.state, "muted")


def consents_of(customer: Customer) -> list[ConsentLine]:
    """The customer's consents with their proof, in the order of the channels."""
    proofs: dict[tuple[str, str], ConsentChange] = {}
    for change in ConsentChange.objects.filter(customer=customer).order_by("at", "id"):
        proofs[(change.channel, change.purpose)] = change
    order = list(Channel)
    lines = [
        ConsentLine(
            Channel(row.channel),
            Purpose(row.purpose),
            ConsentState(row.state),
            row.changed_at,
            proofs.get((row.channel, row.purpose)),
        )
        for row in Consent.objects.filter(customer=customer)
    ]
    return sorted(lines, key=lambda line: (order.index(line.channel), line.purpose))


def timeline_of(customer: Customer, access: Access, *, before: tuple[datetime, int] | None = None) -> Sequence[Event]:
    """The customer's events, newest first, one more than a page shows so that it is known whether more follow."""
    events = events_for(access).filter(customer=customer).order_by("-occurred_at", "-id")
    if before is not None:
        moment, last_id = before
        events = events.filter(Q(occurred_at__lt=moment) | Q(occurred_at=moment, id__lt=last_id))
    return list(events[: TIMELINE_PAGE + 1])
