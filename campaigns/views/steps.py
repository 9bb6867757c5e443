from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts.formats import format_moment
from accounts.permissions import Permission, requires
from accounts.queries import current_organization
from campaigns import actions
from campaigns.audience import audience_of, reach_of
from campaigns.forms import TestForm
from campaigns.models import Campaign
from campaigns.refusals import CampaignRefusedError
from campaigns.rules import Step
from campaigns.views.detail import TYPED_FROM, campaign_or_404, campaign_page
from campaigns.words import people
from crm.models import Customer
from crm.queries.search import find_customers
from crm.views.asking import asking
from messaging.trial_messages import Trial
from segmentation.queries import SegmentTooSlow
from segmentation.rules import RulesError


def _page(request: HttpRequest, pk: int, act: Callable[[Campaign], str]) -> HttpResponse:
    """Do it, and say what came of it on the campaign's page."""
    try:
        messages.success(request, act(campaign_or_404(pk)))
    except CampaignRefusedError as error:
        messages.error(request, str(error))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    return redirect("campaigns:detail", pk=pk)


@require_POST
@requires(Permission.CAMPAIGNS_LAUNCH)
def launch(request: HttpRequest, pk: int) -> HttpResponse:
    """Send it now."""
    actor, now = asking(request).actor, timezone.now()

    def act(campaign: Campaign) -> str:
        _check_name(request, campaign)
        actions.launch_campaign(campaign=campaign, actor=actor, now=now)
        return _("The campaign is on its way.")

    return _page(request, pk, act)


@require_POST
@requires(Permission.CAMPAIGNS_LAUNCH)
def schedule(request: HttpRequest, pk: int) -> HttpResponse:
    """Let it start by itself at the time its draft names."""
    actor, now = asking(request).actor, timezone.now()

    def act(campaign: Campaign) -> str:
        _check_name(request, campaign)
        scheduled = actions.schedule_campaign(campaign=campaign, actor=actor, now=now)
        return _("The campaign starts on %(at)s.") % {"at": format_moment(scheduled.scheduled_at)}

    return _page(request, pk, act)


# What needs nothing but to be asked for: what is done, and what is said of it.
PLAIN_STEPS: dict[Step, tuple[Callable[..., Campaign], Promise]] = {
    Step.UNSCHEDULE: (actions.unschedule_campaign, gettext_lazy("The campaign is a draft again; nothing will be sent by itself.")),
    Step.PAUSE: (actions.pause_campaign, gettext_lazy("The campaign is paused. What has not left waits.")),
    Step.RESUME: (actions.resume_campaign, gettext_lazy("The campaign goes on.")),
    Step.CANCEL: (actions.cancel_campaign, gettext_lazy("The campaign is cancelled. What had not left will not leave.")),
}


@require_POST
@requires(Permission.CAMPAIGNS_LAUNCH)
def take_plain_step(request: HttpRequest, pk: int, step: Step) -> HttpResponse:
    """Take one of the steps that need nothing but to be asked for."""
    (action, sentence), actor, now = PLAIN_STEPS[step], asking(request).actor, timezone.now()

    def act(campaign: Campaign) -> str:
        action(campaign=campaign, actor=actor, now=now)
        return str(sentence)

    return _page(request, pk, act)


@require_POST
@requires(Permission.CAMPAIGNS_CHANGE)
def duplicate(request: HttpRequest, pk: int) -> HttpResponse:
    """A new draft with the same audience and message."""
    copy = actions.duplicate_campaign(campaign=campaign_or_404(pk), actor=asking(request).actor)
    messages.success(request, _("This is the copy, a draft."))
    return redirect("campaigns:edit", pk=copy.pk)


@require_POST
@requires(Permission.CAMPAIGNS_CHANGE)
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete what was never launched."""
    campaign = campaign_or_404(pk)
    try:
        actions.delete_campaign(campaign=campaign, actor=asking(request).actor, now=timezone.now())
    except CampaignRefusedError as error:
        messages.error(request, str(error))
        return redirect("campaigns:detail", pk=pk)
    messages.success(request, _("“%(name)s” is deleted. It was never sent.") % {"name": campaign.name})
    return redirect("campaigns:list")


@require_POST
@requires(Permission.CAMPAIGNS_CHANGE)
def send_test(request: HttpRequest, pk: int) -> HttpResponse:
    """Send the message to a few addresses; it counts nowhere."""
    campaign, form = campaign_or_404(pk), TestForm(request.POST)
    if form.is_valid() and (trial := _tried(request, campaign, form)):
        for address, reason in trial.refused.items():
            told = _("The mail server did not take it for %(address)s: %(reason)s") % {"address": address, "reason": reason}
            messages.warning(request, told)
        messages.success(request, _("A test was sent to %(people)s. It counts nowhere.") % {"people": people(len(trial.sent))})
        return redirect("campaigns:detail", pk=pk)
    messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
    return campaign_page(request, campaign, test_form=form)


def _tried(request: HttpRequest, campaign: Campaign, form: TestForm) -> Trial | None:
    data = form.cleaned_data
    try:
        return actions.send_test(
            campaign=campaign,
            addresses=data["addresses"],
            customer=_meant(data["customer"]),
            actor=asking(request).actor,
            now=timezone.now(),
        )
    except (ValidationError, CampaignRefusedError) as error:
        form.add_error(None, error if isinstance(error, ValidationError) else str(error))
        return None


def _meant(text: str) -> Customer | None:
    if not text.strip():
        return None
    found = find_customers(text.strip(), region=current_organization().region).first()
    if found is None:
        raise ValidationError({"customer": _("There is no customer “%(text)s”. Nothing was sent.") % {"text": text[:80]}})
    return found


def _check_name(request: HttpRequest, campaign: Campaign) -> None:
    """At the scale where a slip hurts, the name has been typed."""
    if request.POST.get("typed_name", "").strip() == campaign.name:
        return
    now = timezone.now()
    try:
        planned = reach_of(audience_of(campaign, now=now), now=now).planned
    except (SegmentTooSlow, RulesError):
        planned = TYPED_FROM
    if planned >= TYPED_FROM:
        text = _("This goes to %(people)s: type the campaign's name to send it. Nothing was sent.")
        raise CampaignRefusedError(text % {"people": people(planned)})
