from datetime import datetime
from functools import partial

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.audit import Actor
from accounts.tenancy import current_organization_id
from campaigns.actions.launching import about, ask_for_plan
from campaigns.actions.transitions import locked, take_step
from campaigns.models import Campaign
from campaigns.refusals import CampaignNotReadyError, CampaignRefusedError, CampaignStateError, errors_of
from campaigns.rules import Step
from campaigns.validation import validate_campaign
from crm.events import NewEvent, record_event
from messaging.dispatching import hold_plan, release_plan
from messaging.sending.control import DispatchStateError, cancel_dispatch, pause_dispatch, resume_dispatch
from messaging.tasks import ring


@transaction.atomic
def schedule_campaign(*, campaign: Campaign, actor: Actor, now: datetime, at: datetime | None = None) -> Campaign:
    """Let a draft start by itself at ``at``, else at the time that it names by now.

    Raises:
        CampaignRefusedError: it names none.
        ValidationError: the time has passed.
        CampaignStateError: it is no draft.
        CampaignNotReadyError: it has errors.
    """
    campaign = locked(campaign, Step.SCHEDULE)
    at = at or campaign.scheduled_at
    if at is None:
        raise CampaignRefusedError(_("Give the time to start first. Nothing was changed."))
    if at <= now:
        raise ValidationError({"scheduled_at": _("This time has passed; choose one to come.")})
    if errors := errors_of(validate_campaign(campaign, now=now)):
        raise CampaignNotReadyError(errors)
    campaign = take_step(campaign, Step.SCHEDULE, actor=actor, scheduled_at=at, state_reason="")
    record_event(NewEvent("campaign.scheduled", now, source="campaigns", properties={**about(campaign), "at": at.isoformat()}))
    return campaign


@transaction.atomic
def unschedule_campaign(*, campaign: Campaign, actor: Actor, now: datetime) -> Campaign:
    """Make a scheduled campaign a draft again, to be changed.

    Raises:
        CampaignStateError: it is not scheduled.
    """
    campaign = take_step(campaign, Step.UNSCHEDULE, actor=actor, state_reason="")
    record_event(NewEvent("campaign.unscheduled", now, source="campaigns", properties=about(campaign)))
    return campaign


@transaction.atomic
def pause_campaign(*, campaign: Campaign, actor: Actor, now: datetime) -> Campaign:
    """Stop sending within two seconds; what has not left waits. What its sender holds does not go on by itself any more.

    Raises:
        CampaignStateError: it is not running, nor held by its sender.
    """
    campaign = take_step(campaign, Step.PAUSE, actor=actor, state_reason="")
    dispatch_id = campaign.dispatch_id
    assert dispatch_id is not None, "what runs has a dispatch"
    if not hold_plan(dispatch_id=dispatch_id, now=now):
        try:
            pause_dispatch(dispatch_id=dispatch_id, actor=actor, now=now)
        except DispatchStateError as error:
            raise CampaignStateError(str(error)) from error
    record_event(NewEvent("campaign.paused", now, source="campaigns", properties=about(campaign)))
    return campaign


@transaction.atomic
def resume_campaign(*, campaign: Campaign, actor: Actor, now: datetime) -> Campaign:
    """Go on sending.

    Raises:
        CampaignStateError: it is not paused.
    """
    campaign = take_step(campaign, Step.RESUME, actor=actor, state_reason="")
    dispatch_id = campaign.dispatch_id
    assert dispatch_id is not None, "what runs has a dispatch"
    if release_plan(dispatch_id=dispatch_id):
        ask_for_plan(campaign)
    else:
        _resume_sending(dispatch_id, actor, now)
    record_event(NewEvent("campaign.resumed", now, source="campaigns", properties=about(campaign)))
    return campaign


@transaction.atomic
def cancel_campaign(*, campaign: Campaign, actor: Actor, now: datetime, reason: str = "") -> Campaign:
    """Stop for good: what has not left will not leave.

    Raises:
        CampaignStateError: it has not begun or has ended.
    """
    campaign = take_step(campaign, Step.CANCEL, actor=actor, state_reason=reason[:300], completed_at=now)
    if campaign.dispatch_id is not None:
        try:
            cancel_dispatch(dispatch_id=campaign.dispatch_id, actor=actor, now=now, reason=reason)
        except DispatchStateError as error:
            raise CampaignStateError(str(error)) from error
        transaction.on_commit(partial(ring, current_organization_id(), campaign.dispatch_id))  # for what was to be tried again
    record_event(NewEvent("campaign.cancelled", now, source="campaigns", properties=about(campaign)))
    return campaign


def _resume_sending(dispatch_id: int, actor: Actor, now: datetime) -> None:
    try:
        resume_dispatch(dispatch_id=dispatch_id, actor=actor, now=now)
    except DispatchStateError as error:
        raise CampaignStateError(str(error)) from error
    transaction.on_commit(partial(ring, current_organization_id(), dispatch_id))
