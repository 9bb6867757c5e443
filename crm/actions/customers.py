from collections.abc import Callable, Mapping
from copy import copy
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.audit import Actor, changed_fields, record_audit
from accounts.queries import current_organization
from accounts.refusals import collected
from crm.attributes import validate_attributes
from crm.events import NewEvent, record_event
from crm.models import Customer, CustomerFacts
from crm.normalisation.emails import normalise_email
from crm.normalisation.errors import NormalisationError
from crm.normalisation.names import clean_text, name_key, split_tags
from crm.normalisation.phones import normalise_phone
from crm.normalisation.profiles import PROFILE_RULES
from crm.refusals import words_for

TEXTS = ("external_id", "first_name", "last_name", "street", "city", "state", "postal_code")
WRITABLE = frozenset(
    [
        *TEXTS,
        "email",
        "phone",
        "birthday",
        "gender",
        "language",
        "time_zone",
        "country",
        "tags",
        "attributes",
        "preferred_location",
        "preferred_staff",
    ]
)


def create_customer(*, actor: Actor, now: datetime, source: str = "page", **values: Any) -> Customer:
    """Create a customer with their facts, an audit entry and a ``customer.created`` event.

    Args:
        values: fields of ``Customer`` as people typed them; phones and e-mails are normalised here.

    Raises:
        ValidationError: per field, what cannot be kept; also when e-mail, phone or number is another customer's.
    """
    customer = Customer()
    _take(customer, values, now)
    with customer.refusing_late_duplicates(), transaction.atomic():
        customer.save(force_insert=True)
        CustomerFacts.objects.create(customer=customer)
        record_audit(action="customer.created", subject=customer, actor=actor, after=values)
        record_event(NewEvent("customer.created", now, customer.pk, source))
    return customer


def update_customer(*, customer: Customer, actor: Actor, now: datetime, source: str = "page", **values: Any) -> Customer:
    """Change fields of a customer; only what differs is written, audited and told as ``customer.changed``.

    Raises:
        ValidationError: as ``create_customer``.
    """
    customer = Customer.objects.select_for_update(of=("self",)).get(pk=customer.pk)
    before, after = _take(customer, values, now)
    if not after:
        return customer
    with customer.refusing_late_duplicates(), transaction.atomic():
        customer.save(update_fields=[*after, "search_key", "updated_at"])
        record_audit(action="customer.changed", subject=customer, actor=actor, before=before, after=after)
        record_event(NewEvent("customer.changed", now, customer.pk, source, {"fields": sorted(after)}))
    return customer


def check_customer(*, customer: Customer | None = None, now: datetime, **values: Any) -> None:
    """Refuse what ``create_customer`` would, or ``update_customer`` of this customer; nothing is written.

    Raises:
        ValidationError: as ``create_customer``.
    """
    _take(copy(customer) if customer else Customer(), values, now)


def _take(customer: Customer, values: dict[str, Any], now: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    """Set the values as they are kept; return what differed as (before, after). All that is refused is told at once."""
    refused: dict[str, Any] = {}
    before, after = changed_fields(customer, _normalised(values, customer.attributes, refused))
    customer.search_key = name_key(customer.first_name, customer.last_name)
    with collected(refused):  # what no customer can have: pages and sweeps read these values without asking again
        _by_rules(PROFILE_RULES, after, now.date())
    if after:
        with collected(refused):
            customer.validate(trusted=["preferred_location", "preferred_staff", *refused])
    if refused:
        raise ValidationError(refused)
    return before, after


def _normalised(values: dict[str, Any], attributes: Mapping[str, Any], refused: dict[str, Any]) -> dict[str, Any]:
    """The values as they are kept, without those that cannot be."""
    if unknown := set(values) - WRITABLE:
        raise ValidationError(dict.fromkeys(sorted(unknown), _("This field cannot be set.")))
    done = dict(values)
    for name in TEXTS:
        if name in done:
            done[name] = clean_text(done[name] or "")
    with collected(refused):
        done |= _by_rules({"email": normalise_email, "phone": _normalise_phone}, done)
    if "country" in done:
        done["country"] = done["country"].upper()
    if "tags" in done:
        done["tags"] = sorted(split_tags(";".join(done["tags"])))
    if "attributes" in done:
        with collected(refused):
            done["attributes"] = validate_attributes(done["attributes"], attributes)
    return {name: value for name, value in done.items() if name not in refused}


def _normalise_phone(text: str) -> str:
    return normalise_phone(text, region=current_organization().region)


def _by_rules(rules: Mapping[str, Callable[..., Any]], values: Mapping[str, Any], *beside: Any) -> dict[str, Any]:
    """What rules make of the values they are for; all that they refuse is told at once."""
    made, errors = {}, {}
    for name, rule in rules.items():
        if values.get(name):
            try:
                made[name] = rule(values[name], *beside)
            except NormalisationError as error:
                errors[name] = words_for(error)
    if errors:
        raise ValidationError(errors)
    return made
