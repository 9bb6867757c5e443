from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.pagination import PAGE_SIZE, BoundedPaginator
from accounts.permissions import Permission, requires
from campaigns.models import CampaignState
from campaigns.queries import lists
from campaigns.queries.figures import campaign_figures
from campaigns.words import TONES, state_sentence
from crm.views.asking import asking

MOST_TEXT = 100
RUNNING_ROWS = 5


@require_safe
@requires(Permission.CAMPAIGNS_VIEW)
def list_campaigns(request: HttpRequest) -> HttpResponse:
    """Campaigns, the newest first, with what became of them."""
    state, text = request.GET.get("state", ""), request.GET.get("q", "").strip()[:MOST_TEXT]
    page = BoundedPaginator(lists.campaigns(state=state, text=text), PAGE_SIZE).get_page(request.GET.get("page"))
    counts = lists.counts_by_state()
    context = {
        "title": _("Campaigns"),
        "page": page,
        "rows": [(row, TONES[CampaignState(row.campaign.state)]) for row in lists.rows_of(list(page.object_list), asking(request))],
        "chips": [(value, label, counts[value]) for value, label in CampaignState.choices if counts.get(value)],
        "total": sum(counts.values()),
        "state": state,
        "text": text,
    }
    return render(request, "campaigns/list.html", context)


@require_safe
@requires(Permission.CAMPAIGNS_VIEW)
def show_running(request: HttpRequest) -> HttpResponse:
    """On the Today page: what is under way."""
    now = timezone.now()
    campaigns = list(lists.running()[:RUNNING_ROWS])
    rows = [(each, TONES[CampaignState(each.state)], state_sentence(each, campaign_figures(each, now=now))) for each in campaigns]
    return render(request, "campaigns/fragments/today.html", {"rows": rows})
