"""Whom a campaign is meant for."""

from datetime import datetime

from campaigns.models import AudienceMode, Campaign, CampaignAudience
from crm.models import Channel, Purpose
from messaging.planning import Audience, Reach, estimate_reach
from segmentation.models import Segment
from segmentation.queries import INTERACTIVE_SECONDS, audience_customers, segment_customers, time_limit


def audience_of(campaign: Campaign, *, now: datetime) -> Audience:
    """The audience of a campaign as its segments are at ``now``.

    Raises:
        RulesError: a segment's rules were made for fields that no longer exist.
    """
    rows = list(CampaignAudience.objects.filter(campaign=campaign).select_related("segment"))
    included = [row.segment for row in rows if row.mode == AudienceMode.INCLUDE]
    excluded = [row.segment for row in rows if row.mode == AudienceMode.EXCLUDE]
    return audience_from(channel=campaign.channel, purpose=campaign.purpose, included=included, excluded=excluded, now=now)


def audience_from(*, channel: str, purpose: str, included: list[Segment], excluded: list[Segment], now: datetime) -> Audience:
    """The audience of any of the included segments; excluded customers stay in it, to be left out with a reason."""
    return Audience(
        Channel(channel),
        Purpose(purpose),
        audience_customers(included=included, excluded=[], now=now),
        [segment_customers(segment, now=now) for segment in excluded],
    )


def reach_of(audience: Audience, *, now: datetime, seconds: float = INTERACTIVE_SECONDS) -> Reach:
    """How many it reaches, for somebody who waits.

    Raises:
        SegmentTooSlow: counting took longer than ``seconds``.
    """
    with time_limit(seconds):
        return estimate_reach(audience, now=now)
