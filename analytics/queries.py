"""What an organization wants to know of itself over a period, beside the period before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import TruncDate, TruncMonth, TruncWeek
from django.utils import timezone

from accounts.permissions import Access
from campaigns.models import Attribution, Campaign
from campaigns.queries.figures import dispatches_engagement
from campaigns.queries.visible import attributions_for
from crm.models import Customer, Purchase, PurchaseKind
from crm.queries.visible import purchases_for
from messaging.models import Dispatch

DAILY_UP_TO = 31
WEEKLY_UP_TO = 120
BEST = 10


@dataclass(frozen=True, slots=True)
class Period:
    """From ``start`` to before ``end``."""

    start: datetime
    end: datetime

    @property
    def before(self) -> "Period":
        """The period of the same length just before."""
        return Period(self.start - (self.end - self.start), self.start)

    @property
    def days(self) -> int:
        return round((self.end - self.start) / timedelta(days=1))


def last_days(days: int, *, now: datetime) -> Period:
    """The last ``days`` whole days in the current time zone, today among them."""
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    return Period(midnight - timedelta(days=days - 1), midnight + timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Trade:
    """What was bought in a period; refunds are taken off the revenue."""

    orders: int
    buyers: int
    revenue_minor: int

    @property
    def average_minor(self) -> int | None:
        return round(self.revenue_minor / self.orders) if self.orders else None


def trade(access: Access, period: Period) -> Trade:
    """What was bought, at the locations that this person sees."""
    is_sale = Q(kind=PurchaseKind.SALE)
    found = _purchases(access, period).aggregate(
        orders=Count("pk", filter=is_sale),
        buyers=Count("customer_id", filter=is_sale, distinct=True),
        revenue_minor=Sum("total_minor", default=0),
    )
    return Trade(**found)


@dataclass(frozen=True, slots=True)
class CustomerBase:
    """How many customers there are, and how many came in a period."""

    total: int
    new: int


def customer_base(period: Period) -> CustomerBase:
    """Customers of the whole organization."""
    is_new = Q(created_at__gte=period.start, created_at__lt=period.end)
    return CustomerBase(**Customer.objects.order_by().aggregate(total=Count("pk"), new=Count("pk", filter=is_new)))


@dataclass(frozen=True, slots=True)
class Outreach:
    """What campaigns launched in a period came to, and what all campaigns earned in it."""

    campaigns: int
    sent: int
    delivered: int
    opened: int
    clicked: int
    unsubscribed: int
    orders: int
    revenue_minor: int


def outreach(access: Access, period: Period) -> Outreach:
    """Campaigns of a period, and what they earned at the locations that this person sees."""
    launched = Campaign.objects.filter(launched_at__gte=period.start, launched_at__lt=period.end, dispatch__isnull=False)
    dispatches = list(launched.order_by().values_list("dispatch_id", flat=True))
    ids = [pk for pk in dispatches if pk is not None]
    sent = Dispatch.objects.filter(pk__in=ids).aggregate(sent=Sum("sent_count", default=0))["sent"]
    acted = dispatches_engagement(ids).values()
    earned = _attributed(access, period).aggregate(
        orders=Count("pk", filter=Q(purchase__kind=PurchaseKind.SALE)), revenue=Sum("amount_minor", default=0)
    )
    return Outreach(
        campaigns=len(ids),
        sent=sent,
        delivered=max(0, sent - sum(each.bounced for each in acted)),
        opened=sum(each.opened for each in acted),
        clicked=sum(each.clicked for each in acted),
        unsubscribed=sum(each.unsubscribed for each in acted),
        orders=earned["orders"],
        revenue_minor=earned["revenue"],
    )


@dataclass(frozen=True, slots=True)
class Series:
    """Counts per day, week or month, the quiet ones among them; each starts on its date."""

    starts: Sequence[date]
    values: Sequence[int]


def revenue_series(access: Access, period: Period) -> Series:
    """Revenue over time."""
    rows = _purchases(access, period).annotate(on=_step("purchased_at", period)).values_list("on").annotate(sum=Sum("total_minor"))
    return _series(dict(rows), period)


def attributed_series(access: Access, period: Period) -> Series:
    """Revenue that counts for campaigns, over time."""
    rows = _attributed(access, period).annotate(on=_step("purchased_at", period)).values_list("on").annotate(sum=Sum("amount_minor"))
    return _series(dict(rows), period)


def new_customers_series(period: Period) -> Series:
    """Customers who came, over time."""
    new = Customer.objects.order_by().filter(created_at__gte=period.start, created_at__lt=period.end)
    return _series(dict(new.annotate(on=_step("created_at", period)).values_list("on").annotate(count=Count("pk"))), period)


def best_campaigns(access: Access, period: Period) -> list[tuple[Campaign, int]]:
    """The campaigns that earned most in a period at the locations that this person sees, with what they earned."""
    rows = _attributed(access, period).values_list("campaign_id").annotate(sum=Sum("amount_minor")).order_by("-sum")[:BEST]
    earned = dict(rows)
    found = Campaign.objects.in_bulk(earned)
    return [(found[pk], minor) for pk, minor in earned.items()]


def _purchases(access: Access, period: Period) -> QuerySet[Purchase]:
    return purchases_for(access).order_by().select_related(None).filter(purchased_at__gte=period.start, purchased_at__lt=period.end)


def _attributed(access: Access, period: Period) -> QuerySet[Attribution]:
    return attributions_for(access).filter(purchased_at__gte=period.start, purchased_at__lt=period.end)


def _step(column: str, period: Period) -> TruncDate | TruncWeek | TruncMonth:
    if period.days <= DAILY_UP_TO:
        return TruncDate(column)
    return TruncWeek(column) if period.days <= WEEKLY_UP_TO else TruncMonth(column)


def _series(found: dict[date | datetime, int], period: Period) -> Series:
    """Every step of the period in order, zero where nothing was found."""
    values = {_day(moment): value for moment, value in found.items()}
    day, last = _day(period.start), _day(period.end - timedelta(seconds=1))
    starts: list[date] = []
    while day <= last:
        start = _start_of_step(day, period)
        if not starts or starts[-1] != start:
            starts.append(start)
        day += timedelta(days=1)
    return Series(starts, [values.get(start, 0) for start in starts])


def _start_of_step(day: date, period: Period) -> date:
    if period.days <= DAILY_UP_TO:
        return day
    return day - timedelta(days=day.weekday()) if period.days <= WEEKLY_UP_TO else day.replace(day=1)


def _day(moment: date | datetime) -> date:
    return timezone.localtime(moment).date() if isinstance(moment, datetime) else moment
