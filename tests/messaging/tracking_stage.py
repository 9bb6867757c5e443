"""What a tracking test stands on: a message that went to some customers, and the links in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from accounts.tenancy import tenant
from crm.models import Channel, Consent, ConsentState, Customer, Event, Purpose
from messaging.models import Delivery, DeliveryState, Dispatch, MessageTemplate, SenderAccount, TemplateVersion
from messaging.tracking.folding import fold_hits
from messaging.tracking.keys import signer_for
from tests.factories import CustomerFactory

HTML = '<p><a href="https://saffron.example/book">Book</a></p>{{ footer }}'
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"


@dataclass(frozen=True)
class SentMessage:
    """One dispatch of one organization, sent a while ago."""

    organization_id: int
    dispatch_id: int
    delivery_ids: tuple[int, ...]
    sent_at: datetime

    def delivery(self, number: int = 0) -> Delivery:
        with tenant(self.organization_id):
            return Delivery.objects.select_related("customer__facts", "dispatch").get(pk=self.delivery_ids[number])

    def pixel(self, number: int = 0) -> str:
        return f"/t/o/{signer_for(self.organization_id).sign(self.delivery_ids[number]).track}"

    def link(self, number: int = 0, index: int = 0, address: str = "https://saffron.example/book") -> str:
        signer = signer_for(self.organization_id)
        return f"/t/c/{signer.sign(self.delivery_ids[number]).track}/{index}/{signer.sign_link(index, address)}"

    def manage(self, page: str, number: int = 0) -> str:
        return f"/t/{page}/{signer_for(self.organization_id).sign(self.delivery_ids[number]).manage}"

    def fold(self, now: datetime | None = None) -> int:
        with tenant(self.organization_id):
            return fold_hits(now=now or timezone.now() + timedelta(seconds=10))

    def events(self, kind: str = "message.") -> list[tuple[str, int | None, dict[str, Any]]]:
        with tenant(self.organization_id):
            found = Event.objects.filter(kind__startswith=kind).order_by("id")
            return [(event.kind, event.customer_id, event.properties) for event in found]

    def consents(self, number: int = 0) -> dict[tuple[str, str], str]:
        customer_id = self.delivery(number).customer_id
        with tenant(self.organization_id):
            rows = Consent.objects.filter(customer_id=customer_id)
            return {(row.channel, row.purpose): row.state for row in rows}


def sent_message(organization_id: int, *, people: int = 2, purpose: Purpose = Purpose.MARKETING, **customer: Any) -> SentMessage:
    """A message that left an hour ago to customers who had agreed to it."""
    sent_at = timezone.now() - timedelta(hours=1)
    with tenant(organization_id):
        sender, _ = SenderAccount.objects.get_or_create(name="Mail", defaults={"from_email": "hello@saffron.example"})
        template, _ = MessageTemplate.objects.get_or_create(name=f"News about {purpose}", purpose=purpose)
        number = template.versions.count() + 1
        version = TemplateVersion.objects.create(template=template, number=number, subject="Hi", html=HTML)
        dispatch = Dispatch.objects.create(label="News", channel=Channel.EMAIL, purpose=purpose, account=sender, version=version)
        customers: list[Customer] = [CustomerFactory(**customer) for _ in range(people)]
        for person in customers:
            Consent.objects.create(
                customer=person, channel=Channel.EMAIL, purpose=Purpose.MARKETING, state=ConsentState.GRANTED, changed_at=sent_at
            )
        deliveries = [
            Delivery.objects.create(dispatch=dispatch, customer=person, address=person.email, state=DeliveryState.SENT, sent_at=sent_at)
            for person in customers
        ]
    return SentMessage(organization_id, dispatch.pk, tuple(delivery.pk for delivery in deliveries), sent_at)
