from datetime import datetime
from hashlib import sha256
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.formats import format_day, format_moment, in_week_order, money_unit_of
from accounts.models import AuditEntry
from accounts.permissions import Permission, requires
from campaigns.audience import audience_of, reach_of
from campaigns.forms import TestForm
from campaigns.models import AudienceMode, Campaign, CampaignState
from campaigns.queries.figures import CampaignFigures, campaign_figures
from campaigns.queries.recipients import failures
from campaigns.queries.timelines import Timeline, campaign_timeline, opening_hours
from campaigns.refusals import errors_of
from campaigns.rules import steps_from
from campaigns.validation import validate_campaign
from campaigns.views.editing import reach_context
from campaigns.words import ACTIONS, TONES, is_late, skipped_rows, state_sentence
from crm.views.asking import asking, seat_of
from segmentation.queries import SegmentTooSlow
from segmentation.rules import RulesError

HISTORY = 50
# From so many people on, a slip hurts: then the name has to be typed.
TYPED_FROM = 10_000
SMALL_SAMPLE = 100
FEWEST_FOR_A_LINE = 3
# htmx's own status: take this answer and ask no more.
STOP_ASKING = 286
MOVING = (CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.SCHEDULED)


def campaign_or_404(pk: int) -> Campaign:
    """The campaign with what its page shows."""
    rows = Campaign.objects.select_related("template", "account", "dispatch__version", "created_by")
    return get_object_or_404(rows.prefetch_related("audiences__segment"), pk=pk)


@require_safe
@requires(Permission.CAMPAIGNS_VIEW)
def show_campaign(request: HttpRequest, pk: int) -> HttpResponse:
    """A draft with what it still lacks; anything launched with its live figures."""
    return campaign_page(request, campaign_or_404(pk), test_form=TestForm())


def campaign_page(request: HttpRequest, campaign: Campaign, *, test_form: TestForm) -> HttpResponse:
    """The page of a campaign, with its test as it was filled in."""
    now = timezone.now()
    context = {"title": campaign.name, **_head(request, campaign, now), "segments": _segments(campaign), "history": _history(campaign)}
    if campaign.state in (CampaignState.DRAFT, CampaignState.SCHEDULED):
        context |= _review(campaign, now) | {"test_form": test_form}
        return render(request, "campaigns/review.html", context)
    return render(request, "campaigns/detail.html", context | _figures(campaign, context["figures"]))


@require_safe
@requires(Permission.CAMPAIGNS_VIEW)
def show_figures(request: HttpRequest, pk: int) -> HttpResponse:
    """The live part of the page, asked for every two seconds; 304 while nothing moves."""
    campaign, now = campaign_or_404(pk), timezone.now()
    head = _head(request, campaign, now)
    # Buttons are sent again only when the state on the page is not the state any more: whoever tabs is not thrown out.
    moved = request.GET.get("state") != campaign.state
    told = f"{get_language()}|{campaign.state}|{moved}|{head['sentence']}|{head['figures']}"
    tag = f'"{sha256(told.encode()).hexdigest()[:32]}"'
    response: HttpResponse = HttpResponseNotModified()
    if request.headers.get("If-None-Match") != tag:
        context = head | _figures(campaign, head["figures"]) | {"moved": moved, "is_fragment": True}
        is_over = moved and not head["is_moving"]
        response = render(request, "campaigns/fragments/live.html", context, status=STOP_ASKING if is_over else 200)
    response["ETag"], response["Cache-Control"] = tag, "private, no-cache"
    return response


