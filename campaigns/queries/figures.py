"""The figures of a campaign: the plan from its dispatch, what people did from the ledger, what they bought from attributions."""

import time
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, field
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Q, Sum

from accounts.permissions import Access
from accounts.tenancy import current_organization_id
from campaigns.models import Campaign
from campaigns.queries.visible import attributions_for
from crm.models import PurchaseKind
from messaging.models import Delivery, DeliveryState, Dispatch, DispatchState
from messaging.models.delivery import ENGAGEMENT

# Word for word the condition of the index delivery_engaged, so that counting never touches the ledger itself.
ENGAGED: Q = reduce(or_, (Q(**{f"{column}__isnull": False}) for column in ENGAGEMENT))
# Counting that takes longer than this is done once for everybody who looks, and rests for twenty times as long.
WORTH_KEEPING_SECONDS = 0.05
REST = 20
SAMPLES = 15


@dataclass(frozen=True, slots=True)
class Engagement:
    """What people did with the messages of a dispatch, and what machines did."""

    opened: int = 0
    clicked: int = 0
    machine_opened: int = 0
    machine_clicked: int = 0
    unsubscribed: int = 0
    complained: int = 0
    bounced: int = 0
    confirmed: int = 0


@dataclass(frozen=True, slots=True)
class Earned:
    """What customers bought because of a campaign; refunds are taken off the revenue."""

    orders: int = 0
    buyers: int = 0
    revenue_minor: int = 0
    refunded_minor: int = 0


@dataclass(frozen=True, slots=True)
class CampaignFigures:
    """All figures of a campaign at one moment.

    ``delivered`` are the messages that were handed over and did not come back. ``waiting`` have not left yet.
    ``machine_opened`` and ``machine_clicked`` are messages that machines alone opened or clicked.
    """

    planned: int = 0
    skipped: int = 0
    skipped_by_reason: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    failed: int = 0
    ambiguous: int = 0
    waiting: int = 0
    cancelled: int = 0
    delivered: int = 0
    engagement: Engagement = field(default_factory=Engagement)
    earned: Earned = field(default_factory=Earned)
    per_second: float | None = None
    seconds_left: float | None = None

    @property
    def done(self) -> int:
        """How many have a fate."""
        return self.sent + self.failed + self.ambiguous + self.cancelled

    def as_dict(self) -> dict[str, Any]:
        """The form the API answers with; rates have the base they are of in ``rates``."""
        values = asdict(self)
        engagement, earned = values.pop("engagement"), values.pop("earned")
        return {**values, **engagement, **earned, "rates": rates(self)}


def rates(figures: CampaignFigures) -> dict[str, dict[str, float | int | None]]:
    """Shares with their base; ``None`` where there is no base."""
    acted = figures.engagement
    shares = {
        "delivered": (figures.delivered, figures.sent),
        "bounced": (acted.bounced, figures.sent),
        "opened": (acted.opened, figures.delivered),
        "clicked": (acted.clicked, figures.delivered),
        "unsubscribed": (acted.unsubscribed, figures.delivered),
        "ordered": (figures.earned.buyers, figures.delivered),
    }
    return {name: {"part": part, "of": whole, "share": part / whole if whole else None} for name, (part, whole) in shares.items()}


def campaign_figures(campaign: Campaign, *, now: datetime, access: Access | None = None) -> CampaignFigures:
    """The figures of one campaign; cheap enough to be asked for every two seconds at a million recipients.

    Args:
        access: whose eyes see it; what was bought is counted over their locations.
    """
    if campaign.dispatch_id is None:
        return CampaignFigures()
    dispatch = Dispatch.objects.get(pk=campaign.dispatch_id)
    engagement = dispatches_engagement([dispatch.pk])[dispatch.pk]
    done = dispatch.sent_count + dispatch.failed_count + dispatch.ambiguous_count
    left = max(0, dispatch.planned_count - done)
    is_over = dispatch.state == DispatchState.CANCELLED
    rate = _rate(dispatch, done, now) if dispatch.state == DispatchState.RUNNING else None
    return CampaignFigures(
        planned=dispatch.planned_count,
        skipped=dispatch.skipped_count,
        skipped_by_reason=dispatch.skipped_by_reason,
        sent=dispatch.sent_count,
        failed=dispatch.failed_count,
        ambiguous=dispatch.ambiguous_count,
        waiting=0 if is_over else left,
        cancelled=left if is_over else 0,
        delivered=max(0, dispatch.sent_count - engagement.bounced),
        engagement=engagement,
        earned=campaigns_earned([campaign.pk], access).get(campaign.pk, Earned()),
        per_second=rate,
        seconds_left=left / rate if rate and left else None,
    )


