"""What runs by itself in accounts; ``config.beat`` says when."""

from celery import shared_task
from django.utils import timezone

from accounts.api.idempotency import sweep_idempotency_keys
from accounts.queries import organization_ids
from accounts.sweeps import going_on
from accounts.tenancy import tenant


@shared_task
def forget_idempotency_keys() -> None:
    """Forget, in every organization, what was answered to requests too old to be sent again."""
    for organization_id in organization_ids():
        with going_on(organization_id), tenant(organization_id):
            sweep_idempotency_keys(now=timezone.now())
