from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from accounts.audit import SYSTEM
from campaigns.actions.launching import about
from campaigns.actions.transitions import past_tense, take_step
from campaigns.models import Campaign, CampaignState
from campaigns.rules import Step
from crm.events import NewEvent, record_event
from crm.models import Event
from messaging.models import Dispatch, DispatchState

_OPEN = (CampaignState.RUNNING, CampaignState.PAUSED)
_ENDS = {DispatchState.COMPLETED: Step.COMPLETE, DispatchState.FAILED: Step.FAIL, DispatchState.CANCELLED: Step.CANCEL}


def follow_dispatches(*, now: datetime) -> int:
    """Bring every open campaign to where its dispatch got by itself; returns how many moved."""
    opened = Campaign.objects.filter(state__in=_OPEN, dispatch__isnull=False).values_list("pk", "state", "dispatch__state")
    apart = [pk for pk, state, dispatch_state in opened if _step(state, dispatch_state) is not None]
    return sum(follow_dispatch(campaign_id=pk, now=now) for pk in apart)


def follow_completions(events: Sequence[Event]) -> None:
    """A reaction: campaigns whose dispatches have completed complete at once, without waiting for the sweep."""
    moments = {int(event.properties["dispatch_id"]): event.occurred_at for event in events}
    for campaign_id, dispatch_id in Campaign.objects.filter(dispatch_id__in=moments).values_list("pk", "dispatch_id"):
        follow_dispatch(campaign_id=campaign_id, now=moments[dispatch_id or 0])


@transaction.atomic
def follow_dispatch(*, campaign_id: int, now: datetime) -> bool:
    """Bring one campaign to where its dispatch is: completed, failed, or held by its sender's breaker; true if it moved."""
    # Whoever holds the row is changing both; the next sweep sees what came of it.
    campaign = Campaign.objects.select_for_update(of=("self",), skip_locked=True).filter(pk=campaign_id).first()
    if campaign is None or campaign.dispatch_id is None:
        return False
    dispatch = Dispatch.objects.get(pk=campaign.dispatch_id)
    step = _step(campaign.state, dispatch.state)
    if step is None:
        return False
    values: dict[str, object] = {"state_reason": dispatch.state_reason}
    if step in _ENDS.values():
        values["completed_at"] = dispatch.completed_at or now
    campaign = take_step(campaign, step, actor=SYSTEM, **values)
    record_event(NewEvent(f"campaign.{past_tense(step)}", now, source="campaigns", properties=about(campaign)))
    return True


def _step(state: str, dispatch_state: str) -> Step | None:
    if state not in _OPEN:
        return None
    if step := _ENDS.get(DispatchState(dispatch_state)):
        return step
    if dispatch_state == DispatchState.PAUSED and state == CampaignState.RUNNING:
        return Step.PAUSE
    return Step.RESUME if dispatch_state == DispatchState.RUNNING and state == CampaignState.PAUSED else None
