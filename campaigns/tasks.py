"""Celery's entry points of campaigns; ``config.beat`` says when. A lost bell costs seconds: the sweep rings again."""

from celery import shared_task
from django.utils import timezone

from accounts.queries import organization_ids
from accounts.tenancy import tenant
from campaigns.actions import launch_due, plan_campaign
from campaigns.actions.following import follow_dispatches
from campaigns.bells import ring_for_plan
from campaigns.queries.sweeping import unplanned_campaign_ids


@shared_task(soft_time_limit=600, time_limit=660)
def plan(organization_id: int, campaign_id: int) -> None:
    """Write the ledger of a launched campaign."""
    with tenant(organization_id):
        plan_campaign(campaign_id=campaign_id, now=timezone.now())


@shared_task(soft_time_limit=120, time_limit=150)
def launch_due_campaigns() -> None:
    """Launch, in every organization, what is due."""
    for organization_id in organization_ids():
        with tenant(organization_id):
            launch_due(now=timezone.now())


@shared_task(soft_time_limit=120, time_limit=150)
def sweep_campaigns() -> None:
    """Ring again for plans that nobody wrote, and bring campaigns to where their dispatches are."""
    for organization_id in organization_ids():
        now = timezone.now()
        with tenant(organization_id):
            follow_dispatches(now=now)
            unplanned = unplanned_campaign_ids(now=now)
        for campaign_id in unplanned:
            ring_for_plan(organization_id, campaign_id)
