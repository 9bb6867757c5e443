"""The pages of campaigns: what they show, to whom, and that whoever may not changes nothing."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation
from pytest_django import DjangoAssertNumQueries

from accounts.actions import add_member
from accounts.audit import SYSTEM
from accounts.models import Role, User
from accounts.tenancy import tenant
from campaigns.actions import launch_campaign, plan_campaign
from campaigns.attribution import attribute_sales
from campaigns.forms import TestForm
from campaigns.models import Campaign
from crm.actions import NewLine, record_purchase
from crm.events import NewEvent, record_event
from crm.models import ConsentState
from messaging.models import Delivery, DeliveryState, Dispatch, DispatchState
from tests.campaigns.worlds import make_campaign, make_list, make_reachable
from tests.conftest import Cast, signed_in
from tests.factories import CustomerFactory


@pytest.fixture
def draft(cast: Cast) -> Campaign:
    """A draft of Saffron's that reaches one of two customers."""
    with tenant(cast.saffron.pk):
        make_reachable(first_name="Anna")
        make_reachable(ConsentState.WITHDRAWN, first_name="Bea")
        return make_campaign()


@pytest.fixture
def launched(cast: Cast, draft: Campaign) -> Campaign:
    """The same, launched and planned."""
    with tenant(cast.saffron.pk):
        campaign = launch_campaign(campaign=draft, actor=cast.alice_acts, now=timezone.now())
        plan_campaign(campaign_id=campaign.pk, now=timezone.now())
        return campaign


@pytest.fixture
def as_analyst(cast: Cast) -> Client:
    """Dana sees campaigns and may not change them."""
    dana = User.objects.create_user("dana@example.com", "correct horse battery", name="Dana")
    with tenant(cast.saffron.pk):
        add_member(user=dana, role=Role.ANALYST, actor=cast.alice_acts)
    return signed_in(dana)


def test_who_is_limited_to_a_location_sees_what_it_earned_there_alone(cast: Cast, launched: Campaign, as_alice: Client) -> None:
    mia, now = User.objects.create_user("mia@example.com", "x", name="Mia"), timezone.now()
    with tenant(cast.saffron.pk):
        add_member(user=mia, role=Role.MANAGER, actor=cast.alice_acts, locations=[cast.uptown])
        delivery = Delivery.objects.get(dispatch=launched.dispatch, state=DeliveryState.PLANNED)
        about = {"delivery": delivery.pk, "dispatch": delivery.dispatch_id}
        record_event(NewEvent("message.clicked", now, delivery.customer_id, "message", about))
        for minor, location in ((123_456, cast.downtown), (700, cast.uptown)):
            sale = record_purchase(
                lines=[NewLine(minor)], purchased_at=now, now=now, actor=SYSTEM, customer=delivery.customer, location=location
            )
            attribute_sales([sale.pk])
    for client, minor in ((as_alice, 124_156), (signed_in(mia), 700)):
        page = client.get(reverse("campaigns:detail", args=[launched.pk])).context["earned"]
        fragment = client.get(reverse("campaigns:figures", args=[launched.pk])).context["earned"]
        (listed,) = client.get(reverse("campaigns:list")).context["rows"]
        charted = client.get(reverse("campaigns:charts", args=[launched.pk])).context["revenue"]["series"][0]["values"]
        told = client.get(f"/api/v1/campaigns/{launched.pk}/stats/").json()
        drawn = client.get(f"/api/v1/campaigns/{launched.pk}/timeline/").json()["revenue_minor"]
        figures = [
            page.revenue_minor,
            fragment.revenue_minor,
            listed[0].earned.revenue_minor,
            round(100 * sum(charted)),
            told["revenue_minor"],
        ]
        assert [*figures, sum(drawn)] == [minor] * 6


VIEWS = ["detail", "figures", "charts", "recipients", "why"]
STEPS = ["launch", "schedule", "unschedule", "pause", "resume", "cancel", "duplicate", "delete", "test"]


@pytest.mark.parametrize("name", VIEWS)
def test_pages_of_a_launched_campaign_open_for_alice_alone(
    launched: Campaign, as_alice: Client, as_bob: Client, as_charlie: Client, name: str
) -> None:
    url = reverse(f"campaigns:{name}", args=[launched.pk])
    assert [client.get(url).status_code for client in (as_alice, as_bob, as_charlie)] == [200, 403, 404]


