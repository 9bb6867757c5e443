"""Asking a worker to run an import, by the task's name, so that actions need not know tasks."""

import logging

from celery import current_app
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def ring_for_import(organization_id: int, job_id: int) -> None:
    """Ask for an import to be run; a broker that is away is no failure, the sweep rings again."""
    try:
        current_app.send_task("crm.tasks.run_import", (organization_id, job_id), retry=False, queue="imports")
    except OperationalError as error:
        logger.warning("the broker is away, the sweep will ring for import %s: %s", job_id, error)
