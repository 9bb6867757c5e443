"""The figures of a campaign are exact, and cheap enough to be asked for all the time."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.audit import SYSTEM
from campaigns.actions import launch_campaign, pause_campaign
from campaigns.attribution import attribute_sales
from campaigns.models import Campaign, CampaignState
from campaigns.queries import figures
from campaigns.queries.explaining import Verdict, explain
from campaigns.queries.figures import CampaignFigures, Earned, Engagement, account_for, campaign_figures, rates, throughput
from campaigns.queries.lists import rows_of
from campaigns.queries.recipients import DEEDS, Narrowing, recipients
from campaigns.queries.timelines import campaign_timeline, opening_hours
from campaigns.words import duration, state_sentence
from crm.actions import NewLine, record_purchase, refund_purchase
from crm.models import Customer
from messaging.models import Delivery, DeliveryState, Dispatch, DispatchState, SkipReason
from messaging.models.delivery import FateReason
from tests.campaigns.worlds import NOW, make_campaign, make_delivery, make_dispatch, make_list, make_reachable
from tests.factories import CustomerFactory

pytestmark = pytest.mark.usefixtures("in_saffron")
HOUR = timedelta(hours=1)
SENT: dict[str, Any] = {"state": DeliveryState.SENT, "sent_at": NOW}
ROWS: list[dict[str, Any]] = [
    {**SENT, "opened_at": NOW + HOUR, "clicked_at": NOW + HOUR, "machine_opened_at": NOW},
    {**SENT, "opened_at": NOW + HOUR},
    {**SENT, "machine_opened_at": NOW, "machine_clicked_at": NOW},
    {**SENT, "opened_at": NOW + 3 * HOUR, "clicked_at": NOW + 3 * HOUR, "unsubscribed_at": NOW + 3 * HOUR},
    {**SENT, "complained_at": NOW + HOUR},
    {"state": DeliveryState.BOUNCED, "sent_at": NOW, "bounced_at": NOW + HOUR},
    {**SENT, "delivered_at": NOW},
    {"state": DeliveryState.FAILED},
    {"state": DeliveryState.BOUNCED, "bounced_at": NOW},  # refused at the door: it never left
    {"state": DeliveryState.AMBIGUOUS},
    {"state": DeliveryState.PLANNED},
    {"state": DeliveryState.SKIPPED, "reason": "withdrawn"},
]


def launched(rows: list[dict[str, Any]] = ROWS, **values: Any) -> Campaign:
    """A campaign with such a ledger, half an hour into it."""
    dispatch = make_dispatch(
        "Ledger", state=DispatchState.RUNNING, planned_count=11, skipped_count=1, skipped_by_reason={"withdrawn": 1}, sent_count=7,
        failed_count=2, ambiguous_count=1, started_at=NOW - timedelta(seconds=100), **values,
    )  # fmt: skip
    for row in rows:
        make_delivery(dispatch, CustomerFactory(), **row)
    campaign = make_campaign()
    Campaign.objects.filter(pk=campaign.pk).update(dispatch=dispatch, state=CampaignState.RUNNING, launched_at=NOW)
    return Campaign.objects.select_related("dispatch").get(pk=campaign.pk)


@pytest.fixture(autouse=True)
def forgetful() -> None:
    """Nothing is kept from test to test."""
    cache.clear()


def test_every_figure_is_exact() -> None:
    campaign = launched()
    first, second = (row.customer for row in Delivery.objects.select_related("customer").order_by("pk")[:2])
    sale = buy(first, 5000)
    buy(second, 2500)
    buy(second, 1000)
    refund_purchase(purchase=sale, amount_minor=1500, refunded_at=NOW + 9 * HOUR, actor=SYSTEM)
    attribute_sales(first.purchases.values_list("pk", flat=True))
    attribute_sales(second.purchases.values_list("pk", flat=True))
    assert campaign_figures(campaign, now=NOW) == CampaignFigures(
        planned=11, skipped=1, skipped_by_reason={"withdrawn": 1}, sent=7, failed=2, ambiguous=1, waiting=1, cancelled=0, delivered=6,
        engagement=Engagement(
            opened=3, clicked=2, machine_opened=1, machine_clicked=1, unsubscribed=1, complained=1, bounced=1, confirmed=1,
        ),
        earned=Earned(orders=3, buyers=2, revenue_minor=7000, refunded_minor=1500),
        per_second=0.1, seconds_left=10.0,
    )  # fmt: skip


def test_the_list_of_recipients_narrows_to_those_whom_the_figures_count() -> None:
    campaign = launched()
    acted = campaign_figures(campaign, now=NOW).engagement
    counts = {deed: recipients(campaign, Narrowing(deed=deed)).count() for deed in DEEDS}
    assert counts == {
        "opened": acted.opened, "clicked": acted.clicked, "unsubscribed": acted.unsubscribed, "complained": acted.complained,
        "returned": acted.bounced, "machine": acted.machine_opened,
    }  # fmt: skip


def buy(customer: Customer, minor: int) -> Any:
    return record_purchase(lines=[NewLine(minor)], purchased_at=NOW + 5 * HOUR, now=NOW + 5 * HOUR, actor=SYSTEM, customer=customer)


def test_a_recipient_is_found_by_name_however_many_others_have_it() -> None:
    Customer.objects.bulk_create([Customer(first_name="Ann", search_key="ann") for _ in range(300)])
    campaign = launched([])
    assert campaign.dispatch is not None
    delivery = make_delivery(campaign.dispatch, CustomerFactory(first_name="Anna", last_name="Zed", search_key="anna zed"))
    assert list(recipients(campaign, Narrowing(text="ann"))) == [delivery]


def test_rates_have_their_base() -> None:
    told = rates(CampaignFigures(sent=10, delivered=8, engagement=Engagement(opened=4, bounced=2)))
    assert told["opened"] == {"part": 4, "of": 8, "share": 0.5}
    assert told["bounced"] == {"part": 2, "of": 10, "share": 0.2}
    assert rates(CampaignFigures())["clicked"] == {"part": 0, "of": 0, "share": None}


def test_what_a_cancelled_campaign_did_not_send_is_cancelled_not_waiting() -> None:
    campaign = launched()
    Dispatch.objects.filter(pk=campaign.dispatch_id or 0).update(state=DispatchState.CANCELLED)
    found = campaign_figures(campaign, now=NOW)
    assert (found.waiting, found.cancelled, found.done, found.per_second) == (0, 1, 11, None)


def test_a_campaign_that_was_not_launched_has_no_figures() -> None:
    assert campaign_figures(make_campaign(), now=NOW) == CampaignFigures()


def test_the_account_is_counted_from_the_ledger() -> None:
    accounting = account_for(launched())
    assert (accounting.planned, accounting.is_complete) == (11, False)
    assert accounting.by_state == {"sent": 6, "bounced": 2, "failed": 1, "ambiguous": 1, "planned": 1, "skipped": 1}
    Delivery.objects.filter(state=DeliveryState.PLANNED).update(state=DeliveryState.SENT)
    assert account_for(Campaign.objects.get()).is_complete


@pytest.mark.parametrize(
    ("samples", "done", "expected"),
    [
        ([], 900, 10.0),
        ([(NOW.timestamp() - 10, 400)], 900, 50.0),
        ([(NOW.timestamp() - 10, 400), (NOW.timestamp() - 2, 800)], 900, 50.0),
        ([(NOW.timestamp() - 10, 900)], 900, None),
        ([], 0, None),
    ],
)
def test_the_speed_is_that_of_the_last_looks(samples: list[tuple[float, int]], done: int, expected: float | None) -> None:
    assert throughput(samples, done, NOW, NOW - timedelta(seconds=90)) == expected


def test_figures_of_many_campaigns_take_one_count(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    campaigns = [launched([])]
    with django_assert_num_queries(2):
        assert [row.engagement for row in rows_of(campaigns)] == [Engagement()]


def test_counting_that_is_work_is_done_once_for_all_who_look(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    campaign = launched()
    assert campaign.dispatch_id is not None
    monkeypatch.setattr(figures, "WORTH_KEEPING_SECONDS", 0.0)
    monkeypatch.setattr(figures, "REST", 10_000)
    first = figures.dispatches_engagement([campaign.dispatch_id])
    with django_assert_num_queries(0):
        assert figures.dispatches_engagement([campaign.dispatch_id]) == first


def test_the_timeline_has_every_hour_in_the_zone_of_the_organization() -> None:
    campaign = launched()
    with timezone.override(ZoneInfo("Asia/Tehran")):
        found = campaign_timeline(campaign, now=NOW + 4 * HOUR)
        assert found.moments[0].isoformat() == "2026-05-20T15:00:00+03:30"
        assert (found.is_hourly, list(found.opened), list(found.clicked)) == (True, [0, 2, 0, 1, 0], [0, 1, 0, 1, 0])


def test_the_hour_that_comes_twice_in_autumn_is_counted_once_each_time() -> None:
    campaign, dispatch = make_campaign(), make_dispatch("Autumn")
    launched = datetime(2026, 11, 1, 3, tzinfo=UTC)
    Campaign.objects.filter(pk=campaign.pk).update(dispatch=dispatch, launched_at=launched)
    for hour, people in ((5, 1), (6, 2)):  # half past one in summer time, and half past one again
        for _person in range(people):
            make_delivery(dispatch, CustomerFactory(), sent_at=launched, opened_at=datetime(2026, 11, 1, hour, 30, tzinfo=UTC))
    with timezone.override(ZoneInfo("America/New_York")):
        found = campaign_timeline(Campaign.objects.get(pk=campaign.pk), now=datetime(2026, 11, 1, 7, tzinfo=UTC))
    assert found.opened == [0, 0, 1, 2, 0]


def test_after_three_days_the_timeline_is_by_day() -> None:
    campaign = launched()
    found = campaign_timeline(campaign, now=NOW + timedelta(days=4))
    assert (found.is_hourly, list(found.opened)) == (False, [3, 0, 0, 0, 0])


def test_the_hours_of_the_week_are_local() -> None:
    campaign = launched()
    grid = opening_hours(campaign)
    wednesday = grid[2]
    assert (wednesday[13], wednesday[15], sum(map(sum, grid))) == (2, 1, 3)
    with timezone.override(ZoneInfo("Asia/Tehran")):
        assert opening_hours(campaign)[2][16] == 2


def test_the_state_is_told_in_one_sentence() -> None:
    campaign = launched()
    assert state_sentence(campaign, campaign_figures(campaign, now=NOW)) == "7 of 11 sent · done in about 10 seconds"
    campaign.state = CampaignState.PAUSED
    campaign.state_reason = "The server does not answer."
    assert state_sentence(campaign, campaign_figures(campaign, now=NOW)) == "7 of 11 sent · The server does not answer."


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "1 second"), (59, "59 seconds"), (90, "2 minutes"), (7_300, "2 hours")])
def test_durations_are_told_in_their_largest_unit(seconds: float, words: str) -> None:
    assert duration(seconds) == words


SENTENCES: list[tuple[dict[str, Any], str, str]] = [
    ({"state": DeliveryState.SENT, "sent_at": NOW}, "got", "It was sent to"),
    ({"state": DeliveryState.BOUNCED, "sent_at": NOW, "bounced_at": NOW}, "not", "It was sent to"),
    ({"state": DeliveryState.BOUNCED, "bounced_at": NOW}, "not", "It could not be sent"),
    ({"state": DeliveryState.PLANNED}, "waiting", "It will be sent to"),
    ({"state": DeliveryState.RETRYING, "next_attempt_at": NOW}, "waiting", "The mail server asked to come back later"),
    ({"state": DeliveryState.FAILED, "reason": FateReason.REFUSED}, "not", "It could not be sent: the mail server refused the message."),
    (
        {"state": DeliveryState.FAILED, "reason": FateReason.ENDED},
        "not",
        "It could not be sent: an error ended the sending before it was their turn.",
    ),
    ({"state": DeliveryState.AMBIGUOUS, "reason": FateReason.WORKER_LOST}, "uncertain", "It may have arrived"),
    ({"state": DeliveryState.CANCELLED}, "not", "The campaign was cancelled before it was their turn."),
    *(({"state": DeliveryState.SKIPPED, "reason": reason}, "not", "They are left out") for reason in SkipReason),
    (
        {"state": DeliveryState.SKIPPED, "reason": SkipReason.SUPPRESSED},
        "not",
        "They are left out: the address is on the suppression list.",
    ),
]


@pytest.mark.parametrize(("row", "verdict", "start"), SENTENCES)
def test_every_fate_of_the_ledger_has_its_answer(row: dict[str, Any], verdict: str, start: str) -> None:
    campaign = launched([row])
    answer = explain(campaign, Delivery.objects.select_related("customer").get().customer, now=NOW)
    assert (str(answer.verdict), answer.sentences[0][: len(start)]) == (verdict, start)


def test_who_was_not_in_the_audience_is_told_why() -> None:
    outside, chosen = make_reachable(), make_list("Chosen")
    Customer.objects.update(created_at=datetime(2020, 1, 1, tzinfo=UTC))
    outside.refresh_from_db()
    campaign = launched([])
    assert explain(campaign, outside, now=NOW).sentences[0].startswith("They were not in the audience when it was chosen")
    campaign.audiences.create(segment=chosen)
    assert explain(campaign, outside, now=NOW).sentences[0].startswith("They were in none of its segments (Chosen)")
    chosen.members.create(customer=outside)
    assert explain(campaign, outside, now=NOW).sentences[1:] == ("They are in one of them now.",)


def test_paused_before_anybody_is_chosen_they_wait() -> None:
    customer = make_reachable()
    campaign = pause_campaign(campaign=launch_campaign(campaign=make_campaign(), actor=SYSTEM, now=NOW), actor=SYSTEM, now=NOW)
    found = explain(Campaign.objects.select_related("dispatch").get(pk=campaign.pk), customer, now=NOW)
    assert (found.verdict, found.sentences) == (Verdict.WAITING, ("It is paused, and nobody has been chosen yet.",))


def test_before_the_launch_the_answer_is_what_would_happen() -> None:
    campaign, reached, never_asked = make_campaign(), make_reachable(), CustomerFactory()
    assert explain(campaign, reached, now=NOW).sentences[1] == "If it were launched now, they would get it."
    assert explain(campaign, never_asked, now=NOW).sentences[1] == (
        "If it were launched now: They are left out: this customer never agreed to messages like this."
    )


@pytest.mark.parametrize("state", [CampaignState.CANCELLED, CampaignState.FAILED])
def test_what_ended_before_anybody_was_chosen_says_so(state: CampaignState) -> None:
    campaign = make_campaign()
    campaign.state = state
    assert "before anybody was chosen" in explain(campaign, make_reachable(), now=NOW).sentences[0]