@pytest.mark.parametrize("name", STEPS)
def test_nobody_else_takes_a_step(cast: Cast, draft: Campaign, as_bob: Client, as_charlie: Client, as_analyst: Client, name: str) -> None:
    url = reverse(f"campaigns:{name}", args=[draft.pk])
    data = {"addresses": "a@example.org"}
    assert [client.post(url, data).status_code for client in (as_bob, as_charlie, as_analyst)] == [403, 404, 403]
    with tenant(cast.saffron.pk):
        found = Campaign.objects.get()
        assert (found.state, found.dispatch_id) == ("draft", None)


@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_never_taken_by_a_link(draft: Campaign, as_alice: Client, name: str) -> None:
    assert as_alice.get(reverse(f"campaigns:{name}", args=[draft.pk])).status_code == 405


def test_the_list_has_an_empty_state_and_then_its_campaigns(cast: Cast, as_alice: Client, as_charlie: Client) -> None:
    url = reverse("campaigns:list")
    assert "Write the first campaign" in as_alice.get(url).content.decode()
    with tenant(cast.saffron.pk):
        make_campaign(name="Nowruz")
    assert "Nowruz" in as_alice.get(url).content.decode()
    assert "Nowruz" not in as_alice.get(url, {"state": "running"}).content.decode()
    assert "Nowruz" not in as_charlie.get(url).content.decode()


def test_the_list_asks_as_often_for_many_as_for_one(
    cast: Cast, as_alice: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with tenant(cast.saffron.pk):
        for number in range(5):
            campaign = make_campaign(name=f"Campaign {number}")
            make_reachable()
            launch_campaign(campaign=campaign, actor=cast.alice_acts, now=timezone.now())
    as_alice.get(reverse("campaigns:list"))
    with django_assert_max_num_queries(16):
        as_alice.get(reverse("campaigns:list"))


def test_a_draft_is_written_kept_and_changed(cast: Cast, as_alice: Client) -> None:
    with tenant(cast.saffron.pk):
        chosen = make_list("Chosen", make_reachable())
    data = {"name": "Spring", "purpose": "marketing", "include": [chosen.pk], "attribution_days": 5}
    answer = as_alice.post(reverse("campaigns:new"), data)
    with tenant(cast.saffron.pk):
        campaign = Campaign.objects.get()
        assert (campaign.name, campaign.attribution_days, campaign.created_by_id) == ("Spring", 5, cast.alice.pk)
        assert [row.segment_id for row in campaign.audiences.all()] == [chosen.pk]
    assert answer["Location"] == reverse("campaigns:detail", args=[campaign.pk])
    page = as_alice.get(answer["Location"]).content.decode()
    assert "Choose a template." in page
    assert "Choose a sender." in page
    as_alice.post(reverse("campaigns:edit", args=[campaign.pk]), {**data, "name": "Summer", "include": []})
    with tenant(cast.saffron.pk):
        campaign.refresh_from_db()
        assert (campaign.name, campaign.audiences.count()) == ("Summer", 0)


def test_a_form_with_mistakes_keeps_what_was_typed(cast: Cast, as_alice: Client) -> None:
    page = as_alice.post(reverse("campaigns:new"), {"name": "Spring", "purpose": "marketing", "attribution_days": 500})
    assert page.status_code == 200
    assert 'value="Spring"' in page.content.decode()
    with tenant(cast.saffron.pk):
        assert Campaign.objects.count() == 0


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"addresses": "a@b, me@example.com", "customer": "Anna"}, "“a@b” is no e-mail address."),
        (
            {"addresses": "me@example.com", "customer": "Nobody of this name"},
            "There is no customer “Nobody of this name”. Nothing was sent.",
        ),
        ({"addresses": "", "customer": "Anna"}, "This field is required."),
    ],
)
def test_a_test_that_is_refused_keeps_what_was_typed(draft: Campaign, as_alice: Client, typed: dict[str, str], told: str) -> None:
    page = as_alice.post(reverse("campaigns:test", args=[draft.pk]), typed)
    form = page.context["test_form"]
    assert {name: form[name].value() for name in typed} == typed
    assert [error for errors in form.errors.values() for error in errors] == [told]
    assert [str(message) for message in page.context["messages"]] == [told]


