"""Celery's entry points of campaigns; ``config.beat`` says when. A lost bell costs seconds: the sweep rings again.

What breaks for one campaign or organization is logged and holds up no other.
"""

import logging

from celery import shared_task
from django.utils import timezone

from accounts.queries import organization_ids
from accounts.sweeps import going_on
from accounts.tenancy import tenant
from campaigns.actions import launch_scheduled, note_broken_launch, note_broken_plan, plan_campaign
from campaigns.actions.following import follow_dispatches
from campaigns.bells import ring_for_plan
from campaigns.queries.sweeping import due_campaign_ids, unplanned_campaign_ids

logger = logging.getLogger(__name__)


@shared_task(soft_time_limit=600, time_limit=660)
def plan(organization_id: int, campaign_id: int) -> None:
    """Write the ledger of a launched campaign; what breaks it off is shown on the campaign."""
    try:
        with tenant(organization_id):
            plan_campaign(campaign_id=campaign_id, now=timezone.now())
    except Exception as error:
        logger.exception("the plan of campaign %s broke off", campaign_id)
        with tenant(organization_id):
            note_broken_plan(campaign_id=campaign_id, reason=_told(error), now=timezone.now())


@shared_task(soft_time_limit=300, time_limit=330)
def launch_due_campaigns() -> None:
    """Launch, in every organization, what is due."""
    now = timezone.now()
    for organization_id in organization_ids():
        due: list[int] = []
        with going_on(organization_id), tenant(organization_id):
            due = due_campaign_ids(now=now)
        for campaign_id in due:
            try:
                with tenant(organization_id):
                    launch_scheduled(campaign_id=campaign_id, now=now)
            except Exception as error:
                logger.exception("campaign %s is due and could not be launched; it is tried again", campaign_id)
                with tenant(organization_id):
                    note_broken_launch(campaign_id=campaign_id, reason=_told(error), now=now)


@shared_task(soft_time_limit=120, time_limit=150)
def sweep_campaigns() -> None:
    """Ring again for plans that nobody wrote, and bring campaigns to where their dispatches are."""
    now = timezone.now()
    for organization_id in organization_ids():
        unplanned: list[int] = []
        with going_on(organization_id), tenant(organization_id):
            follow_dispatches(now=now)
            unplanned = unplanned_campaign_ids(now=now)
        for campaign_id in unplanned:
            ring_for_plan(organization_id, campaign_id)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
