from collections.abc import Sequence
from datetime import datetime

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from accounts.audit import Actor, record_audit
from accounts.formats import format_number
from campaigns.models import Campaign
from campaigns.refusals import CampaignNotReadyError, CampaignProblem, CampaignRefusedError
from campaigns.validation import current_version
from crm.models import Customer, Purpose
from messaging.actions.templates import source_of
from messaging.content.problems import MessageRejectedError, RenderError
from messaging.trial_messages import Trial, TrialError, send_trial

MAX_ADDRESSES = 5


def send_test(*, campaign: Campaign, addresses: Sequence[str], actor: Actor, now: datetime, customer: Customer | None = None) -> Trial:
    """Send the message, marked as a test, to a few addresses; it is in no figure.

    Args:
        customer: as whom it is rendered; without one, with sample values.

    Raises:
        ValidationError: no address, too many, or one that is none.
        CampaignNotReadyError: there is no message or no sender yet.
        CampaignRefusedError: it could not be made, or left for nobody; the text says why.
    """
    wanted = _checked(addresses)
    version, account = current_version(campaign), campaign.account
    if version is None:
        raise CampaignNotReadyError([CampaignProblem("no_template", _("Choose a template."), "message")])
    if account is None:
        raise CampaignNotReadyError([CampaignProblem("no_sender", _("Choose a sender."), "sender")])
    try:
        trial = send_trial(
            source=source_of(version),
            account=account,
            addresses=wanted,
            customer=customer,
            now=now,
            unsubscribable=campaign.purpose != Purpose.TRANSACTIONAL,
        )
    except MessageRejectedError as error:
        raise CampaignNotReadyError(
            [CampaignProblem(each.code, each.message, "message", line=each.line) for each in error.problems]
        ) from error
    except RenderError as error:
        raise CampaignRefusedError(_("The message cannot be made for this customer: %(reason)s") % {"reason": error}) from error
    except TrialError as error:
        raise CampaignRefusedError(str(error)) from error
    after = {"addresses": trial.sent, "version": version.pk, "customer": customer.pk if customer else None}
    record_audit(action="campaign.tested", subject=campaign, actor=actor, after=after)
    return trial


def _checked(addresses: Sequence[str]) -> list[str]:
    wanted = list(dict.fromkeys(address.strip() for address in addresses if address.strip()))
    if not 1 <= len(wanted) <= MAX_ADDRESSES:
        raise ValidationError({"addresses": _("Give between 1 and %(most)s addresses.") % {"most": format_number(MAX_ADDRESSES)}})
    for address in wanted:
        try:
            validate_email(address)
        except ValidationError as error:
            raise ValidationError({"addresses": _("“%(address)s” is no e-mail address.") % {"address": address[:80]}}) from error
    return wanted