@require_safe
@requires(Permission.CAMPAIGNS_VIEW)
def show_charts(request: HttpRequest, pk: int) -> HttpResponse:
    """Opens, clicks and revenue over time, and the hours of the week; loaded after the page."""
    campaign, now, seat = campaign_or_404(pk), timezone.now(), seat_of(request)
    unit, name = money_unit_of(seat.currency, seat.money_unit)
    timeline = campaign_timeline(campaign, now=now, access=asking(request))
    grid = opening_hours(campaign)
    most = max(map(max, grid)) or 1
    days = [_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday")]
    week = in_week_order(list(zip(days, grid, strict=True)))
    context = {
        "campaign": campaign,
        "engagement": _chart(timeline, {_("Opened"): timeline.opened, _("Clicked"): timeline.clicked}),
        "revenue": _chart(timeline, {_("Revenue (%(currency)s)") % {"currency": name}: [minor / unit for minor in timeline.revenue_minor]}),
        "has_revenue": any(timeline.revenue_minor),
        # One point makes no line.
        "kind": "line" if len(timeline.moments) >= FEWEST_FOR_A_LINE else "bar",
        "failures": failures(campaign.dispatch) if campaign.dispatch and campaign.dispatch.failed_count else [],
        "heat": [(day, [(hour, count, round(10 * count / most)) for hour, count in enumerate(row)]) for day, row in week],
        "has_opens": any(map(any, grid)),
        "hours": range(24),
    }
    return render(request, "campaigns/fragments/charts.html", context)


def _head(request: HttpRequest, campaign: Campaign, now: datetime) -> dict[str, Any]:
    """State, figures and what may be done now."""
    access, state = asking(request), CampaignState(campaign.state)
    figures = campaign_figures(campaign, now=now, access=access)
    steps = steps_from(state, goes_on_by_itself=campaign.goes_on_by_itself)
    may = {permission.name.lower(): access.allows(permission) for permission in (Permission.CAMPAIGNS_CHANGE, Permission.CAMPAIGNS_LAUNCH)}
    return {
        "campaign": campaign,
        "state_word": state.label,
        "tone": TONES[state],
        "sentence": state_sentence(campaign, figures),
        "figures": figures,
        "steps": sorted(steps),
        "is_moving": state in MOVING,
        "may_delete": campaign.launched_at is None and "delete" in steps and may["campaigns_change"],
        **may,
    }


def _figures(campaign: Campaign, figures: CampaignFigures) -> dict[str, Any]:
    percent = 100 * figures.done / figures.planned if figures.planned else 0
    return {
        "acted": figures.engagement,
        "earned": figures.earned,
        "skipped": skipped_rows(figures),
        "percent_done": round(percent, 1),
        "small": _("few people yet") if 0 < figures.delivered < SMALL_SAMPLE else "",
    }


def _review(campaign: Campaign, now: datetime) -> dict[str, Any]:
    problems = validate_campaign(campaign, now=now)
    context: dict[str, Any] = {
        "problems": problems,
        "is_ready": not errors_of(problems),
        "is_late": is_late(campaign, now),
    }
    try:
        context |= reach_context(reach_of(audience_of(campaign, now=now), now=now))
    except (SegmentTooSlow, RulesError) as error:
        context["failure"] = str(error)
    reach = context.get("reach")
    return {**context, "types_name": reach is not None and reach.planned >= TYPED_FROM}


def _segments(campaign: Campaign) -> dict[str, list[Any]]:
    rows = list(campaign.audiences.all())
    return {mode.value: [row.segment for row in rows if row.mode == mode] for mode in AudienceMode}


def _history(campaign: Campaign) -> list[tuple[str, AuditEntry]]:
    entries = AuditEntry.objects.filter(subject_type="campaigns.campaign", subject_id=campaign.pk)[:HISTORY]
    return [(str(ACTIONS.get(entry.action, entry.action)), entry) for entry in entries]


def _chart(timeline: Timeline, series: dict[str, Any]) -> dict[str, Any]:
    labels = [format_moment(at) if timeline.is_hourly else format_day(at) for at in timeline.moments]
    return {
        "label": _("Hour") if timeline.is_hourly else _("Day"),
        "labels": labels,
        "series": [{"name": name, "values": list(values)} for name, values in series.items()],
    }
