"""Closed months against the postings they were added up from; ``verify_ledger`` asks for those that differ."""

from datetime import timedelta
from typing import Final

from loyalty.models import ClosedMonth
from loyalty.queries.liability import closed_months, end_of_month, recorded_months
from loyalty.queries.reward_checks import BrokenPromise

CHECK: Final = "the closed months of a program are what its postings add up to"


def wrong_closings() -> list[BrokenPromise]:
    """The programs of the current organization of which a closed month is wrong or missing."""
    latest: dict[tuple[int, str], ClosedMonth] = {}
    for month in ClosedMonth.objects.order_by("starts_on"):
        latest[month.program_id, month.time_zone] = month
    wrong = {program_id for (program_id, zone), month in latest.items() if not _is_right(program_id, zone, month)}
    return [BrokenPromise(CHECK, tuple(sorted(wrong)))] if wrong else []


def _is_right(program_id: int, zone: str, last: ClosedMonth) -> bool:
    end = end_of_month(last.starts_on, zone)
    recorded = recorded_months(program_id=program_id, zone=zone, since=None, until=end - timedelta(microseconds=1))
    return recorded == closed_months(program_id=program_id, zone=zone, until=end)
