"""When people opened, clicked and bought, hour by hour; and at which hours of the week."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, DateTimeField, F, Func, Sum, Value
from django.db.models.functions import ExtractHour, ExtractIsoWeekDay, TruncDay
from django.utils import timezone

from accounts.permissions import Access
from campaigns.models import Campaign
from campaigns.queries.figures import ENGAGED
from campaigns.queries.visible import attributions_for
from messaging.models import Delivery

HOURLY_UP_TO = timedelta(hours=72)
LONGEST = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Counts per hour, or per day once a campaign is older than three days; every hour is there, also the quiet ones."""

    moments: Sequence[datetime]
    is_hourly: bool
    opened: Sequence[int]
    clicked: Sequence[int]
    revenue_minor: Sequence[int]


def campaign_timeline(campaign: Campaign, *, now: datetime, access: Access | None = None) -> Timeline:
    """From the launch to now, at most sixty days; in the current time zone. Revenue is that of the locations this person sees."""
    start = campaign.launched_at or now
    end = min(now, start + LONGEST)
    is_hourly = end - start <= HOURLY_UP_TO
    moments = _steps(start, end, is_hourly)
    first = moments[0] if is_hourly else None
    opened, clicked = (_engaged(campaign, column, end, first) for column in ("opened_at", "clicked_at"))
    revenue = _revenue(campaign, end, first, access)
    # In UTC, for on the clock of the zone two hours of autumn are the same.
    instants = [at.astimezone(UTC) for at in moments]
    return Timeline(moments, is_hourly, *([found.get(at, 0) for at in instants] for found in (opened, clicked, revenue)))


def _steps(start: datetime, end: datetime, is_hourly: bool) -> list[datetime]:
    zone = timezone.get_current_timezone()
    local = start.astimezone(zone).replace(minute=0, second=0, microsecond=0)
    if is_hourly:
        # Hours are counted on the clock that knows no summer time.
        first = local.astimezone(ZoneInfo("UTC"))
        return [(first + timedelta(hours=n)).astimezone(zone) for n in range(int((end - first) / timedelta(hours=1)) + 1)]
    midnight = local.replace(hour=0)
    return [midnight + timedelta(days=n) for n in range((end.astimezone(zone).date() - midnight.date()).days + 1)]


def _engaged(campaign: Campaign, column: str, end: datetime, first: datetime | None) -> dict[datetime, int]:
    rows = Delivery.objects.filter(ENGAGED, dispatch=campaign.dispatch, **{f"{column}__isnull": False, f"{column}__lte": end})
    return _in_utc(rows.order_by().annotate(at=_truncated(column, first)).values_list("at").annotate(count=Count("pk")))


def _revenue(campaign: Campaign, end: datetime, first: datetime | None, access: Access | None) -> dict[datetime, int]:
    rows = attributions_for(access).filter(campaign=campaign, purchased_at__lte=end)
    return _in_utc(rows.annotate(at=_truncated("purchased_at", first)).values_list("at").annotate(sum=Sum("amount_minor")))


def _truncated(column: str, first: datetime | None) -> Func:
    """The day of a moment, or the hour, counted from the ``first``."""
    if first is None:
        return TruncDay(column)
    return Func(Value(timedelta(hours=1)), F(column), Value(first), function="date_bin", output_field=DateTimeField())


def _in_utc(rows: Iterable[Any]) -> dict[datetime, int]:
    return {at.astimezone(UTC): value for at, value in rows}


def opening_hours(campaign: Campaign) -> list[list[int]]:
    """How many people opened at each hour of each day of the week, Monday first: seven rows of twenty-four."""
    grid = [[0] * 24 for _day in range(7)]
    rows = Delivery.objects.filter(ENGAGED, dispatch=campaign.dispatch, opened_at__isnull=False).order_by()
    counted = rows.annotate(day=ExtractIsoWeekDay("opened_at"), hour=ExtractHour("opened_at")).values_list("day", "hour")
    for day, hour, count in counted.annotate(count=Count("pk")):
        grid[day - 1][hour] = count
    return grid
