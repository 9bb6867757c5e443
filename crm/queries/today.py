"""What is on today, as far as a member sees it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from accounts.permissions import Access
from crm.models import Event, PurchaseKind, Visit, VisitState
from crm.queries.visible import purchases_for, visits_for

MOST_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Day:
    """The figures of a day."""

    booked: int
    here: int
    done: int
    missed: int
    sales: int
    sold_minor: int
    new_customers: int


def day_around(now: datetime) -> tuple[datetime, datetime]:
    """The day of the organization's calendar that ``now`` falls on."""
    start = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    return start, (start + timedelta(hours=36)).replace(hour=0)


def day_figures(access: Access, now: datetime) -> Day:
    """How the day goes."""
    start, end = day_around(now)
    states = {state: Count("pk", filter=Q(state=state)) for state in VisitState}
    visits = visits_for(access).filter(starts_at__gte=start, starts_at__lt=end).aggregate(**states)
    money = (
        purchases_for(access)
        .filter(purchased_at__gte=start, purchased_at__lt=end)
        .aggregate(
            count=Count("pk", filter=Q(kind=PurchaseKind.SALE)),
            total=Sum("total_minor"),
        )
    )
    return Day(
        booked=visits[VisitState.BOOKED],
        here=visits[VisitState.ARRIVED],
        done=visits[VisitState.COMPLETED],
        missed=visits[VisitState.NO_SHOW],
        sales=money["count"],
        sold_minor=money["total"] or 0,
        new_customers=Event.objects.filter(kind="customer.created", occurred_at__gte=start, occurred_at__lt=end).count(),
    )


def visits_of_the_day(access: Access, now: datetime) -> QuerySet[Visit]:
    """Who is expected and who is here, in the order of the day."""
    start, end = day_around(now)
    open_states = [VisitState.BOOKED, VisitState.ARRIVED]
    rows = visits_for(access).filter(starts_at__gte=start, starts_at__lt=end, state__in=open_states)
    return rows.order_by("starts_at", "id")[:MOST_SHOWN]
