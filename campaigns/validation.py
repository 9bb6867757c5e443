"""Everything that keeps a campaign from being sent, told before it is."""

from collections.abc import Iterator
from datetime import datetime

from django.utils.translation import gettext as _

from accounts.queries import current_organization
from campaigns.audience import audience_of, reach_of
from campaigns.models import Campaign, CampaignState
from campaigns.refusals import CampaignProblem, Severity
from crm.models import Channel, Purpose
from messaging.actions.templates import source_of
from messaging.content.headers import check_address
from messaging.content.problems import RenderError
from messaging.content.validation import validate_message
from messaging.models import SenderKind, TemplateVersion
from messaging.planning import Reach
from messaging.variables import known_variables
from segmentation.queries import SegmentTooSlow
from segmentation.rules import RulesError


def validate_campaign(campaign: Campaign, *, now: datetime) -> list[CampaignProblem]:
    """All problems of a campaign, errors first; without an error it can be launched."""
    problems = [*_check_sender(campaign), *_check_template(campaign), *_check_address(campaign), *_check_schedule(campaign, now)]
    problems.extend(_check_audience(campaign, now))
    return sorted(problems, key=lambda problem: problem.severity is not Severity.ERROR)


def current_version(campaign: Campaign) -> TemplateVersion | None:
    """The version that a launch would freeze: the newest of the campaign's template."""
    if campaign.template_id is None:
        return None
    return TemplateVersion.objects.filter(template_id=campaign.template_id).order_by("-number").first()


def _check_sender(campaign: Campaign) -> Iterator[CampaignProblem]:
    account = campaign.account
    if campaign.channel != Channel.EMAIL:
        yield CampaignProblem("channel", _("Campaigns are sent by e-mail."), "sender")
    if account is None:
        yield CampaignProblem("no_sender", _("Choose a sender."), "sender")
        return
    if not account.is_active:
        yield CampaignProblem("sender_inactive", _("The sender “%(name)s” is switched off.") % {"name": account}, "sender")
    if account.channel != campaign.channel:
        yield CampaignProblem("sender_channel", _("The sender “%(name)s” is for another channel.") % {"name": account}, "sender")
    if not account.from_email:
        yield CampaignProblem("sender_address", _("The sender “%(name)s” has no address.") % {"name": account}, "sender")
    for address in filter(None, (account.from_email, account.reply_to)):
        try:
            check_address(address)
        except RenderError as error:
            yield CampaignProblem(
                "sender_address", _("The sender “%(name)s”: %(problem)s") % {"name": account, "problem": error.detail}, "sender"
            )
    if account.kind not in SenderKind.values:
        yield CampaignProblem("sender_kind", _("The sender “%(name)s” is of an unknown kind.") % {"name": account}, "sender")


def _check_template(campaign: Campaign) -> Iterator[CampaignProblem]:
    template, version = campaign.template, current_version(campaign)
    if template is None:
        yield CampaignProblem("no_template", _("Choose a template."), "message")
        return
    if template.archived_at is not None:
        yield CampaignProblem("template_archived", _("The template “%(name)s” is archived.") % {"name": template}, "message")
    if template.channel != campaign.channel:
        yield CampaignProblem("template_channel", _("The template “%(name)s” is for another channel.") % {"name": template}, "message")
    if template.purpose != campaign.purpose:
        text = _("The template “%(name)s” was written for another purpose.") % {"name": template}
        yield CampaignProblem("template_purpose", text, "message", Severity.WARNING)
    if version is None:
        yield CampaignProblem("no_version", _("The template “%(name)s” says nothing yet.") % {"name": template}, "message")
        return
    unsubscribable = campaign.purpose != Purpose.TRANSACTIONAL
    for problem in validate_message(source_of(version), known_variables(), unsubscribable=unsubscribable):
        yield CampaignProblem(problem.code, problem.message, "message", Severity(problem.severity.value), problem.line)


def _check_address(campaign: Campaign) -> Iterator[CampaignProblem]:
    if campaign.purpose == Purpose.MARKETING and not current_organization().postal_address.strip():
        text = _("The organization has no postal address yet; the law asks for one in every marketing message.")
        yield CampaignProblem("no_postal_address", text, "message")


def _check_schedule(campaign: Campaign, now: datetime) -> Iterator[CampaignProblem]:
    if campaign.state == CampaignState.DRAFT and campaign.scheduled_at is not None and campaign.scheduled_at <= now:
        yield CampaignProblem("schedule_past", _("The time to start has passed."), "schedule", Severity.WARNING)


def _check_audience(campaign: Campaign, now: datetime) -> Iterator[CampaignProblem]:
    try:
        reach = reach_of(audience_of(campaign, now=now), now=now)
    except RulesError as error:
        yield CampaignProblem("segment_rules", _("A segment can no longer be read: %(reason)s") % {"reason": error}, "audience")
    except SegmentTooSlow as error:
        yield CampaignProblem("audience_slow", str(error), "audience", Severity.WARNING)
    else:
        yield from _check_reach(reach)


def _check_reach(reach: Reach) -> Iterator[CampaignProblem]:
    if reach.total == 0:
        yield CampaignProblem("empty_audience", _("Nobody is in the audience."), "audience")
    elif reach.planned == 0:
        yield CampaignProblem("nobody_reached", _("Nobody in the audience can be sent this message."), "audience")
