"""Celery's entry points that belong to no app: housekeeping over all organizations."""

import logging
from datetime import timedelta

from celery import shared_task
from django.db import transaction
from django.utils import timezone

from accounts.queries import organization_ids
from accounts.sweeps import going_on
from accounts.tenancy import tenant
from config.reactions import react
from crm.events import ensure_months
from crm.queries.consistency import customers_with_wrong_facts

logger = logging.getLogger(__name__)
MONTHS_AHEAD = 3


@shared_task(soft_time_limit=600, time_limit=660)
def react_to_events() -> None:
    """Hand new events to those who react to them."""
    for organization_id in organization_ids():
        react(organization_id=organization_id)


@shared_task(soft_time_limit=60, time_limit=120)
def open_event_months() -> None:
    """See to it that the event log has its partitions before the months begin."""
    now = timezone.now()
    with transaction.atomic():
        ensure_months(now + timedelta(days=31 * month) for month in range(MONTHS_AHEAD))


@shared_task(soft_time_limit=3_000, time_limit=3_300)
def check_facts() -> None:
    """Say which customers' facts differ from what counting gives; the log and its alerts are where that is read."""
    for organization_id in organization_ids():
        with going_on(organization_id), tenant(organization_id):
            if wrong := customers_with_wrong_facts():
                logger.error("organization %s: facts of %s customers are wrong, first %s", organization_id, len(wrong), wrong[:10])
