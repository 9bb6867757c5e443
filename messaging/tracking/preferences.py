"""What a recipient can choose: channels they can be reached on, purposes that need their consent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.core import signing

from crm.models import Channel, Consent, ConsentState, Customer, Purpose
from messaging.models import Delivery

SALT = "messaging.tracking.confirm"
CONFIRM_WITHIN = timedelta(hours=1)
PURPOSES = (Purpose.MARKETING, Purpose.FEEDBACK)
_NEEDS = {Channel.EMAIL: "email", Channel.SMS: "phone", Channel.WHATSAPP: "phone"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One box on the page: may we write to you on this channel, for this purpose?"""

    channel: Channel
    purpose: Purpose
    is_granted: bool

    @property
    def value(self) -> str:
        """The box's value in the form."""
        return f"{self.channel}:{self.purpose}"


@dataclass(frozen=True, slots=True)
class ChannelChoices:
    """The boxes of one channel."""

    channel: Channel
    choices: Sequence[Choice]


def choices_of(customer: Customer) -> list[ChannelChoices]:
    """The boxes of a customer; a channel shows when there is an address for it, or consent was ever asked."""
    known = {(consent.channel, consent.purpose): consent.state for consent in Consent.objects.filter(customer=customer)}
    groups = []
    for channel in Channel:
        reachable = channel in _NEEDS and bool(getattr(customer, _NEEDS[channel]))
        if not reachable and not any((channel, purpose) in known for purpose in PURPOSES):
            continue
        boxes = [Choice(channel, purpose, known.get((channel, purpose)) == ConsentState.GRANTED) for purpose in PURPOSES]
        groups.append(ChannelChoices(channel, boxes))
    return groups


def flat(groups: Sequence[ChannelChoices]) -> list[Choice]:
    """All boxes."""
    return [choice for group in groups for choice in group.choices]


def sign_grants(delivery: Delivery, grants: Sequence[Choice]) -> str:
    """A confirmation that can be used for an hour, and only while the consents are what they are now."""
    values = sorted(choice.value for choice in grants)
    return signing.dumps([delivery.organization_id, delivery.pk, values, _state_of(delivery, values)], salt=SALT)


def read_grants(delivery: Delivery, token: str) -> list[tuple[Channel, Purpose]] | None:
    """The choices that a confirmation names; None if it is forged, expired, or was used before."""
    try:
        organization_id, delivery_id, values, state = signing.loads(token, salt=SALT, max_age=CONFIRM_WITHIN)
    except signing.BadSignature:
        return None
    if (organization_id, delivery_id) != (delivery.organization_id, delivery.pk):
        return None
    if state != _state_of(delivery, values):
        return None
    pairs = [value.split(":") for value in values]
    return [(Channel(channel), Purpose(purpose)) for channel, purpose in pairs]


def _state_of(delivery: Delivery, values: Sequence[str]) -> list[str]:
    rows = Consent.objects.filter(customer_id=delivery.customer_id)
    known = {f"{row.channel}:{row.purpose}": f"{row.state} {row.changed_at.isoformat()}" for row in rows}
    return [known.get(value, "") for value in values]
