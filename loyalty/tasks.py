"""Celery's entry points of loyalty: sweeps that find their work by reading rows."""

from celery import shared_task
from django.utils import timezone

from accounts.queries import organization_ids
from accounts.sweeps import going_on
from accounts.tenancy import tenant
from loyalty.actions import closing, expiring, referral_rewards, stamps, sweeping, tiers, vouchers

# In a run, of an organization; the next run goes on.
TIER_BATCHES = 20


@shared_task(soft_time_limit=600, time_limit=660)
def sweep_tiers() -> None:
    """Let tiers fall whose time has come, and look again at those of former terms: a batch is a transaction."""
    left = organization_ids()
    # Everybody's first batch comes before anybody's second.
    for _round in range(TIER_BATCHES):
        left = [organization_id for organization_id in left if _sweep_tiers_of(organization_id) >= tiers.BATCH]


def _sweep_tiers_of(organization_id: int) -> int:
    with going_on(organization_id), tenant(organization_id):
        return tiers.sweep_tiers(now=timezone.now())
    return 0


@shared_task(soft_time_limit=1_800, time_limit=1_860)
def tell_of_expiring_points() -> None:
    """Write the events of points that expire soon."""
    for organization_id in organization_ids():
        with going_on(organization_id), tenant(organization_id):
            expiring.tell_of_expiring_points(now=timezone.now())


@shared_task(soft_time_limit=600, time_limit=660)
def settle_due_wallets() -> None:
    """Post what matured, lapsed or expired meanwhile."""
    for organization_id in organization_ids():
        with going_on(organization_id):
            sweeping.settle_due_wallets(organization_id=organization_id, now=timezone.now())


@shared_task(soft_time_limit=600, time_limit=660)
def sweep_rewards() -> None:
    """Mark expired vouchers and referrals whose points have come, and give vouchers that were waiting for stock."""
    for organization_id in organization_ids():
        # A transaction each: they lock cards and vouchers in different orders.
        for sweep in (vouchers.expire_vouchers, stamps.give_owed_vouchers, referral_rewards.finish_referrals):
            with going_on(organization_id), tenant(organization_id):
                sweep(now=timezone.now())


@shared_task(soft_time_limit=1_800, time_limit=1_860)
def award_birthdays() -> None:
    """Award members on their birthday."""
    for organization_id in organization_ids():
        with going_on(organization_id):
            sweeping.award_birthdays(organization_id=organization_id, now=timezone.now())


@shared_task(soft_time_limit=1_800, time_limit=1_860)
def close_months() -> None:
    """Add up the months that are over, once and for all."""
    for organization_id in organization_ids():
        with going_on(organization_id), tenant(organization_id):
            closing.close_months(now=timezone.now())
