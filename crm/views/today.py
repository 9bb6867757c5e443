from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.permissions import Permission, requires
from crm.panels import today_panels_for
from crm.queries.today import day_figures, visits_of_the_day
from crm.views.asking import asking


@requires(Permission.CUSTOMERS_VIEW)
def show_today(request: HttpRequest) -> HttpResponse:
    """Who is expected, who is here, and how the day goes."""
    access, now = asking(request), timezone.now()
    context = {
        "title": _("Today"),
        "now": now,
        "day": day_figures(access, now),
        "visits": visits_of_the_day(access, now),
        "panels": today_panels_for(request),
        "may_record": access.allows(Permission.VISITS_CHANGE),
        "may_sell": access.allows(Permission.PURCHASES_CHANGE),
    }
    return render(request, "crm/today.html", context)
