"""Why a customer got a campaign or did not: an answer in words for every customer of the organization."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.utils.translation import gettext as _

from accounts.formats import format_moment
from campaigns.audience import audience_of
from campaigns.models import AudienceMode, Campaign, CampaignAudience, CampaignState
from crm.models import Customer
from messaging.models import Delivery, DeliveryState, DispatchState, SkipReason
from messaging.models.delivery import FateReason
from messaging.planning import decision_for
from segmentation.rules import RulesError


class Verdict(StrEnum):
    """The answer in one word."""

    GOT = "got"
    NOT = "not"
    WAITING = "waiting"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer with its reasons, the first of which is the answer itself."""

    verdict: Verdict
    sentences: tuple[str, ...]
    delivery: Delivery | None = None


def explain(campaign: Campaign, customer: Customer, *, now: datetime) -> Explanation:
    """Why this customer got the campaign, or did not, or would."""
    dispatch = campaign.dispatch
    if dispatch is not None:
        delivery = Delivery.objects.filter(dispatch=dispatch, customer=customer).first()
        if delivery is not None:
            return _explain_delivery(campaign, delivery)
        if dispatch.started_at is not None:
            return _explain_absence(campaign, customer, dispatch.started_at, now)
        if dispatch.state == DispatchState.PLANNING:
            return Explanation(Verdict.WAITING, (_("The audience is being chosen right now."),))
        if dispatch.state == DispatchState.PAUSED:
            return Explanation(Verdict.WAITING, (_("It is paused, and nobody has been chosen yet."),))
    if campaign.state in (CampaignState.CANCELLED, CampaignState.FAILED):
        word = CampaignState(campaign.state).label
        return Explanation(Verdict.NOT, (_("The campaign is “%(state)s”: it ended before anybody was chosen.") % {"state": word},))
    return _explain_prospect(campaign, customer, now)


def _explain_delivery(campaign: Campaign, delivery: Delivery) -> Explanation:
    verdict, words = _STATES[DeliveryState(delivery.state)](campaign, delivery)
    return Explanation(verdict, tuple(sentence for sentence in (*words, *_deeds(delivery)) if sentence), delivery)


Words = tuple[Verdict, list[str]]


def _sent(_campaign: Campaign, delivery: Delivery) -> Words:
    values = {"address": delivery.address, "at": format_moment(delivery.sent_at)}
    return Verdict.GOT, [_("It was sent to %(address)s on %(at)s.") % values]


def _bounced(_campaign: Campaign, delivery: Delivery) -> Words:
    if delivery.sent_at is None:  # refused at the door
        return _failed(_campaign, delivery)
    first = _("It was sent to %(address)s and came back: the address took no mail.") % {"address": delivery.address}
    return Verdict.NOT, [first, delivery.detail]


def _skipped(campaign: Campaign, delivery: Delivery) -> Words:
    return Verdict.NOT, [_skip_sentence(campaign, delivery.reason)]


def _planned(campaign: Campaign, delivery: Delivery) -> Words:
    match DispatchState(campaign.dispatch.state) if campaign.dispatch else None:
        case DispatchState.CANCELLED:
            return Verdict.NOT, [_("The campaign was cancelled before it was their turn.")]
        case DispatchState.FAILED:
            return Verdict.NOT, [_("The campaign failed before it was their turn."), campaign.state_reason]
        case DispatchState.PAUSED:
            return Verdict.WAITING, [_("It waits: the campaign is paused."), campaign.state_reason]
        case _:
            return Verdict.WAITING, [_("It will be sent to %(address)s shortly.") % {"address": delivery.address}]


def _retrying(_campaign: Campaign, delivery: Delivery) -> Words:
    first = _("The mail server asked to come back later; it will be tried again.")
    if delivery.next_attempt_at is not None:
        first = _("The mail server asked to come back later; it will be tried again on %(at)s.") % {
            "at": format_moment(delivery.next_attempt_at)
        }
    return Verdict.WAITING, [first, delivery.detail]


def _failed(_campaign: Campaign, delivery: Delivery) -> Words:
    reason = str(dict(FateReason.choices).get(delivery.reason, delivery.reason))
    first = _("It could not be sent: %(reason)s.") % {"reason": reason} if reason else _("It could not be sent.")
    return Verdict.NOT, [first, delivery.detail]


