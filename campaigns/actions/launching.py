from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.audit import SYSTEM, Actor
from accounts.tenancy import current_organization_id
from campaigns.actions.transitions import locked, take_step
from campaigns.audience import audience_of
from campaigns.bells import ring_for_plan
from campaigns.models import Campaign, CampaignState
from campaigns.refusals import CampaignNotReadyError, errors_of
from campaigns.rules import Step
from campaigns.validation import current_version, validate_campaign
from crm.events import NewEvent, record_event
from crm.models import Channel, Purpose
from messaging.dispatching import fail_plan, open_dispatch
from messaging.models import DispatchState
from messaging.planning import Reach, plan_dispatch
from messaging.tasks import ring
from segmentation.rules import RulesError

GIVE_UP_AFTER = timedelta(minutes=30)


@transaction.atomic
def launch_campaign(*, campaign: Campaign, actor: Actor, now: datetime) -> Campaign:
    """Let a campaign go: its template's newest version is frozen, its audience is planned by a worker, and sending begins.

    Raises:
        CampaignStateError: it was launched already (perhaps a moment ago by somebody else), or cancelled.
        CampaignNotReadyError: it has errors.
    """
    # The row is ours from here on: whoever launches at the same moment waits, and then finds it running.
    campaign = locked(campaign, Step.LAUNCH)
    if errors := errors_of(validate_campaign(campaign, now=now)):
        raise CampaignNotReadyError(errors)
    version, account = current_version(campaign), campaign.account
    assert version is not None, "validation has seen both"
    assert account is not None, "validation has seen both"
    dispatch = open_dispatch(
        label=campaign.name,
        channel=Channel(campaign.channel),
        purpose=Purpose(campaign.purpose),
        account=account,
        version=version,
        actor=actor,
    )
    campaign = take_step(campaign, Step.LAUNCH, actor=actor, launched_at=now, state_reason="", dispatch=dispatch)
    record_event(NewEvent("campaign.launched", now, source="campaigns", properties=about(campaign)))
    ask_for_plan(campaign)
    return campaign


@transaction.atomic
def launch_scheduled(*, campaign_id: int, now: datetime) -> bool:
    """Launch a campaign whose time has come; if it is not ready any more it fails with its reasons. True if it was launched."""
    # Locked as it is looked at: what somebody unschedules or moves to later at this moment is not launched after all.
    rows = Campaign.objects.select_for_update(of=("self",))
    campaign = rows.filter(pk=campaign_id, state=CampaignState.SCHEDULED, scheduled_at__lte=now).first()
    if campaign is None:
        return False
    try:
        launch_campaign(campaign=campaign, actor=SYSTEM, now=now)
    except CampaignNotReadyError as error:
        _fail(campaign, str(error), now)
        return False
    return True


@transaction.atomic
def plan_campaign(*, campaign_id: int, now: datetime) -> Reach | None:
    """Write the ledger of a launched campaign and start sending; ``None`` when that was done before, or it was stopped."""
    campaign = _unless_held(campaign_id, state=CampaignState.RUNNING, dispatch__state=DispatchState.PLANNING)
    if campaign is None or campaign.dispatch_id is None:
        return None
    try:
        reach = plan_dispatch(dispatch_id=campaign.dispatch_id, audience=audience_of(campaign, now=now), now=now)
    except RulesError as error:
        reason = _("A segment can no longer be read: %(reason)s") % {"reason": error}
        if fail_plan(dispatch_id=campaign.dispatch_id, reason=reason, now=now):
            _fail(campaign, reason, now)
        return None
    if reach is not None:
        Campaign.objects.filter(pk=campaign_id, broken_since__isnull=False).update(state_reason="", broken_since=None)
        transaction.on_commit(partial(ring, current_organization_id(), campaign.dispatch_id))
    return reach


@transaction.atomic
def note_broken_plan(*, campaign_id: int, reason: str, now: datetime) -> None:
    """Show why a plan broke off: it is tried again for a while, and then the campaign fails."""
    campaign = _unless_held(campaign_id, state=CampaignState.RUNNING, dispatch__state=DispatchState.PLANNING)
    if campaign is None or campaign.dispatch_id is None:
        return
    told = _("Choosing who gets it broke off and is tried again: %(reason)s") % {"reason": reason}
    if _is_hopeless(campaign, told, now) and fail_plan(dispatch_id=campaign.dispatch_id, reason=reason, now=now):
        _fail(campaign, reason, now)


@transaction.atomic
def note_broken_launch(*, campaign_id: int, reason: str, now: datetime) -> None:
    """Show why a campaign that is due could not be launched: it is tried again for a while, and then the campaign fails."""
    campaign = _unless_held(campaign_id, state=CampaignState.SCHEDULED)
    told = _("Its launch broke off and is tried again: %(reason)s") % {"reason": reason}
    if campaign is not None and _is_hopeless(campaign, told, now):
        _fail(campaign, reason, now)


def ask_for_plan(campaign: Campaign) -> None:
    """Ring for a worker to plan it, once this transaction is on disk."""
    transaction.on_commit(partial(ring_for_plan, current_organization_id(), campaign.pk))


def about(campaign: Campaign) -> dict[str, object]:
    """What events say of a campaign."""
    return {"campaign": campaign.pk, "dispatch": campaign.dispatch_id, "name": campaign.name}


def _unless_held(campaign_id: int, **where: object) -> Campaign | None:
    # Whoever holds the row plans the campaign or stops it, and bells keep ringing: waiting would block every worker.
    return Campaign.objects.select_for_update(of=("self",), skip_locked=True).filter(pk=campaign_id, **where).first()


def _is_hopeless(campaign: Campaign, told: str, now: datetime) -> bool:
    """Whether it has been broken for so long that it fails; until then people are told what is wrong."""
    since = campaign.broken_since or now
    if now - since >= GIVE_UP_AFTER:
        return True
    Campaign.objects.filter(pk=campaign.pk).update(state_reason=told[:300], broken_since=since)
    return False


@transaction.atomic
def _fail(campaign: Campaign, reason: str, now: datetime) -> None:
    take_step(campaign, Step.FAIL, actor=SYSTEM, state_reason=reason[:300], completed_at=now)
    record_event(NewEvent("campaign.failed", now, source="campaigns", properties={**about(campaign), "reason": reason}))