def test_the_form_of_a_test_is_in_the_readers_language(draft: Campaign, as_alice: Client) -> None:
    as_alice.cookies["django_language"] = "fa"
    page = as_alice.get(reverse("campaigns:detail", args=[draft.pk])).content.decode()
    assert "حداکثر ۵ نشانی، با ویرگول میانشان." in page


def test_the_reach_of_a_form_is_counted_with_its_reasons(draft: Campaign, as_alice: Client) -> None:
    page = as_alice.post(reverse("campaigns:reach"), {"purpose": "marketing"}).content.decode()
    assert "1 person gets it" in page
    assert "unsubscribed" in page


def test_the_button_says_how_many_and_sends(cast: Cast, draft: Campaign, as_alice: Client) -> None:
    assert "Send to 1 person" in as_alice.get(reverse("campaigns:detail", args=[draft.pk])).content.decode()
    as_alice.post(reverse("campaigns:launch", args=[draft.pk]))
    with tenant(cast.saffron.pk):
        assert Campaign.objects.get().state == "running"
    again = as_alice.post(reverse("campaigns:launch", args=[draft.pk]), follow=True)
    assert "Nothing was changed." in again.content.decode()
    with tenant(cast.saffron.pk):
        assert Dispatch.objects.count() == 1


def test_so_many_people_want_the_name_typed(cast: Cast, draft: Campaign, as_alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("detail", "steps"):
        monkeypatch.setattr(f"campaigns.views.{place}.TYPED_FROM", 1)
    url = reverse("campaigns:launch", args=[draft.pk])
    as_alice.post(url, {"typed_name": "Summer"})
    with tenant(cast.saffron.pk):
        assert Campaign.objects.get().state == "draft"
    as_alice.post(url, {"typed_name": "Spring"})
    with tenant(cast.saffron.pk):
        assert Campaign.objects.get().state == "running"


def test_an_analyst_sees_and_is_offered_nothing_to_press(launched: Campaign, as_analyst: Client) -> None:
    page = as_analyst.get(reverse("campaigns:detail", args=[launched.pk])).content.decode()
    for verb in ("pause", "cancel", "duplicate"):
        assert reverse(f"campaigns:{verb}", args=[launched.pk]) not in page


def test_figures_are_told_again_only_when_they_have_moved(cast: Cast, launched: Campaign, as_alice: Client) -> None:
    url = reverse("campaigns:figures", args=[launched.pk]) + "?state=running"
    with tenant(cast.saffron.pk):
        Dispatch.objects.update(state=DispatchState.PAUSED)
    first = as_alice.get(url)
    assert (first.status_code, first["Cache-Control"]) == (200, "private, no-cache")
    assert as_alice.get(url, headers={"If-None-Match": first["ETag"]}).status_code == 304
    with tenant(cast.saffron.pk):
        Dispatch.objects.update(sent_count=1)
    moved = as_alice.get(url, headers={"If-None-Match": first["ETag"]})
    assert (moved.status_code, moved["ETag"] != first["ETag"]) == (200, True)


def test_buttons_come_again_only_when_the_state_has_changed(launched: Campaign, as_alice: Client) -> None:
    url = reverse("campaigns:figures", args=[launched.pk])
    assert 'id="campaign-steps"' not in as_alice.get(f"{url}?state=running").content.decode()
    assert 'id="campaign-steps"' in as_alice.get(f"{url}?state=paused").content.decode()


def test_figures_ask_little(launched: Campaign, as_alice: Client, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    url = reverse("campaigns:figures", args=[launched.pk]) + "?state=running"
    as_alice.get(url)
    with django_assert_max_num_queries(16):
        as_alice.get(url)


def test_recipients_are_narrowed_by_state_reason_and_name(cast: Cast, launched: Campaign, as_alice: Client) -> None:
    url = reverse("campaigns:recipients", args=[launched.pk])

    def names(**query: str) -> list[str]:
        return [row.customer.first_name for row, *_told in as_alice.get(url, query).context["rows"]]

    assert names() == ["Anna", "Bea"]
    assert names(state="planned") == ["Anna"]
    assert names(reason="withdrawn") == ["Bea"]
    assert names(q="Anna") == ["Anna"]
    assert names(deed="opened") == []
    assert names(state="no such state") == ["Anna", "Bea"]


@pytest.mark.parametrize("path", ["/campaigns/?q=%00", "/segments/?q=%00", "/campaigns/?state=%00", "/customers/?q=a%00b"])
def test_an_address_with_the_character_nul_is_refused_on_a_page(as_alice: Client, path: str) -> None:
    refused = as_alice.get(path)
    assert (refused.status_code, "This request could not be read" in refused.content.decode()) == (400, True)
    assert as_alice.get(path.replace("%00", "%2500")).status_code == 200


def test_why_has_an_answer_for_customers_inside_and_outside(cast: Cast, launched: Campaign, as_alice: Client) -> None:
    with tenant(cast.saffron.pk):
        Delivery.objects.filter(customer__first_name="Anna").update(state=DeliveryState.SENT, sent_at=timezone.now())
        late = CustomerFactory(first_name="Cleo")
        type(late).objects.filter(pk=late.pk).update(created_at=timezone.now() + timedelta(seconds=5))
    url = reverse("campaigns:why", args=[launched.pk])
    answers = {name: as_alice.get(url, {"q": name}).context["answer"] for name in ("Anna", "Bea", "Cleo")}
    assert {name: str(answer.verdict) for name, answer in answers.items()} == {"Anna": "got", "Bea": "not", "Cleo": "not"}
    assert answers["Bea"].sentences == ("They are left out: this customer unsubscribed.",)
    assert answers["Cleo"].sentences[0].startswith("They became a customer after the audience was chosen")
    assert as_alice.get(url, {"customer": "999999999"}).context.get("answer") is None


def test_the_customer_s_page_tells_their_messages(cast: Cast, launched: Campaign, as_alice: Client, as_charlie: Client) -> None:
    with tenant(cast.saffron.pk):
        customer = Delivery.objects.get(customer__first_name="Bea").customer
    url = reverse("campaigns:customer_panel", args=[customer.pk])
    page = as_alice.get(url).content.decode()
    assert "Spring" in page
    assert "unsubscribed" in page
    assert as_charlie.get(url).status_code == 404


@pytest.mark.parametrize("state", ["draft", "scheduled", "running", "paused", "completed", "failed", "cancelled"])
def test_every_state_has_its_page(cast: Cast, launched: Campaign, as_alice: Client, state: str) -> None:
    values: dict[str, Any] = {"state": state}
    if state in ("draft", "scheduled"):
        values |= {"dispatch": None, "launched_at": None, "scheduled_at": timezone.now()}
    with tenant(cast.saffron.pk):
        Campaign.objects.update(**values)
    answer = as_alice.get(reverse("campaigns:detail", args=[launched.pk]))
    assert answer.status_code == 200
    assert state.capitalize() in answer.content.decode()


def test_a_page_that_sees_the_end_stops_asking(cast: Cast, launched: Campaign, as_alice: Client) -> None:
    url = reverse("campaigns:figures", args=[launched.pk])
    with tenant(cast.saffron.pk):
        Campaign.objects.update(state="completed", completed_at=timezone.now())
    assert as_alice.get(f"{url}?state=running").status_code == 286
    assert as_alice.get(f"{url}?state=completed").status_code == 200


def test_how_many_addresses_a_test_takes_is_told_in_the_reader_s_language() -> None:
    help_text = TestForm().fields["addresses"].help_text
    with translation.override("fa"):
        assert str(help_text) == "حداکثر ۵ نشانی، با ویرگول میانشان."
    with translation.override("en"):
        assert str(help_text) == "Up to 5 addresses, with commas between."


def test_today_tells_what_is_under_way(launched: Campaign, as_alice: Client, as_bob: Client) -> None:
    url = reverse("campaigns:running")
    assert "0 of 1 sent" in as_alice.get(url).content.decode()
    assert as_bob.get(url).status_code == 403