def _ambiguous(_campaign: Campaign, delivery: Delivery) -> Words:
    reason = str(dict(FateReason.choices).get(delivery.reason, delivery.reason))
    first = _("It may have arrived: %(reason)s. It is never sent again by itself, so that nobody gets it twice.") % {"reason": reason}
    return Verdict.UNCERTAIN, [first, delivery.detail]


def _cancelled(_campaign: Campaign, _delivery: Delivery) -> Words:
    return Verdict.NOT, [_("The campaign was cancelled before it was their turn.")]


_STATES: dict[DeliveryState, Callable[[Campaign, Delivery], Words]] = {
    DeliveryState.PLANNED: _planned,
    DeliveryState.SKIPPED: _skipped,
    DeliveryState.SENT: _sent,
    DeliveryState.DELIVERED: _sent,
    DeliveryState.RETRYING: _retrying,
    DeliveryState.FAILED: _failed,
    DeliveryState.BOUNCED: _bounced,
    DeliveryState.AMBIGUOUS: _ambiguous,
    DeliveryState.CANCELLED: _cancelled,
}


def _deeds(delivery: Delivery) -> list[str]:
    told = [
        (delivery.delivered_at, _("Their provider confirmed it on %(at)s.")),
        (delivery.opened_at, _("They opened it on %(at)s.")),
        (delivery.clicked_at, _("They clicked in it on %(at)s.")),
        (delivery.unsubscribed_at, _("They unsubscribed through it on %(at)s.")),
        (delivery.complained_at, _("They complained about it on %(at)s.")),
        (None if delivery.opened_at else delivery.machine_opened_at, _("A machine, not a person, opened it on %(at)s.")),
    ]
    return [sentence % {"at": format_moment(at)} for at, sentence in told if at is not None]


def _explain_absence(campaign: Campaign, customer: Customer, chosen_at: datetime, now: datetime) -> Explanation:
    when = {"at": format_moment(chosen_at)}
    if customer.created_at > chosen_at:
        return Explanation(Verdict.NOT, (_("They became a customer after the audience was chosen on %(at)s.") % when,))
    segments = _included(campaign)
    if not segments:
        return Explanation(Verdict.NOT, (_("They were not in the audience when it was chosen on %(at)s.") % when,))
    first = _("They were in none of its segments (%(segments)s) when the audience was chosen on %(at)s.") % {
        **when,
        "segments": ", ".join(segments),
    }
    try:
        is_in_it = decision_for(customer, audience_of(campaign, now=now), now=now) is not None
    except RulesError:
        is_in_it = False
    return Explanation(Verdict.NOT, (first, _("They are in one of them now.")) if is_in_it else (first,))


def _explain_prospect(campaign: Campaign, customer: Customer, now: datetime) -> Explanation:
    try:
        reason = decision_for(customer, audience_of(campaign, now=now), now=now)
    except RulesError as error:
        return Explanation(Verdict.NOT, (_("A segment can no longer be read: %(reason)s") % {"reason": error},))
    not_yet = _("The campaign has not been launched.")
    if reason is None:
        words = _("They would not get it: they are in none of its segments (%(segments)s).") % {"segments": ", ".join(_included(campaign))}
        return Explanation(Verdict.NOT, (not_yet, words))
    if reason:
        return Explanation(Verdict.NOT, (not_yet, _("If it were launched now: %(why)s") % {"why": _skip_sentence(campaign, reason)}))
    return Explanation(Verdict.WAITING, (not_yet, _("If it were launched now, they would get it.")))


def _skip_sentence(campaign: Campaign, reason: str) -> str:
    if reason == SkipReason.EXCLUDED:
        names = CampaignAudience.objects.filter(campaign=campaign, mode=AudienceMode.EXCLUDE).values_list("segment__name", flat=True)
        return _("They are left out: they are in an excluded segment (%(segments)s).") % {"segments": ", ".join(names)}
    words = str(dict(SkipReason.choices).get(reason, reason))
    if reason in (SkipReason.SUPPRESSED, SkipReason.DUPLICATE_ADDRESS):  # whole sentences
        return _("They are left out: %(reason)s.") % {"reason": words}
    return _("They are left out: this customer %(reason)s.") % {"reason": words}


def _included(campaign: Campaign) -> list[str]:
    rows = CampaignAudience.objects.filter(campaign=campaign, mode=AudienceMode.INCLUDE)
    return list(rows.order_by("pk").values_list("segment__name", flat=True))
