"""What runs when. Beat writes these into its tables at its start, where the admin shows them and can switch them off.

Everything here is a sweep: it finds work by reading rows, so a run that is missed costs time and nothing else.
"""

from datetime import timedelta
from typing import Any

from celery.schedules import crontab

Schedule = timedelta | crontab

_TABLE: tuple[tuple[str, str, Schedule], ...] = (
    ("Send what waits: due retries, lost leases", "messaging.tasks.sweep_dispatches", timedelta(seconds=5)),
    ("Count opens and clicks", "messaging.tasks.fold_tracking", timedelta(seconds=5)),
    ("Launch campaigns that are due", "campaigns.tasks.launch_due_campaigns", timedelta(seconds=10)),
    ("Follow running campaigns", "campaigns.tasks.sweep_campaigns", timedelta(seconds=5)),
    ("React to what happened", "config.tasks.react_to_events", timedelta(seconds=5)),
    ("Ring for imports that wait or whose worker died", "crm.tasks.sweep_imports", timedelta(seconds=30)),
    ("Let points mature and expire", "loyalty.tasks.settle_due_wallets", timedelta(seconds=60)),
    ("Expire vouchers, finish referrals", "loyalty.tasks.sweep_rewards", timedelta(seconds=60)),
    ("Award birthdays", "loyalty.tasks.award_birthdays", crontab(minute=20)),
    ("Let tiers fall whose time has come", "loyalty.tasks.sweep_tiers", timedelta(minutes=5)),
    ("Tell of points that expire soon", "loyalty.tasks.tell_of_expiring_points", crontab(hour=5, minute=10)),
    ("Close the months of points", "loyalty.tasks.close_months", crontab(hour=4, minute=40)),
    ("Open the event log's next months", "config.tasks.open_event_months", crontab(minute=10)),
    ("Check facts against what they count", "config.tasks.check_facts", crontab(hour=3, minute=20)),
    ("Forget old opens and clicks", "messaging.tasks.forget_tracking", crontab(hour=4, minute=10)),
    ("Forget old idempotency keys", "accounts.tasks.forget_idempotency_keys", crontab(hour=3, minute=50)),
)


def beat_schedule() -> dict[str, dict[str, Any]]:
    """The table as Celery reads it; a run nobody came to within its interval is dropped, the next one does its work."""
    return {name: {"task": task, "schedule": schedule, "options": {"expires": _expires(schedule)}} for name, task, schedule in _TABLE}


def _expires(schedule: Schedule) -> float:
    return max(30.0, schedule.total_seconds()) if isinstance(schedule, timedelta) else 3_600.0
