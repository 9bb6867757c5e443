"""How a campaign is told in words: its state as a sentence, durations, reasons."""

from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.formats import format_moment, format_number
from campaigns.models import Campaign, CampaignState
from campaigns.queries.figures import CampaignFigures
from messaging.models import DispatchState
from messaging.models.delivery import reason_words

TONES = {
    CampaignState.DRAFT: "muted",
    CampaignState.SCHEDULED: "info",
    CampaignState.RUNNING: "info",
    CampaignState.PAUSED: "warn",
    CampaignState.COMPLETED: "good",
    CampaignState.FAILED: "bad",
    CampaignState.CANCELLED: "muted",
}
ACTIONS = {
    "campaign.created": gettext_lazy("Begun as a draft"),
    "campaign.changed": gettext_lazy("Changed"),
    "campaign.tested": gettext_lazy("A test was sent"),
    "campaign.scheduled": gettext_lazy("Scheduled"),
    "campaign.unscheduled": gettext_lazy("Made a draft again"),
    "campaign.launched": gettext_lazy("Launched"),
    "campaign.paused": gettext_lazy("Paused"),
    "campaign.resumed": gettext_lazy("Went on"),
    "campaign.cancelled": gettext_lazy("Cancelled"),
    "campaign.completed": gettext_lazy("Completed"),
    "campaign.failed": gettext_lazy("Failed"),
    "campaign.duplicated": gettext_lazy("Duplicated"),
}
MINUTE = 60
HOUR = 3_600


def state_sentence(campaign: Campaign, figures: CampaignFigures) -> str:
    """What goes on, after the word for the state: ``12,400 of 50,000 sent · done in about 3 min``."""
    match CampaignState(campaign.state):
        case CampaignState.DRAFT:
            return _("Not sent yet")
        case CampaignState.SCHEDULED:
            starts = _("Starts on %(at)s") % {"at": format_moment(campaign.scheduled_at)}
            return " · ".join(part for part in (starts, campaign.state_reason) if part)
        case CampaignState.RUNNING if campaign.dispatch and campaign.dispatch.state == DispatchState.PLANNING:
            return campaign.state_reason or _("Choosing who gets it")
        case CampaignState.RUNNING:
            return " · ".join(part for part in (_progress(figures), _time_left(figures)) if part)
        case CampaignState.PAUSED | CampaignState.CANCELLED | CampaignState.FAILED:
            return " · ".join(part for part in (_progress(figures) if figures.planned else "", campaign.state_reason) if part)
        case CampaignState.COMPLETED:
            return _("%(progress)s · ended on %(at)s") % {"progress": _progress(figures), "at": format_moment(campaign.completed_at)}


def _progress(figures: CampaignFigures) -> str:
    return _("%(sent)s of %(planned)s sent") % {"sent": format_number(figures.sent), "planned": format_number(figures.planned)}


def _time_left(figures: CampaignFigures) -> str:
    if figures.seconds_left is None:
        return ""
    return _("done in about %(time)s") % {"time": duration(figures.seconds_left)}


def duration(seconds: float) -> str:
    """A span in its largest sensible unit."""
    if seconds < MINUTE:
        return ngettext("%(count)s second", "%(count)s seconds", max(1, round(seconds))) % {"count": format_number(max(1, round(seconds)))}
    if seconds < HOUR:
        minutes = round(seconds / MINUTE)
        return ngettext("%(count)s minute", "%(count)s minutes", minutes) % {"count": format_number(minutes)}
    hours = round(seconds / HOUR)
    return ngettext("%(count)s hour", "%(count)s hours", hours) % {"count": format_number(hours)}


def people(count: int) -> str:
    """``4,812 people``."""
    return ngettext("%(count)s person", "%(count)s people", count) % {"count": format_number(count)}


def skipped_rows(figures: CampaignFigures) -> list[tuple[str, str, int]]:
    """Why people were left out: reason, its words, how many; the most first."""
    found = sorted(figures.skipped_by_reason.items(), key=lambda item: -item[1])
    return [(reason, reason_words(reason), count) for reason, count in found]


def is_late(campaign: Campaign, now: datetime) -> bool:
    """Whether a draft's time to start has passed."""
    return campaign.state == CampaignState.DRAFT and campaign.scheduled_at is not None and campaign.scheduled_at <= now
