from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.forms import add_refusal
from accounts.permissions import Permission, requires
from campaigns.actions import create_campaign, update_campaign
from campaigns.audience import audience_from, reach_of
from campaigns.forms import CampaignForm, initial_of
from campaigns.models import Campaign, CampaignState
from campaigns.refusals import CampaignStateError
from crm.models import Channel, Purpose
from crm.views.asking import asking
from messaging.models.delivery import reason_words
from messaging.planning import Reach
from segmentation.models import Segment
from segmentation.queries import SegmentTooSlow
from segmentation.rules import RulesError


@requires(Permission.CAMPAIGNS_CHANGE)
def new_campaign(request: HttpRequest) -> HttpResponse:
    """Begin a campaign."""
    initial = {"purpose": Purpose.MARKETING, "include": request.GET.getlist("segment")[:20]}
    form = CampaignForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            campaign = create_campaign(actor=asking(request).actor, channel=Channel.EMAIL, **form.cleaned_data)
        except ValidationError as error:
            add_refusal(form, error)
        else:
            messages.success(request, _("The draft is kept. Look at it once more before it goes."))
            return redirect("campaigns:detail", pk=campaign.pk)
    return _form_page(request, form, _("New campaign"), None)


@requires(Permission.CAMPAIGNS_CHANGE)
def edit_campaign(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a draft."""
    campaign = get_object_or_404(Campaign.objects.prefetch_related("audiences"), pk=pk)
    if campaign.state != CampaignState.DRAFT:
        messages.error(request, _("Only a draft can be changed. Nothing was changed; you can duplicate this campaign instead."))
        return redirect("campaigns:detail", pk=pk)
    form = CampaignForm(request.POST or None, initial=initial_of(campaign), campaign=campaign)
    if request.method == "POST" and form.is_valid():
        try:
            update_campaign(campaign=campaign, actor=asking(request).actor, **form.cleaned_data)
        except ValidationError as error:
            add_refusal(form, error)
        except CampaignStateError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("The draft is kept."))
            return redirect("campaigns:detail", pk=pk)
    return _form_page(request, form, _("Edit %(name)s") % {"name": campaign.name}, campaign)


@require_POST
@requires(Permission.CAMPAIGNS_VIEW)
def show_reach(request: HttpRequest) -> HttpResponse:
    """How many a form reaches as it stands, with the reasons people are left out."""
    included, excluded = (_chosen(request, name) for name in ("include", "exclude"))
    purpose = request.POST.get("purpose", "")
    purpose = purpose if purpose in Purpose.values else Purpose.MARKETING
    now = timezone.now()
    context: dict[str, Any] = {}
    try:
        audience = audience_from(channel=Channel.EMAIL, purpose=purpose, included=included, excluded=excluded, now=now)
        context = reach_context(reach_of(audience, now=now))
    except SegmentTooSlow:
        context["failure"] = _("Counting takes longer than a moment. Nothing is lost: the launch counts exactly.")
    except RulesError as error:
        context["failure"] = _("A segment can no longer be read: %(reason)s") % {"reason": error}
    return render(request, "campaigns/fragments/reach.html", context)


def reach_context(reach: Reach) -> dict[str, Any]:
    """What the fragment about the reach shows."""
    skipped = sorted(reach.skipped.items(), key=lambda item: -item[1])
    return {"reach": reach, "skipped": [(reason_words(reason), count) for reason, count in skipped]}


def _chosen(request: HttpRequest, name: str) -> list[Segment]:
    ids = [int(value) for value in request.POST.getlist(name)[:100] if value.isdecimal() and len(value) < 19]
    return list(Segment.objects.filter(pk__in=ids))


def _form_page(request: HttpRequest, form: CampaignForm, title: str, campaign: Campaign | None) -> HttpResponse:
    has_segments, has_templates = Segment.objects.exists(), form.fields["template"].queryset.exists()  # type: ignore[attr-defined]
    context = {"title": title, "form": form, "campaign": campaign, "has_segments": has_segments, "has_templates": has_templates}
    return render(request, "campaigns/form.html", context, status=422 if form.errors and request.headers.get("HX-Request") else 200)
