"""Months that are over are closed: what was recorded in them is added up once and kept."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from accounts.queries import current_organization
from loyalty.models import ClosedMonth, Program
from loyalty.queries.liability import closed_months, end_of_closed, recorded_months
from loyalty.rules.rewards import period_of
from loyalty.rules.terms import CapPer

# An entry is recorded as of the moment its request began, which may be a while before it is seen.
SETTLED_AFTER: Final = timedelta(days=1)


def close_months(*, now: datetime) -> int:
    """Close every program's months that were over a day ago; returns how many rows that wrote."""
    zone = current_organization().time_zone
    ended = period_of(CapPer.MONTH, now - SETTLED_AFTER, ZoneInfo(zone))[0]
    written = 0
    for program in Program.objects.order_by("pk"):
        closed = closed_months(program_id=program.pk, zone=zone, until=ended)
        since = end_of_closed(closed, zone)
        months = recorded_months(program_id=program.pk, zone=zone, since=since, until=ended - timedelta(microseconds=1))
        rows = [ClosedMonth(program=program, time_zone=zone, closed_at=now, **asdict(month)) for month in months]
        written += len(ClosedMonth.objects.bulk_create(rows, ignore_conflicts=True))
    return written
