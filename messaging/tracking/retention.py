"""How long single requests are kept; what they amounted to stays in the ledger and the event log."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection, transaction

from accounts.tenancy import current_organization_id

KEEP = timedelta(days=400)
BATCH = 10_000
# Ids grow with time, so the oldest are the first of the primary key; no index on the time is needed.
_FORGET = """
delete from messaging_trackinghit where organization_id = %(org)s and at < %(before)s and id in (
    select id from messaging_trackinghit where organization_id = %(org)s order by id limit %(size)s)
"""


@transaction.atomic
def forget_hits(*, now: datetime) -> int:
    """Delete a batch of the current organization's oldest hits; returns how many, 0 when none is old enough."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, {"org": current_organization_id(), "before": now - KEEP, "size": BATCH})
        count: int = cursor.rowcount
    return count
