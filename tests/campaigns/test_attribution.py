"""Attribution: which campaign a purchase counts for, exactly once, in whatever order things become known."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from accounts.audit import SYSTEM
from accounts.tenancy import tenant
from campaigns.attribution import attribute
from campaigns.models import Attribution, Campaign
from campaigns.rules import Touch, counting_touch
from config import reactions
from config.reactions import react
from crm.actions import NewLine, record_purchase, refund_purchase
from crm.events import NewEvent, record_event
from crm.models import Customer, Event, Purchase
from messaging.models import Delivery, Dispatch
from tests.campaigns.worlds import NOW, make_campaign, make_delivery, make_dispatch
from tests.conftest import Cast
from tests.factories import CustomerFactory

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
WEEK = timedelta(days=7)


def touch(campaign_id: int, at: datetime, *, click: bool = False, window: timedelta = WEEK) -> Touch:
    return Touch(campaign_id, campaign_id, click, at, window)


@pytest.mark.parametrize(
    ("touches", "expected"),
    [
        ([], None),
        ([touch(1, NOW)], 1),
        ([touch(1, NOW + SECOND)], None),
        ([touch(1, NOW - WEEK)], 1),
        ([touch(1, NOW - WEEK - SECOND)], None),
        ([touch(1, NOW - 2 * DAY), touch(2, NOW - DAY)], 2),
        ([touch(1, NOW - 2 * DAY, click=True), touch(2, NOW - DAY)], 1),
        ([touch(1, NOW - 2 * DAY, click=True), touch(2, NOW - DAY, click=True)], 2),
        ([touch(1, NOW - 8 * DAY, click=True), touch(2, NOW - DAY)], 2),
        ([touch(1, NOW - 8 * DAY, window=30 * DAY)], 1),
    ],
)
def test_the_last_click_counts_else_the_last_open_within_the_window(touches: list[Touch], expected: int | None) -> None:
    found = counting_touch(touches, NOW)
    assert (found.campaign_id if found else None) == expected


@pytest.fixture
def campaign(in_saffron: Cast) -> Campaign:
    """A campaign that has been sent, with a window of seven days."""
    return sent_campaign("Spring")


def sent_campaign(name: str, **values: Any) -> Campaign:
    campaign = make_campaign(name=name, **values)
    dispatch = make_dispatch(f"{name} dispatch")
    Campaign.objects.filter(pk=campaign.pk).update(dispatch=dispatch, launched_at=NOW, state="completed")
    return Campaign.objects.get(pk=campaign.pk)


def touched(campaign: Campaign, customer: Customer, **moments: datetime) -> Delivery:
    """A message of the campaign that the customer opened or clicked."""
    assert campaign.dispatch is not None
    return make_delivery(campaign.dispatch, customer, sent_at=NOW, **moments)


def came_back(delivery: Delivery, at: datetime, *, click: bool = False) -> None:
    """A later open or click, as tracking records it."""
    about = {"delivery": delivery.pk, "dispatch": delivery.dispatch_id, "is_click": click}
    record_event(NewEvent("message.revisited", at, delivery.customer_id, "message", about))


def bought(customer: Customer | None, at: datetime, minor: int = 5000) -> Purchase:
    return record_purchase(lines=[NewLine(minor)], purchased_at=at, now=at, actor=SYSTEM, customer=customer)


def attributed() -> list[tuple[int, int, str, int]]:
    return list(Attribution.objects.order_by("purchase_id").values_list("campaign_id", "purchase_id", "basis", "amount_minor"))


def read_log() -> int:
    """What the consumer would be handed; inside one transaction nothing is old enough for it yet."""
    return attribute(list(Event.objects.order_by("pk")))


def test_a_purchase_after_a_click_counts_with_all_it_says(campaign: Campaign) -> None:
    customer = CustomerFactory()
    delivery = touched(campaign, customer, opened_at=NOW, clicked_at=NOW + SECOND)
    sale = bought(customer, NOW + DAY)
    assert read_log() == 1
    row = Attribution.objects.get()
    assert (row.campaign_id, row.delivery_id, row.customer_id, row.purchase_id) == (campaign.pk, delivery.pk, customer.pk, sale.pk)
    assert (row.basis, row.amount_minor, row.touched_at, row.purchased_at) == ("click", 5000, NOW + SECOND, NOW + DAY)


@pytest.mark.parametrize(("after", "counts"), [(-SECOND, False), (timedelta(0), True), (WEEK, True), (WEEK + SECOND, False)])
def test_the_window_holds_to_the_second(campaign: Campaign, after: timedelta, counts: bool) -> None:
    customer = CustomerFactory()
    touched(campaign, customer, opened_at=NOW)
    sale = bought(customer, NOW + after)
    read_log()
    assert attributed() == ([(campaign.pk, sale.pk, "open", 5000)] if counts else [])


def test_machines_never_count(campaign: Campaign) -> None:
    customer = CustomerFactory()
    touched(campaign, customer, machine_opened_at=NOW, machine_clicked_at=NOW)
    bought(customer, NOW + DAY)
    assert read_log() == 0
    assert attributed() == []


def test_other_customers_and_anonymous_sales_do_not_count(campaign: Campaign) -> None:
    touched(campaign, CustomerFactory(), clicked_at=NOW)
    bought(CustomerFactory(), NOW + DAY)
    bought(None, NOW + DAY)
    assert read_log() == 0


def test_a_refund_follows_its_sale_even_after_the_window(campaign: Campaign) -> None:
    customer = CustomerFactory()
    touched(campaign, customer, clicked_at=NOW)
    sale = bought(customer, NOW + DAY)
    read_log()
    refund = refund_purchase(purchase=sale, amount_minor=2000, refunded_at=NOW + 60 * DAY, actor=SYSTEM)
    assert read_log() == 1
    assert attributed() == [(campaign.pk, sale.pk, "click", 5000), (campaign.pk, refund.pk, "click", -2000)]


def test_a_refund_of_a_sale_that_counts_for_nothing_counts_for_nothing(campaign: Campaign) -> None:
    customer = CustomerFactory()
    sale = bought(customer, NOW - DAY)
    touched(campaign, customer, clicked_at=NOW)
    refund_purchase(purchase=sale, amount_minor=5000, refunded_at=NOW + DAY, actor=SYSTEM)
    assert read_log() == 0


def test_the_same_events_again_change_nothing(campaign: Campaign) -> None:
    customer = CustomerFactory()
    touched(campaign, customer, clicked_at=NOW)
    bought(customer, NOW + DAY)
    assert read_log() == 1
    assert read_log() == 0
    assert len(attributed()) == 1


def test_a_purchase_that_is_told_late_counts_for_what_was_before_it(campaign: Campaign) -> None:
    customer, later = CustomerFactory(), sent_campaign("Summer")
    touched(campaign, customer, clicked_at=NOW)
    touched(later, customer, clicked_at=NOW + 3 * DAY)
    sale = bought(customer, NOW + DAY)
    read_log()
    assert attributed() == [(campaign.pk, sale.pk, "click", 5000)]


def test_a_click_that_becomes_known_after_the_purchase_still_counts(campaign: Campaign) -> None:
    customer = CustomerFactory()
    sale = bought(customer, NOW + DAY)
    refund = refund_purchase(purchase=sale, amount_minor=1000, refunded_at=NOW + 2 * DAY, actor=SYSTEM)
    assert read_log() == 0
    seen = Event.objects.order_by("-pk")[0].pk
    touched(campaign, customer, opened_at=NOW)
    assert attribute(list(Event.objects.filter(pk__gt=seen))) == 2
    assert attributed() == [(campaign.pk, sale.pk, "open", 5000), (campaign.pk, refund.pk, "open", -1000)]


def test_a_better_touch_that_becomes_known_later_moves_the_purchase(campaign: Campaign) -> None:
    customer, other = CustomerFactory(), sent_campaign("Summer")
    touched(campaign, customer, opened_at=NOW)
    sale = bought(customer, NOW + DAY)
    read_log()
    touched(other, customer, clicked_at=NOW - DAY)
    read_log()
    assert attributed() == [(other.pk, sale.pk, "click", 5000)]


def test_the_last_of_several_clicks_in_one_message_counts(campaign: Campaign) -> None:
    customer, other = CustomerFactory(), sent_campaign("Summer")
    came_back(touched(campaign, customer, clicked_at=NOW), NOW + 8 * DAY, click=True)
    touched(other, customer, clicked_at=NOW + 2 * DAY)
    sale, early = bought(customer, NOW + 9 * DAY), bought(customer, NOW + 3 * DAY)
    read_log()
    assert attributed() == [(campaign.pk, sale.pk, "click", 5000), (other.pk, early.pk, "click", 5000)]
    assert Attribution.objects.get(purchase=sale).touched_at == NOW + 8 * DAY


def test_a_later_open_counts_for_what_no_click_does(campaign: Campaign) -> None:
    customer = CustomerFactory()
    sale = bought(customer, NOW + 9 * DAY)
    delivery = touched(campaign, customer, opened_at=NOW)
    assert read_log() == 0
    came_back(delivery, NOW + 8 * DAY)
    assert read_log() == 1
    assert attributed() == [(campaign.pk, sale.pk, "open", 5000)]


def test_each_campaign_has_its_own_window(in_saffron: Cast) -> None:
    customer = CustomerFactory()
    long, short = sent_campaign("Long", attribution_days=30), sent_campaign("Short", attribution_days=1)
    touched(long, customer, clicked_at=NOW)
    touched(short, customer, clicked_at=NOW + DAY)
    sale = bought(customer, NOW + 3 * DAY)
    read_log()
    assert attributed() == [(long.pk, sale.pk, "click", 5000)]


def test_the_reaction_reads_the_log_once(committed_cast: Cast) -> None:
    organization_id = committed_cast.saffron.pk
    with tenant(organization_id):
        customer, campaign = CustomerFactory(), sent_campaign("Spring")
        touched(campaign, customer, clicked_at=NOW)
    assert react(organization_id=organization_id) > 0
    with tenant(organization_id):
        sale = bought(customer, NOW + DAY)
    assert react(organization_id=organization_id) > 0
    assert react(organization_id=organization_id) == 0
    with tenant(organization_id):
        assert attributed() == [(campaign.pk, sale.pk, "click", 5000)]
    assert react(organization_id=committed_cast.rival.pk) == 0


def test_batches_are_handed_out_one_by_one_to_the_last(committed_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reactions, "BATCH", 2)
    organization_id = committed_cast.saffron.pk
    with tenant(organization_id):
        customer, campaign = CustomerFactory(), sent_campaign("Spring")
        touched(campaign, customer, clicked_at=NOW)
        for hours in range(1, 5):
            bought(customer, NOW + timedelta(hours=hours))
    assert react(organization_id=organization_id) > 0
    assert react(organization_id=organization_id) == 0
    with tenant(organization_id):
        assert len(attributed()) == 4


def test_a_reaction_that_fails_sees_its_events_again_and_holds_up_no_other(
    committed_cast: Cast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    organization_id = committed_cast.saffron.pk
    with tenant(organization_id):
        customer, campaign = CustomerFactory(), sent_campaign("Spring")
        Campaign.objects.update(state="running")
        Dispatch.objects.update(state="completed", completed_at=NOW)
        touched(campaign, customer, clicked_at=NOW)
        bought(customer, NOW + DAY)
        record_event(NewEvent("dispatch.completed", NOW, source="messaging", properties={"dispatch_id": campaign.dispatch_id}))
    with monkeypatch.context() as patch:
        patch.setattr("campaigns.attribution._write", lambda _rows: 1 / 0)
        react(organization_id=organization_id)
    assert "failed and will see its events again" in caplog.text
    with tenant(organization_id):
        assert Campaign.objects.get().state == "completed"
        assert attributed() == []
    react(organization_id=organization_id)
    with tenant(organization_id):
        assert len(attributed()) == 1
