"""The one event log: writing to it, and reading it as a consumer without skipping anything."""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Final

from django.db import connection, transaction

from accounts.postgresql.prepared import run_prepared
from accounts.tenancy import current_organization_id
from crm.models import Event, EventCursor

# Databases and months whose partition this process has seen; a partition is never dropped while the product runs.
_known_months: set[tuple[str, int, int]] = set()
MAX_PROPERTIES_BYTES = 16_384
# For a writer whose own statement appends its event too; a FROM or WHERE may follow.
APPEND_EVENT: Final = """
    insert into crm_event (organization_id, customer_id, kind, occurred_at, source, properties)
    select %(organization)s, %(event_customer)s::bigint, %(event_kind)s::text, %(event_at)s::timestamptz, %(event_source)s::text,
        %(event_properties)s::jsonb
"""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to record. ``kind`` is ``noun.verb_in_past_tense``; ``key`` makes recording it again a no-op."""

    kind: str
    occurred_at: datetime
    customer_id: int | None = None
    source: str = "page"
    properties: dict[str, Any] = field(default_factory=dict)
    key: str = ""


def record_event(event: NewEvent) -> Event | None:
    """Write one event in the current scope and transaction; ``None`` when its key was recorded before."""
    recorded = record_events([event])
    return recorded[0] if recorded else None


def append_event(event: NewEvent) -> None:
    """Write one event that has no key, in one statement."""
    run_prepared(APPEND_EVENT, {"organization": current_organization_id(), **event_parameters(event)})


def event_parameters(event: NewEvent) -> dict[str, Any]:
    """What ``APPEND_EVENT`` wants to know beside the organization; the month's partition is seen to."""
    ensure_months([event.occurred_at])
    return {
        "event_customer": event.customer_id,
        "event_kind": event.kind,
        "event_at": event.occurred_at,
        "event_source": event.source,
        "event_properties": event.properties,
    }


@transaction.atomic
def record_events(events: Iterable[NewEvent]) -> list[Event]:
    """Write many events; those whose (source, key) is already recorded are left out of the answer."""
    new = list(events)
    ensure_months(event.occurred_at for event in new)
    keyed = [event for event in new if event.key]
    fresh = _claim_keys(keyed) if keyed else set()
    rows = []
    for event in new:
        if event.key:
            if (event.source, event.key) not in fresh:
                continue
            fresh.remove((event.source, event.key))  # the same key twice in one batch counts once
        rows.append(_row(event))
    return Event.objects.bulk_create(rows, batch_size=5_000)


def ensure_months(moments: Iterable[datetime]) -> None:
    """See to it that the log has a partition for each month (UTC) among ``moments``."""
    database = str(connection.settings_dict["NAME"])
    months = {(database, moment.year, moment.month) for moment in (moment.astimezone(UTC) for moment in moments)} - _known_months
    for known in sorted(months):
        with connection.cursor() as cursor:
            cursor.execute("select crm_ensure_event_partition(%s)", [date(known[1], known[2], 1)])
        transaction.on_commit(partial(_known_months.add, known))


def _row(event: NewEvent) -> Event:
    return Event(
        kind=event.kind,
        occurred_at=event.occurred_at,
        customer_id=event.customer_id,
        source=event.source,
        properties=event.properties,
    )


def _claim_keys(events: Sequence[NewEvent]) -> set[tuple[str, str]]:
    # Two writers of one key meet on the unique index: the second waits for the first and then claims nothing.
    organization_id = current_organization_id()
    wanted = sorted({(event.source, event.key) for event in events})
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into crm_eventkey (organization_id, source, key)"
            " select %s, source, key from unnest(%s::text[], %s::text[]) as wanted (source, key)"
            " on conflict do nothing returning source, key",
            [organization_id, [source for source, _ in wanted], [key for _, key in wanted]],
        )
        return {(source, key) for source, key in cursor.fetchall()}


def unread_events(consumer: str, *, limit: int = 1_000) -> Generator[list[Event], None, None]:
    """Hand a consumer its unread events in batches, and remember how far it came.

    Only rows older than every open transaction are handed out, so a slow writer is never skipped. The batch and
    the cursor move in one transaction: a consumer that fails sees the same batch again. Who may stop early closes it
    (``contextlib.closing``) before leaving the scope, as a batch holds a savepoint.
    """
    while True:
        with transaction.atomic():
            cursor_row = _locked_cursor(consumer)
            batch = _batch_after(cursor_row, limit)
            if not batch:
                return
            yield batch
            last = batch[-1]
            EventCursor.objects.filter(pk=cursor_row.pk).update(transaction_id=last.transaction_id, event_id=last.pk)
        if len(batch) < limit:
            return


def _locked_cursor(consumer: str) -> EventCursor:
    EventCursor.objects.get_or_create(consumer=consumer)
    return EventCursor.objects.select_for_update().get(consumer=consumer)


def _batch_after(cursor_row: EventCursor, limit: int) -> list[Event]:
    return list(
        Event.objects.raw(
            "select * from crm_event"
            " where organization_id = %s and (transaction_id, id) > (%s::xid8, %s)"
            " and transaction_id < pg_snapshot_xmin(pg_current_snapshot())"
            " order by transaction_id, id limit %s",
            [current_organization_id(), cursor_row.transaction_id, cursor_row.event_id, limit],
        )
    )
