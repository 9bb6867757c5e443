"""The suppression list, and what providers say afterwards: bounces and complaints, each once."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import F

from accounts.audit import SYSTEM, Actor, record_audit
from accounts.queries import current_organization
from crm.actions.consents import set_consent
from crm.events import NewEvent, record_event
from crm.models import Channel, ConsentState, Purpose
from crm.normalisation import NormalisationError, normalise_email, normalise_phone
from messaging.actions.unsubscribing import EVENT_SOURCE
from messaging.models import Delivery, DeliveryState, Dispatch, FateReason, Suppression, SuppressionReason


@transaction.atomic
def suppress_address(*, channel: Channel, address: str, reason: SuppressionReason, actor: Actor, detail: str = "") -> bool:
    """Never send to this address again; false if it is on the list already."""
    suppression, is_new = Suppression.objects.get_or_create(
        channel=channel, address=listed_address(channel, address), defaults={"reason": reason, "detail": detail[:300]}
    )
    if is_new:
        after = {"channel": channel, "address": suppression.address, "reason": reason}
        record_audit(action="suppression.created", subject=suppression, actor=actor, after=after)
    return is_new


def listed_address(channel: Channel, address: str) -> str:
    """The address as customers' are kept, whatever way it is spelled; as it was typed, in small letters, if it is none."""
    try:
        if channel == Channel.EMAIL:
            return normalise_email(address)
        return normalise_phone(address, region=current_organization().region)
    except NormalisationError:
        return address.strip().lower()


@transaction.atomic
def lift_suppression(*, suppression: Suppression, actor: Actor) -> None:
    """Let an address be written to again."""
    before = {"channel": suppression.channel, "address": suppression.address, "reason": suppression.reason}
    record_audit(action="suppression.deleted", subject=suppression, actor=actor, before=before)
    suppression.delete()


@transaction.atomic
def record_bounce(*, delivery: Delivery, is_permanent: bool, detail: str, now: datetime, actor: Actor = SYSTEM) -> bool:
    """Note that a sent message came back; a permanent bounce suppresses its address.

    Exactly once per delivery: true if this call noted it. A message that is not known to have left cannot come back.
    """
    reason = FateReason.NO_SUCH_ADDRESS if is_permanent else FateReason.TEMPORARY
    sent = (DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.AMBIGUOUS)
    delivery = Delivery.objects.select_for_update(of=("self",)).select_related("dispatch").get(pk=delivery.pk)
    noted = Delivery.objects.filter(pk=delivery.pk, bounced_at=None, state__in=sent).update(
        state=DeliveryState.BOUNCED, bounced_at=now, reason=reason, detail=detail[:300]
    )
    if not noted:
        return False
    if delivery.state == DeliveryState.AMBIGUOUS:
        # What came back has left: the uncertainty is over.
        Dispatch.objects.filter(pk=delivery.dispatch_id).update(ambiguous_count=F("ambiguous_count") - 1, sent_count=F("sent_count") + 1)
    if is_permanent:
        suppress_address(
            channel=Channel(delivery.dispatch.channel),
            address=delivery.address,
            reason=SuppressionReason.BOUNCE,
            detail=detail,
            actor=actor,
        )
    about = {"delivery": delivery.pk, "dispatch": delivery.dispatch_id, "permanent": is_permanent}
    record_event(NewEvent("message.bounced", now, delivery.customer_id, EVENT_SOURCE, about))
    return True


@transaction.atomic
def record_complaint(*, delivery: Delivery, detail: str, now: datetime, actor: Actor = SYSTEM) -> bool:
    """Note that the recipient called a message spam: they get nothing more. Exactly once per delivery."""
    if not Delivery.objects.filter(pk=delivery.pk, complained_at=None).update(complained_at=now):
        return False
    channel, purpose = Channel(delivery.dispatch.channel), Purpose(delivery.dispatch.purpose)
    suppress_address(channel=channel, address=delivery.address, reason=SuppressionReason.COMPLAINT, detail=detail, actor=actor)
    set_consent(
        customer=delivery.customer,
        channel=channel,
        purpose=purpose,
        state=ConsentState.WITHDRAWN,
        source="complaint",
        now=now,
        actor=actor,
        proof={"delivery": delivery.pk, "dispatch": delivery.dispatch_id, "detail": detail[:300]},
    )
    about = {"delivery": delivery.pk, "dispatch": delivery.dispatch_id}
    record_event(NewEvent("message.complained", now, delivery.customer_id, EVENT_SOURCE, about))
    return True
