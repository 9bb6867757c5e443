"""What a recipient decides about the messages they get."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.audit import Actor
from accounts.models.audit import ActorKind
from crm.actions.consents import set_consent
from crm.events import NewEvent, record_event
from crm.models import Channel, ConsentState, Customer, Purpose
from messaging.models import Delivery

EVENT_SOURCE = "message"


@transaction.atomic
def unsubscribe(*, delivery: Delivery, way: str, now: datetime, proof: dict[str, Any]) -> None:
    """Withdraw the recipient's consent to messages like this one; again changes nothing.

    Args:
        way: how they said it: ``unsubscribe_page``, ``one_click`` or ``preference_page``.
        proof: what shows it later; the delivery is added to it.
    """
    dispatch = delivery.dispatch
    decide_consents(
        delivery=delivery,
        choices=[(Channel(dispatch.channel), Purpose(dispatch.purpose))],
        state=ConsentState.WITHDRAWN,
        way=way,
        now=now,
        proof=proof,
    )


@transaction.atomic
def decide_consents(
    *,
    delivery: Delivery,
    choices: Iterable[tuple[Channel, Purpose]],
    state: ConsentState,
    way: str,
    now: datetime,
    proof: dict[str, Any],
) -> None:
    """Record the recipient's word on channels and purposes, as said through the links of a message."""
    dispatch, customer = delivery.dispatch, delivery.customer
    shown = {**proof, "delivery": delivery.pk, "dispatch": dispatch.pk, "address": delivery.address}
    for channel, purpose in choices:
        set_consent(
            customer=customer,
            channel=channel,
            purpose=purpose,
            state=state,
            source=way,
            now=now,
            actor=recipient_acts(customer),
            proof=shown,
        )
        if state == ConsentState.WITHDRAWN and (channel, purpose) == (dispatch.channel, dispatch.purpose):
            _mark_unsubscribed(delivery, way, now)


def recipient_acts(customer: Customer) -> Actor:
    """The customer as the one who acts."""
    return Actor(ActorKind.CUSTOMER, customer.pk, str(customer))


def _mark_unsubscribed(delivery: Delivery, way: str, now: datetime) -> None:
    if not Delivery.objects.filter(pk=delivery.pk, unsubscribed_at=None).update(unsubscribed_at=now):
        return
    properties = {"delivery": delivery.pk, "dispatch": delivery.dispatch_id, "way": way}
    record_event(NewEvent("message.unsubscribed", now, delivery.customer_id, EVENT_SOURCE, properties))
