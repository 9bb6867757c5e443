"""Fills the demo organization: people, two years of history and the events that tell of it, in one transaction."""

import json
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, models

from accounts.audit import SYSTEM, record_audit
from accounts.tenancy import current_organization_id, tenant
from config.demo.business import staff_business
from config.demo.history import History, write_history
from config.demo.loyalty import open_program
from config.demo.people import Shopper, invent_people
from config.reactions import REACTIONS, consumer_of
from crm.events import NewEvent, ensure_months
from crm.models import Consent, ConsentChange, Customer, CustomerFacts, EventCursor, Purchase, PurchaseLine, Visit, VisitState
from crm.models.event import CurrentTransactionId
from crm.statistics import refresh_statistics

CUSTOMERS = 5_000
SEED = 20_261_120
BATCH = 2_000
LAST_ID = 2**63 - 1
Progress = Callable[[str], None]


def is_filled(organization_id: int) -> bool:
    """Whether the data is there: it comes whole or not at all."""
    with tenant(organization_id):
        return Customer.objects.exists()


def fill_business(organization_id: int, *, now: datetime, progress: Progress, count: int = CUSTOMERS) -> None:
    """Write everything; the same seed gives the same people and habits on every machine."""
    chance = random.Random(SEED)  # noqa: S311 - repeatable, not secret
    with tenant(organization_id):
        business = staff_business(organization_id)
        shoppers = invent_people(count=count, now=now, locations=business.locations, chance=chance)
        _save(Customer, [shopper.customer for shopper in shoppers], progress, "customers")
        history = History()
        for shopper in shoppers:
            write_history(shopper, history, now=now, staff=business.members, chance=chance)
        _save_history(history, progress)
        _tell(shoppers, history, progress)
        _date_back()
        refresh_statistics()
        open_program(now=now, progress=progress)
        _begin_reactions()
        record_audit(action="demo.filled", subject=business.organization, actor=SYSTEM, after={"customers": count, "seed": SEED})


def _save_history(history: History, progress: Progress) -> None:
    _save(CustomerFacts, history.facts, progress, "customer facts")
    _save(Visit, history.visits, progress, "visits")
    _save(Purchase, [purchase for purchase, _lines in history.purchases], progress, "purchases")
    for refund, sale, _line in history.refunds:
        refund.refund_of = sale
    _save(Purchase, [refund for refund, _sale, _line in history.refunds], progress, "refunds")
    lines = [(purchase, line) for purchase, its_lines in history.purchases for line in its_lines]
    lines += [(refund, line) for refund, _sale, line in history.refunds]
    for purchase, line in lines:
        line.purchase = purchase
    _save(PurchaseLine, [line for _purchase, line in lines], progress, "purchase lines")
    _save(Consent, history.consents, progress, "consents")
    _save(ConsentChange, history.consent_changes, progress, "consent proofs")


def _save(model: type[models.Model], rows: Sequence[Any], progress: Progress, what: str) -> None:
    for start in range(0, len(rows), BATCH):
        model._default_manager.bulk_create(rows[start : start + BATCH])
        progress(f"{what}: {min(start + BATCH, len(rows)):,} of {len(rows):,}")


def _tell(shoppers: list[Shopper], history: History, progress: Progress) -> None:
    """The event log, as the actions would have written it."""
    events = sorted(_events(shoppers, history), key=lambda event: event.occurred_at)
    ensure_months(event.occurred_at for event in events)
    for start in range(0, len(events), BATCH):
        _insert_events(events[start : start + BATCH])
        progress(f"events: {min(start + BATCH, len(events)):,} of {len(events):,}")


def _insert_events(events: list[NewEvent]) -> None:
    # Arrays instead of rows of parameters: eight times faster for so many.
    columns = [(event.customer_id, event.kind, event.occurred_at, event.source, json.dumps(event.properties)) for event in events]
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into crm_event (organization_id, customer_id, kind, occurred_at, source, properties)"
            " select %s, customer_id, kind, occurred_at, source, properties from"
            " unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::text[], %s::jsonb[])"
            " as new (customer_id, kind, occurred_at, source, properties)",
            [current_organization_id(), *(list(column) for column in zip(*columns, strict=True))],
        )


def _events(shoppers: list[Shopper], history: History) -> Iterable[NewEvent]:
    for shopper in shoppers:
        yield NewEvent("customer.created", shopper.joined_at, shopper.customer.pk, "till")
    for visit in history.visits:
        if visit.state != VisitState.BOOKED:
            about = {"visit": visit.pk, "service": visit.service, "location": visit.location_id, "amount_minor": visit.amount_minor}
            yield NewEvent(f"visit.{visit.state}", visit.starts_at, visit.customer_id, "till", about)
    for purchase, lines in history.purchases:
        yield _purchase_event(purchase, lines, "completed")
    for refund, _sale, line in history.refunds:
        yield _purchase_event(refund, [line], "refunded")
    for change in history.consent_changes:
        about = {"channel": str(change.channel), "purpose": str(change.purpose)}
        yield NewEvent(f"consent.{change.state}", change.at, change.customer_id, change.source, about)


def _purchase_event(purchase: Purchase, lines: list[PurchaseLine], verb: str) -> NewEvent:
    properties = {
        "purchase": purchase.pk,
        "total_minor": purchase.total_minor,
        "currency": purchase.currency,
        "payment_method": str(purchase.payment_method),
        "categories": sorted({line.category for line in lines if line.category}),
        "location": purchase.location_id,
    }
    return NewEvent(f"purchase.{verb}", purchase.purchased_at, purchase.customer_id, purchase.source, properties)


def _date_back() -> None:
    """Customers were not all created a minute ago: each when they were first heard of."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update crm_customer set created_at = heard.first_at from ("
            " select customer_id, min(occurred_at) as first_at from crm_event where kind = 'customer.created' group by customer_id"
            ") heard where heard.customer_id = crm_customer.id"
        )


def _begin_reactions() -> None:
    """Two years of history are no news: reactions begin after it, which is all of this transaction."""
    consumers = {consumer_of(handler) for handlers in REACTIONS.values() for handler in handlers}
    for consumer in sorted(consumers):
        now = CurrentTransactionId()
        EventCursor.objects.create(consumer=consumer, transaction_id=now, event_id=LAST_ID)  # type: ignore[misc]  # an expression
