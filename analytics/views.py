from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.formats import format_day, format_percent, in_one_run, money_unit_of
from accounts.permissions import Permission, requires
from analytics import queries
from analytics.queries import Series
from crm.views.asking import asking, seat_of

PERIODS = (30, 90, 365)


@require_safe
@requires(Permission.INSIGHTS_VIEW)
def show_overview(request: HttpRequest) -> HttpResponse:
    """Customers, revenue and campaigns over a period, beside the period before."""
    access, seat, now = asking(request), seat_of(request), timezone.now()
    days = next((each for each in PERIODS if str(each) == request.GET.get("days")), PERIODS[0])
    period = queries.last_days(days, now=now)
    trade, earlier = queries.trade(access, period), queries.trade(access, period.before)
    base, base_before = queries.customer_base(period), queries.customer_base(period.before)
    outreach, outreach_before = queries.outreach(access, period), queries.outreach(access, period.before)
    unit, name = money_unit_of(seat.currency, seat.money_unit)
    money = _("Revenue (%(currency)s)") % {"currency": name}
    context = {
        "title": _("Overview"),
        "days": days,
        "periods": PERIODS,
        "trade": trade,
        "base": base,
        "outreach": outreach,
        "changes": {
            "revenue": _change(trade.revenue_minor, earlier.revenue_minor),
            "orders": _change(trade.orders, earlier.orders),
            "buyers": _change(trade.buyers, earlier.buyers),
            "new": _change(base.new, base_before.new),
            "sent": _change(outreach.sent, outreach_before.sent),
            "attributed": _change(outreach.revenue_minor, outreach_before.revenue_minor),
        },
        "revenue": _chart(
            {money: queries.revenue_series(access, period), _("of it from campaigns"): queries.attributed_series(access, period)}, unit
        ),
        "newcomers": _chart({_("New customers"): queries.new_customers_series(period)}, 1),
        "best": queries.best_campaigns(access, period),
    }
    return render(request, "analytics/overview.html", context)


def _change(now: int, before: int) -> tuple[str, str]:
    """The change against before, with its tone; nothing where there was nothing."""
    if before <= 0 or now == before:
        return "", "muted"
    share = (now - before) / before
    sign = "+" if share > 0 else "−"
    return in_one_run(f"{sign}{format_percent(abs(share))}"), "good" if share > 0 else "warn"


def _chart(series: dict[str, Series], unit: int) -> dict[str, Any]:
    first = next(iter(series.values()))
    return {
        "label": _("From"),
        "labels": [format_day(start) for start in first.starts],
        "series": [{"name": name, "values": [value / unit if unit > 1 else value for value in one.values]} for name, one in series.items()],
    }
