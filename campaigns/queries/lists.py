"""Campaigns as the list shows them."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from accounts.permissions import Access
from campaigns.models import Campaign, CampaignState
from campaigns.queries.figures import Earned, Engagement, campaigns_earned, dispatches_engagement


def campaigns(*, state: str = "", text: str = "") -> QuerySet[Campaign]:
    """Campaigns with what the list shows of them, the newest first."""
    found = Campaign.objects.select_related("template", "dispatch", "account").order_by("-pk")
    if state in CampaignState.values:
        found = found.filter(state=state)
    return found.filter(name__icontains=text) if text else found


def counts_by_state() -> dict[str, int]:
    """How many campaigns there are in each state."""
    return dict(Campaign.objects.order_by().values_list("state").annotate(count=Count("pk")))


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """One line of the list."""

    campaign: Campaign
    engagement: Engagement
    earned: Earned

    @property
    def delivered(self) -> int:
        dispatch = self.campaign.dispatch
        return max(0, dispatch.sent_count - self.engagement.bounced) if dispatch else 0


def rows_of(page: Sequence[Campaign], access: Access | None = None) -> list[CampaignRow]:
    """The lines of one page."""
    earned = campaigns_earned([campaign.pk for campaign in page], access)
    acted = dispatches_engagement([campaign.dispatch_id for campaign in page if campaign.dispatch_id])
    return [
        CampaignRow(campaign, acted.get(campaign.dispatch_id or 0, Engagement()), earned.get(campaign.pk, Earned())) for campaign in page
    ]


def running() -> QuerySet[Campaign]:
    """Campaigns under way."""
    return campaigns().filter(Q(state=CampaignState.RUNNING) | Q(state=CampaignState.PAUSED))
