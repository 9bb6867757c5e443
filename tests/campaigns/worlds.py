"""What a campaign needs before it can go, made inside the current tenant scope."""

from datetime import UTC, datetime
from typing import Any

from accounts.audit import SYSTEM
from campaigns.actions import create_campaign
from campaigns.models import Campaign
from crm.events import NewEvent, record_event
from crm.models import Channel, Consent, ConsentState, Customer, Purpose
from messaging.models import Delivery, DeliveryState, Dispatch, MessageTemplate, SenderAccount, SenderKind, TemplateVersion
from segmentation.models import Segment, SegmentKind, SegmentMember
from tests.factories import CustomerFactory

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
HTML = '<p>Hello {{ customer.first_name | default("friend") }}, <a href="https://shop.example/offer">look</a>.</p>{{ footer }}'


def make_template(name: str = "Spring", *, html: str = HTML, purpose: Purpose = Purpose.MARKETING) -> MessageTemplate:
    """A template with one version."""
    template = MessageTemplate.objects.create(name=name, purpose=purpose)
    TemplateVersion.objects.create(template=template, number=1, subject="Spring offers", html=html)
    return template


def make_account(name: str = "Shop") -> SenderAccount:
    """A sender that keeps its messages in memory."""
    return SenderAccount.objects.create(name=name, kind=SenderKind.ANYMAIL_TEST, from_email="shop@example.org", from_name="Shop")


def make_campaign(**values: Any) -> Campaign:
    """A draft that is ready to go; ``make_reachable`` gives it somebody to reach."""
    ready = {"name": "Spring", "template": None, "account": None, **values}
    ready["template"] = ready["template"] or make_template(ready["name"])
    ready["account"] = ready["account"] or make_account(ready["name"])
    return create_campaign(actor=SYSTEM, **ready)


def make_reachable(state: ConsentState = ConsentState.GRANTED, *, purpose: Purpose = Purpose.MARKETING, **values: Any) -> Customer:
    """A customer who agreed to marketing by e-mail."""
    customer: Customer = CustomerFactory(**values)
    Consent.objects.create(customer=customer, channel=Channel.EMAIL, purpose=purpose, state=state, changed_at=NOW)
    return customer


def make_list(name: str, *customers: Customer) -> Segment:
    """A fixed list of customers."""
    segment = Segment.objects.create(name=name, kind=SegmentKind.STATIC)
    SegmentMember.objects.bulk_create(SegmentMember(segment=segment, customer=customer) for customer in customers)
    return segment


def make_dispatch(label: str = "Spring", **values: Any) -> Dispatch:
    """A dispatch that waits for its plan."""
    template, account = make_template(label), make_account(label)
    return Dispatch.objects.create(
        **{
            "label": label,
            "channel": Channel.EMAIL,
            "purpose": Purpose.MARKETING,
            "account": account,
            "version": template.versions.get(),
            **values,
        }
    )


def make_delivery(dispatch: Dispatch, customer: Customer, **values: Any) -> Delivery:
    """A row of the ledger, with the events of what people did with it, as tracking records them."""
    delivery = Delivery.objects.create(
        **{"dispatch": dispatch, "customer": customer, "address": customer.email, "state": DeliveryState.SENT, **values}
    )
    for kind, at in (("message.opened", delivery.opened_at), ("message.clicked", delivery.clicked_at)):
        if at is not None:
            record_event(NewEvent(kind, at, customer.pk, "message", {"delivery": delivery.pk, "dispatch": dispatch.pk}))
    return delivery
