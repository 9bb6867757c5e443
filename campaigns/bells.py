"""Asking a worker to look, by the task's name, so that actions need not know tasks."""

import logging

from celery import current_app
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def ring_for_plan(organization_id: int, campaign_id: int) -> None:
    """Ask for the plan of a launched campaign; a broker that is away is no failure, the sweep rings again."""
    try:
        current_app.send_task("campaigns.tasks.plan", (organization_id, campaign_id), retry=False)
    except OperationalError as error:
        logger.warning("the broker is away, the sweep will ring for campaign %s: %s", campaign_id, error)
