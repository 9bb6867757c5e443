"""What programs do about the events of the log: purchases, refunds and visits, and events that a rule names."""

from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone

from accounts.audit import SYSTEM
from crm.models import Customer, Event
from loyalty.actions.accrual import accrue_purchases
from loyalty.actions.awards import award_points
from loyalty.actions.batch import Batch
from loyalty.actions.earning import lock_all
from loyalty.actions.visits import accrue_visits
from loyalty.queries.programs import TermsBook
from loyalty.rules.terms import EarnOn

PURCHASES = frozenset(["purchase.completed", "purchase.refunded"])
VISITS = frozenset(["visit.completed"])


def follow_events(events: Sequence[Event]) -> None:
    """Let programs see a batch of events; those seen before change nothing."""
    now, book = timezone.now(), TermsBook()
    followed = PURCHASES | VISITS | _named(book)
    if concerned := {event.customer_id for event in events if event.customer_id and event.kind in followed}:
        lock_all(book, concerned)
    if purchases := [event.properties["purchase"] for event in events if event.kind in PURCHASES and event.customer_id]:
        accrue_purchases(purchase_ids=purchases, now=now)
    if visits := [event.properties["visit"] for event in events if event.kind in VISITS]:
        accrue_visits(visit_ids=visits, now=now)
    award_events([event for event in events if event.customer_id], now=now)


def award_events(events: Sequence[Event], *, now: datetime) -> None:
    """Award what rules on events name."""
    named = _named(TermsBook())
    if not (wanted := [event for event in events if event.kind in named]):
        return
    customers = Customer.objects.in_bulk({event.customer_id for event in wanted})
    batch = Batch(list(customers.values()), now=now, actor=SYSTEM)
    for event in wanted:
        if customer := customers.get(event.customer_id or 0):
            _award(batch, event, customer)


def _named(book: TermsBook) -> set[str]:
    """The kinds of events that rules name."""
    return {rule.event for version in book.versions.values() for rule in version.terms.rules_on(EarnOn.EVENT)}


def _award(batch: Batch, event: Event, customer: Customer) -> None:
    location = event.properties.get("location")
    for member, version in batch.memberships(customer, event.occurred_at):
        for rule in version.terms.rules_on(EarnOn.EVENT):
            if rule.event != event.kind:
                continue
            batch.lock()
            award_points(
                member=member,
                on=EarnOn.EVENT,
                key=f"event:{event.pk}:{rule.key}",
                at=event.occurred_at,
                now=batch.now,
                actor=batch.actor,
                book=batch.book,
                rule=rule.key,
                location_id=location if isinstance(location, int) else None,
            )
