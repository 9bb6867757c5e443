"""Strangers join by a friend's link. Whether they were known here before is nothing that the page may tell.

Nobody proves on the page that an address is theirs, so nobody joins there for somebody who is known: that somebody was
invited, and becomes the friend's referral when they name the code at the counter.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from accounts.audit import Actor
from accounts.models.audit import ActorKind
from accounts.postgresql.turns import take_turn
from accounts.queries import current_organization
from accounts.tenancy import current_organization_id
from crm.actions.consents import set_consent
from crm.actions.customers import create_customer
from crm.models import Channel, ConsentState, Customer, Identity, IdentityKind, Purpose
from crm.normalisation.emails import normalise_email
from crm.normalisation.errors import NormalisationError
from crm.normalisation.phones import normalise_phone
from crm.refusals import words_for
from loyalty.actions.referrals import invite_known, join_by_code

SOURCE = "join_page"


@transaction.atomic
def join_as_friend(
    *, code: str, identity: dict[str, str], channels: Collection[Channel], language: str, proof: dict[str, Any], device: str, now: datetime
) -> None:
    """Make whoever left their name a member who came by a code; who is known here is noted as invited, and nothing else changes.

    Args:
        identity: ``first_name``, ``last_name``, ``email`` and ``phone`` as typed.

    Raises:
        UnknownCodeError: no such code.
        ValidationError: per field; the same whether the customer is known or not.
    """
    known = _normalised(identity)
    _one_after_another(known)
    actor = Actor(ActorKind.CUSTOMER, label=" ".join(filter(None, (identity.get("first_name"), identity.get("last_name")))))
    if (customer := _find(known)) is not None:
        invite_known(code=code, customer=customer, now=now, actor=actor)
        return
    customer = create_customer(actor=actor, now=now, source=SOURCE, language=language, **identity)
    for channel in channels:
        set_consent(
            customer=customer,
            channel=channel,
            purpose=Purpose.MARKETING,
            state=ConsentState.GRANTED,
            source=SOURCE,
            now=now,
            actor=actor,
            proof=proof,
        )
    join_by_code(code=code, customer=customer, now=now, actor=actor, device=device)


def _normalised(identity: dict[str, str]) -> dict[str, str]:
    """E-mail and phone as they are kept, both looked at before anybody is looked for."""
    done, errors = {}, {}
    for name in ("email", "phone"):
        try:
            if typed := identity.get(name):
                done[name] = normalise_email(typed) if name == "email" else normalise_phone(typed, region=current_organization().region)
        except NormalisationError as error:
            errors[name] = words_for(error)
    if errors:
        raise ValidationError(errors)
    return done


def _one_after_another(known: dict[str, str]) -> None:
    # Whoever presses twice is known the second time, rather than made twice at once.
    for value in sorted(known.values()):
        take_turn(f"loyalty joining {current_organization_id()}:{value}")


def _find(known: dict[str, str]) -> Customer | None:
    """The customer with this e-mail address, else with this phone number."""
    for name, kind in (("email", IdentityKind.EMAIL), ("phone", IdentityKind.PHONE)):
        if value := known.get(name):
            further = Identity.objects.filter(kind=kind, value=value).values("customer")
            if found := Customer.objects.filter(Q(**{name: value}) | Q(pk__in=further)).first():
                return found
    return None
