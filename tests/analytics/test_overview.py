"""Insights: exact sums over a period, for those who may see them and the locations they see."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.actions import add_member
from accounts.audit import SYSTEM
from accounts.models import Location, Organization, User
from accounts.models.membership import Role
from accounts.permissions import ROLE_PERMISSIONS, Access
from accounts.tenancy import tenant
from analytics import queries
from campaigns.attribution import attribute_sales
from campaigns.models import Campaign
from crm.actions import NewLine, record_purchase, refund_purchase
from crm.models import Customer, Purchase
from tests.campaigns.worlds import make_campaign, make_delivery, make_dispatch
from tests.conftest import Cast, signed_in
from tests.factories import CustomerFactory

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def owner(cast: Cast, *locations: Location) -> Access:
    limits = frozenset(location.pk for location in locations) or None
    return Access(cast.saffron.pk, cast.alice_acts, ROLE_PERMISSIONS[Role.OWNER], Role.OWNER, limits)


def buy(at: datetime, minor: int, customer: Customer | None = None, location: Location | None = None) -> Purchase:
    return record_purchase(lines=[NewLine(minor)], purchased_at=at, now=at, actor=SYSTEM, customer=customer, location=location)


def test_trade_is_summed_within_the_period_and_refunds_are_taken_off(in_saffron: Cast) -> None:
    customer, period = CustomerFactory(), queries.last_days(7, now=NOW)
    sale = buy(NOW, 5000, customer)
    buy(NOW - DAY, 3000, customer)
    buy(NOW, 2000)
    buy(period.start, 100)
    buy(period.start - timedelta(seconds=1), 7)
    refund_purchase(purchase=sale, amount_minor=1000, refunded_at=NOW, actor=SYSTEM)
    assert queries.trade(owner(in_saffron), period) == queries.Trade(orders=4, buyers=1, revenue_minor=9100)
    assert queries.trade(owner(in_saffron), period.before) == queries.Trade(orders=1, buyers=0, revenue_minor=7)
    assert queries.trade(owner(in_saffron), period).average_minor == 2275


def test_who_is_limited_to_a_location_sees_its_trade_alone(in_saffron: Cast) -> None:
    buy(NOW, 5000, location=in_saffron.downtown)
    buy(NOW, 700, location=in_saffron.uptown)
    buy(NOW, 1)
    found = queries.trade(owner(in_saffron, in_saffron.uptown), queries.last_days(7, now=NOW))
    assert found == queries.Trade(orders=1, buyers=0, revenue_minor=700)


def test_customers_are_counted_in_all_and_new(in_saffron: Cast) -> None:
    CustomerFactory.create_batch(3)
    Customer.objects.update(created_at=NOW)
    Customer.objects.filter(pk=Customer.objects.earliest("pk").pk).update(created_at=NOW - 30 * DAY)
    assert queries.customer_base(queries.last_days(30, now=NOW)) == queries.CustomerBase(total=3, new=2)


@pytest.mark.parametrize(
    ("days", "count", "first"), [(7, 7, "2026-05-14"), (30, 30, "2026-04-21"), (90, 14, "2026-02-16"), (365, 13, "2025-05-01")]
)
def test_a_series_has_every_day_week_or_month(in_saffron: Cast, days: int, count: int, first: str) -> None:
    buy(NOW, 5000)
    found = queries.revenue_series(owner(in_saffron), queries.last_days(days, now=NOW))
    assert (len(found.starts), found.starts[0].isoformat()) == (count, first)
    assert (sum(found.values), found.values[-1]) == (5000, 5000)


def test_days_are_those_of_the_organization(in_saffron: Cast) -> None:
    with timezone.override(ZoneInfo("Asia/Tehran")):
        late = datetime(2026, 5, 19, 21, tzinfo=UTC)  # half past midnight of the 20th in Tehran
        buy(late, 5000)
        assert queries.revenue_series(owner(in_saffron), queries.last_days(2, now=NOW)).values == [0, 5000]


def test_what_campaigns_came_to_is_exact(in_saffron: Cast) -> None:
    dispatch = make_dispatch("Ledger", sent_count=2)
    first, second = CustomerFactory(), CustomerFactory()
    make_delivery(dispatch, first, opened_at=NOW, clicked_at=NOW)
    make_delivery(dispatch, second, sent_at=NOW, bounced_at=NOW)
    campaign = make_campaign()
    Campaign.objects.filter(pk=campaign.pk).update(dispatch=dispatch, launched_at=NOW)
    attribute_sales([buy(NOW + timedelta(hours=1), 5000, first).pk, buy(NOW + timedelta(hours=1), 100, second).pk])
    period = queries.last_days(30, now=NOW)
    access = owner(in_saffron)
    assert queries.outreach(access, period) == queries.Outreach(
        campaigns=1, sent=2, delivered=1, opened=1, clicked=1, unsubscribed=0, orders=1, revenue_minor=5000
    )
    assert queries.best_campaigns(access, period) == [(campaign, 5000)]
    assert sum(queries.attributed_series(access, period).values) == 5000


def test_who_is_limited_to_a_location_sees_what_campaigns_earned_there_alone(cast: Cast) -> None:
    mia, now = User.objects.create_user("mia@example.com", "x", name="Mia"), timezone.now()
    with tenant(cast.saffron.pk):
        add_member(user=mia, role=Role.MANAGER, actor=cast.alice_acts, locations=[cast.uptown])
        dispatch, campaign = make_dispatch("Ledger", sent_count=1), make_campaign()
        customer = CustomerFactory()
        make_delivery(dispatch, customer, clicked_at=now - DAY)
        Campaign.objects.filter(pk=campaign.pk).update(dispatch=dispatch, launched_at=now - DAY)
        attribute_sales([buy(now, minor, customer, at).pk for minor, at in ((123_456, cast.downtown), (700, cast.uptown), (1, None))])
        access, period = owner(cast, cast.uptown), queries.last_days(7, now=now)
        found = queries.outreach(access, period)
        assert (found.sent, found.clicked, found.orders, found.revenue_minor) == (1, 1, 1, 700)
        assert queries.best_campaigns(access, period) == [(campaign, 700)]
        assert sum(queries.attributed_series(access, period).values) == 700
    client = signed_in(mia)
    page = client.get(reverse("analytics:overview")).content.decode()
    records = client.get(reverse("admin:campaigns_attribution_changelist")).context["cl"]
    assert ("$7.00" in page, "$1,234.56" in page, "1234.56" in page) == (True, False, False)
    assert records.result_count == 1


def test_charts_are_in_tomans_where_amounts_are(cast: Cast, as_alice: Client) -> None:
    with tenant(cast.saffron.pk):
        Organization.objects.update(currency="IRR", money_unit="toman")
        buy(timezone.now(), 1_234_560)
    found = as_alice.get(reverse("analytics:overview")).context["revenue"]["series"][0]
    assert (found["name"], sum(found["values"])) == ("Revenue (tomans)", 123_456)


def test_the_page_opens_for_alice_and_shows_her_organization_alone(
    cast: Cast, as_alice: Client, as_bob: Client, as_charlie: Client
) -> None:
    with tenant(cast.saffron.pk):
        buy(timezone.now(), 123_456)
    url = reverse("analytics:overview")
    assert as_bob.get(url).status_code == 403
    assert "$1,234.56" in as_alice.get(url).content.decode()
    assert "$1,234.56" not in as_charlie.get(url).content.decode()
    for days in ("90", "365", "no number"):
        assert as_alice.get(url, {"days": days}).status_code == 200
