from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.audit import Actor, record_audit
from crm.events import NewEvent, record_event
from crm.models import Channel, Consent, ConsentChange, ConsentState, Customer, Purpose


@transaction.atomic
def set_consent(
    *,
    customer: Customer,
    channel: Channel,
    purpose: Purpose,
    state: ConsentState,
    source: str,
    now: datetime,
    actor: Actor,
    proof: dict[str, Any] | None = None,
) -> Consent:
    """Record what a customer agreed to or withdrew, with its proof; saying the same again changes nothing.

    Args:
        proof: what shows it later: the words, the page, the address it came from.
    """
    named: dict[str, Any] = {"channel": channel, "purpose": purpose}
    Customer.objects.select_for_update(of=("self",)).only("pk").get(pk=customer.pk)
    consent = Consent.objects.filter(customer=customer, **named).first()
    before = consent.state if consent else None
    if consent and before == state:
        return consent
    consent, _created = Consent.objects.update_or_create(customer=customer, **named, defaults={"state": state, "changed_at": now})
    ConsentChange.objects.create(customer=customer, **named, state=state, at=now, source=source, proof=proof or {})
    record_audit(
        action=f"consent.{state}", subject=customer, actor=actor, before={**named, "state": before}, after={**named, "state": state}
    )
    record_event(NewEvent(f"consent.{state}", now, customer.pk, source, {"channel": str(channel), "purpose": str(purpose)}))
    return consent
