"""Events ahead of an expiry, so that campaigns and journeys can speak of it in time."""

from datetime import datetime, timedelta

from django.db.models import Sum

from crm.events import NewEvent, record_events
from loyalty.models import LotRemainder
from loyalty.queries.clocks import Clocks
from loyalty.queries.programs import TermsBook
from loyalty.rules.months import last_day


def tell_of_expiring_points(*, now: datetime) -> int:
    """Write ``points.expiring`` for points that expire within one of the days that the terms say; each once.

    Returns:
        How many events were written.
    """
    book = TermsBook()
    written = 0
    for program in book.active:
        version = book.in_force(program.pk, now)
        before = now
        for days in sorted(version.terms.expiry.warn_days) if version else ():
            until = now + timedelta(days=days)
            written += len(record_events(_events(program.pk, before, until, days, now)))
            before = until  # what expires sooner has been told of with fewer days
    return written


def _events(program_id: int, after: datetime, until: datetime, days: int, now: datetime) -> list[NewEvent]:
    clocks = Clocks()
    lots = LotRemainder.objects.filter(
        member__program_id=program_id, is_open=True, available__gt=0, expires_at__gt=after, expires_at__lte=until
    )
    of_whom = ("member_id", "member__customer_id", "member__customer__time_zone")
    rows = lots.order_by("expires_at").values_list(*of_whom, "expires_at").annotate(points=Sum("available"))
    return [
        NewEvent(
            "points.expiring",
            now,
            customer_id,
            "loyalty",
            {
                "program": program_id,
                "member": member_id,
                "points": int(points),
                "expires_on": last_day(expires_at, clocks.named(time_zone)).isoformat(),
                "days": days,
            },
            key=f"expiring:{member_id}:{expires_at.timestamp():.0f}:{days}",
        )
        for member_id, customer_id, time_zone, expires_at, points in rows
    ]
