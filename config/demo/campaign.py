"""The demo's campaign: launched as a marketer would, then followed by the ledger."""

from collections import Counter
from datetime import datetime

from accounts.audit import Actor
from accounts.models import Membership, Role
from accounts.models.audit import ActorKind
from accounts.tenancy import tenant
from campaigns.actions import create_campaign, launch_campaign
from campaigns.models import Campaign, CampaignState
from campaigns.queries.figures import CampaignFigures, campaign_figures
from config.demo.messages import ACTIVE, PERSIAN_READERS, SENDER
from messaging.models import MessageTemplate, SenderAccount
from segmentation.models import Segment

NAME = "A fresh cut"
PERSIAN_NAME = "وقت اصلاح"
OVER = frozenset([CampaignState.COMPLETED, CampaignState.FAILED, CampaignState.CANCELLED])


def launch(organization_id: int, *, now: datetime) -> tuple[int, bool]:
    """Launch the campaign, unless an earlier start did; its id, and whether it was launched now."""
    with tenant(organization_id):
        campaign = Campaign.objects.filter(name=NAME).first() or _draft(NAME, include=[ACTIVE], exclude=[PERSIAN_READERS])
        if not Campaign.objects.filter(name=PERSIAN_NAME).exists():
            _draft(PERSIAN_NAME, include=[PERSIAN_READERS], exclude=[])  # left for whoever tries the product
        if campaign.state != CampaignState.DRAFT:
            return campaign.pk, False
        launch_campaign(campaign=campaign, actor=_marketer(), now=now)
        return campaign.pk, True


def is_over(organization_id: int, campaign_id: int) -> bool:
    """Whether the campaign has come to its end."""
    with tenant(organization_id):
        return Campaign.objects.filter(pk=campaign_id, state__in=OVER).exists()


def dispatch_of(organization_id: int, campaign_id: int) -> int:
    """The dispatch that carries the campaign's messages."""
    with tenant(organization_id):
        dispatch_id = Campaign.objects.values_list("dispatch_id", flat=True).get(pk=campaign_id)
    assert dispatch_id is not None, "launched"
    return dispatch_id


def figures_of(organization_id: int, campaign_id: int, *, now: datetime) -> CampaignFigures:
    """What the campaign's page shows."""
    with tenant(organization_id):
        return campaign_figures(Campaign.objects.get(pk=campaign_id), now=now)


def show(figures: CampaignFigures, counts: Counter[str]) -> bool:
    """Whether what the shoppers did has arrived in the figures, which follow within seconds."""
    done = figures.engagement
    return done.opened >= counts["opened"] and done.clicked >= counts["clicked"] and figures.earned.orders >= counts["bought"]


def _draft(name: str, *, include: list[str], exclude: list[str]) -> Campaign:
    segments = {segment.name: segment for segment in Segment.objects.filter(name__in=[*include, *exclude])}
    return create_campaign(
        actor=_marketer(),
        name=name,
        template=MessageTemplate.objects.get(name=name),
        account=SenderAccount.objects.get(name=SENDER),
        include=[segments[wanted] for wanted in include],
        exclude=[segments[unwanted] for unwanted in exclude],
    )


def _marketer() -> Actor:
    member = Membership.objects.select_related("user").get(role=Role.MARKETER)
    return Actor(ActorKind.USER, member.user_id, str(member.user))
