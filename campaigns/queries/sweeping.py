from datetime import datetime, timedelta

from campaigns.models import Campaign, CampaignState
from messaging.models import DispatchState

# A worker that plans a million customers needs some seconds; ringing for it meanwhile would do no harm, only wait.
PATIENCE = timedelta(seconds=30)


def unplanned_campaign_ids(*, now: datetime) -> list[int]:
    """Launched campaigns whose ledger nobody has written though they were launched a while ago."""
    waiting = Campaign.objects.filter(state=CampaignState.RUNNING, dispatch__state=DispatchState.PLANNING, launched_at__lte=now - PATIENCE)
    return list(waiting.order_by("pk").values_list("pk", flat=True))


def due_campaign_ids(*, now: datetime) -> list[int]:
    """Scheduled campaigns whose time has come, the longest overdue first."""
    due = Campaign.objects.filter(state=CampaignState.SCHEDULED, scheduled_at__lte=now)
    return list(due.order_by("scheduled_at", "pk").values_list("pk", flat=True))
