"""Sweeps go through all organizations, each for itself."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from celery.exceptions import SoftTimeLimitExceeded

logger = logging.getLogger(__name__)


@contextmanager
def going_on(organization_id: int) -> Iterator[None]:
    """What fails for one organization must not keep the others waiting."""
    try:
        yield
    except SoftTimeLimitExceeded:
        raise
    except Exception:
        logger.exception("organization %s waits for the next round", organization_id)
