"""Customers as a file with the columns an import knows: what was exported, imported again, changes nothing."""

from collections.abc import Generator
from contextlib import closing
from typing import Any, BinaryIO, Final

from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery

from accounts.audit import Actor, record_audit
from accounts.exports import TableFormat, write_table
from accounts.queries import current_organization
from crm.imports.fields import ATTRIBUTE
from crm.models import AttributeDefinition, Channel, Consent, ConsentState, Customer, Purpose

PLAIN: Final = (
    "external_id", "email", "phone", "first_name", "last_name", "birthday", "gender", "language", "time_zone",
    "street", "city", "state", "postal_code", "country",
)  # fmt: skip
CONSENTS: Final = {f"consent_{channel}": channel for channel in (Channel.EMAIL, Channel.SMS, Channel.WHATSAPP)}
AT_ONCE: Final = 2_000
_SAID: Final = {ConsentState.GRANTED: "yes", ConsentState.WITHDRAWN: "no"}


@transaction.atomic
def export_customers(*, customers: QuerySet[Customer], table_format: TableFormat, out: BinaryIO, actor: Actor) -> int:
    """Write the customers to ``out``, with an audit entry of how many there were; answers how many.

    Raises:
        ValidationError: more customers than a file of this format holds.
    """
    keys = list(AttributeDefinition.objects.order_by("key").values_list("key", flat=True))
    header = [*PLAIN, "preferred_location", "tags", *CONSENTS, *(f"{ATTRIBUTE}{key}" for key in keys)]
    with closing(_rows(customers, keys)) as rows:  # gives the database's cursor back before a rollback takes it away
        count = write_table(out, table_format, header, rows)
    record_audit(action="customers.exported", subject=current_organization(), actor=actor, after={"rows": count, "format": table_format})
    return count


def _rows(customers: QuerySet[Customer], keys: list[str]) -> Generator[list[Any]]:
    said = Consent.objects.filter(customer=OuterRef("pk"), purpose=Purpose.MARKETING)
    states = {name: Subquery(said.filter(channel=channel).values("state")) for name, channel in CONSENTS.items()}
    columns = (*PLAIN, "preferred_location__slug", *states, "tags", "attributes")
    for row in customers.order_by("pk").annotate(**states).values_list(*columns).iterator(chunk_size=AT_ONCE):
        *plain, tags, attributes = row
        consents = (_SAID.get(state) for state in plain[-len(CONSENTS) :])
        yield [*plain[: -len(CONSENTS)], ";".join(tags), *consents, *(_in_words(attributes.get(key)) for key in keys)]


def _in_words(value: Any) -> Any:
    return ("no", "yes")[value] if isinstance(value, bool) else value