def dispatches_engagement(dispatch_ids: Sequence[int]) -> dict[int, Engagement]:
    """What was done with the messages of each dispatch; kept for a while when counting is work."""
    keys = {f"engagement:{current_organization_id()}:{dispatch_id}": dispatch_id for dispatch_id in dispatch_ids}
    found = {keys[key]: Engagement(*kept) for key, kept in cache.get_many(list(keys)).items()}
    wanted = [dispatch_id for dispatch_id in dispatch_ids if dispatch_id not in found]
    if not wanted:
        return found
    start = time.perf_counter()
    counted = {dispatch_id: Engagement() for dispatch_id in wanted} | _count_engagement(wanted)
    took = time.perf_counter() - start
    if took > WORTH_KEEPING_SECONDS:
        cache.set_many({key: astuple(counted[pk]) for key, pk in keys.items() if pk in counted}, timeout=took * REST)
    return found | counted


def _count_engagement(dispatch_ids: Sequence[int]) -> dict[int, Engagement]:
    rows = (
        Delivery.objects.filter(ENGAGED, dispatch_id__in=dispatch_ids)
        .order_by()
        .values_list("dispatch_id")
        .annotate(
            opened=Count("opened_at"),
            clicked=Count("clicked_at"),
            machine_opened=Count("machine_opened_at", filter=Q(opened_at__isnull=True)),
            machine_clicked=Count("machine_clicked_at", filter=Q(clicked_at__isnull=True)),
            unsubscribed=Count("unsubscribed_at"),
            complained=Count("complained_at"),
            # One that was refused at the door never left: it is a failure, not a message that came back.
            bounced=Count("bounced_at", filter=Q(sent_at__isnull=False)),
            confirmed=Count("delivered_at"),
        )
    )
    return {dispatch_id: Engagement(*counts) for dispatch_id, *counts in rows}


def campaigns_earned(campaign_ids: Sequence[int], access: Access | None = None) -> dict[int, Earned]:
    """What each of these campaigns earned at the locations that this person sees."""
    is_sale, is_refund = Q(purchase__kind=PurchaseKind.SALE), Q(purchase__kind=PurchaseKind.REFUND)
    rows = (
        attributions_for(access)
        .filter(campaign_id__in=campaign_ids)
        .values("campaign_id")
        .annotate(
            orders=Count("pk", filter=is_sale),
            buyers=Count("customer_id", filter=is_sale, distinct=True),
            revenue=Sum("amount_minor"),
            refunded=Sum("amount_minor", filter=is_refund, default=0),
        )
    )
    return {row["campaign_id"]: Earned(row["orders"], row["buyers"], row["revenue"], -row["refunded"]) for row in rows}


def _rate(dispatch: Dispatch, done: int, now: datetime) -> float | None:
    """Messages per second over the last looks at it; at the first look, since its start."""
    key = f"rate:{current_organization_id()}:{dispatch.pk}"
    kept: list[tuple[float, int]] = cache.get(key) or []
    samples = [sample for sample in kept if sample[1] <= done and sample[0] < now.timestamp()][-SAMPLES:]
    cache.set(key, [*samples, (now.timestamp(), done)], timeout=60)
    return throughput(samples, done, now, dispatch.started_at)


def throughput(samples: Sequence[tuple[float, int]], done: int, now: datetime, started_at: datetime | None) -> float | None:
    """Messages per second since the oldest sample, else since the start; ``None`` when nothing has moved."""
    moment, before = samples[0] if samples else (started_at.timestamp() if started_at else now.timestamp(), 0)
    seconds = now.timestamp() - moment
    return (done - before) / seconds if seconds > 0 and done > before else None


@dataclass(frozen=True, slots=True)
class Accounting:
    """Whether every planned message has a fate, counted from the ledger itself."""

    planned: int
    by_state: dict[str, int]

    @property
    def is_complete(self) -> bool:
        open_states = {DeliveryState.PLANNED, DeliveryState.RETRYING}
        return not any(self.by_state.get(state, 0) for state in open_states)


def account_for(campaign: Campaign) -> Accounting:
    """Count the ledger of a campaign by state; reads all of it."""
    rows = Delivery.objects.filter(dispatch=campaign.dispatch).order_by().values_list("state").annotate(count=Count("pk"))
    by_state = dict(rows)
    return Accounting(sum(count for state, count in by_state.items() if state != DeliveryState.SKIPPED), by_state)
