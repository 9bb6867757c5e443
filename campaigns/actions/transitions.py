"""One step in the life of a campaign: of two people who press at once, one has done it and the other hears so."""

from typing import Any

from django.utils.translation import gettext as _

from accounts.audit import Actor, record_audit
from campaigns.models import Campaign, CampaignState
from campaigns.refusals import CampaignStateError
from campaigns.rules import TRANSITIONS, Step, steps_from

_PAST_TENSE = {
    Step.SCHEDULE: "scheduled",
    Step.UNSCHEDULE: "unscheduled",
    Step.LAUNCH: "launched",
    Step.PAUSE: "paused",
    Step.RESUME: "resumed",
    Step.CANCEL: "cancelled",
    Step.COMPLETE: "completed",
    Step.FAIL: "failed",
}


def locked(campaign: Campaign, step: Step) -> Campaign:
    """The campaign as it is now, held until the end of the transaction, if the step can be taken from there.

    A campaign is always locked before its dispatch, so that no two actions wait for each other.

    Raises:
        CampaignStateError: it is elsewhere, or gone.
    """
    rows = Campaign.objects.select_for_update(of=("self",)).select_related("template", "account", "dispatch")
    found = rows.filter(pk=campaign.pk).first()
    if found is None or step not in steps_from(found.state, goes_on_by_itself=found.goes_on_by_itself):
        raise _refusal(found)
    return found


def take_step(campaign: Campaign, step: Step, *, actor: Actor, **values: Any) -> Campaign:
    """Move the campaign on if it still is where the step starts from, with its audit entry; returns it as it is now.

    Raises:
        CampaignStateError: somebody else was faster, or it never was in such a state.
    """
    found = locked(campaign, step)
    before = {"state": found.state}
    target = TRANSITIONS[step].target
    assert target is not None, step
    changes = {"state": target, **values}
    Campaign.objects.filter(pk=found.pk, state=found.state).update(**changes, broken_since=None)
    for name, value in changes.items():
        setattr(found, name, value)
    record_audit(action=f"campaign.{_PAST_TENSE[step]}", subject=found, actor=actor, before=before, after=changes)
    return found


def past_tense(step: Step) -> str:
    """The verb of a step in audit entries and events."""
    return _PAST_TENSE[step]


def _refusal(campaign: Campaign | None) -> CampaignStateError:
    if campaign is None:
        return CampaignStateError(_("This campaign no longer exists. Nothing was changed."))
    state = CampaignState(campaign.state).label
    return CampaignStateError(_("This cannot be done now: the campaign is “%(state)s”. Nothing was changed.") % {"state": state})
