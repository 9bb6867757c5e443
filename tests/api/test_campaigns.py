"""Campaigns over the API, from the draft to its figures."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.permissions import Permission
from accounts.tenancy import tenant
from campaigns.actions import plan_campaign
from campaigns.models import Campaign
from crm.events import NewEvent, record_event
from crm.models import ConsentState
from messaging.models import Delivery, DeliveryState, Dispatch
from tests.api.conftest import Caller, errors_of
from tests.campaigns.worlds import make_account, make_list, make_reachable, make_template
from tests.conftest import Cast

Problem = Callable[..., dict[str, Any]]


@pytest.fixture
def ids(cast: Cast) -> dict[str, int]:
    """A template, a sender, Dana and Eve who can be reached, Bo who unsubscribed, and a list of Eve."""
    with tenant(cast.saffron.pk):
        dana, eve = make_reachable(first_name="Dana"), make_reachable(first_name="Eve")
        bo = make_reachable(ConsentState.WITHDRAWN, first_name="Bo")
        found = {"template": make_template(), "sender": make_account(), "dana": dana, "eve": eve, "bo": bo, "list": make_list("Eve", eve)}
        return {name: thing.pk for name, thing in found.items()}


@pytest.fixture
def draft(till: Caller, ids: dict[str, int]) -> str:
    """The address of a campaign that is ready."""
    body = {"name": "Spring", "template": ids["template"], "sender": ids["sender"]}
    return f"campaigns/{till.post('campaigns/', body).json()['id']}/"


def test_a_draft_is_begun_changed_copied_and_deleted(cast: Cast, till: Caller, ids: dict[str, int], assert_problem: Problem) -> None:
    created = till.post("campaigns/", {"name": "Spring", "include": [ids["list"], ids["list"]]})
    assert created.status_code == 201
    body = created.json()
    assert (body["name"], body["state"], body["channel"], body["purpose"], body["include"], body["exclude"], body["template"]) == (
        "Spring", "draft", "email", "marketing", [ids["list"]], [], None,
    )  # fmt: skip
    path = f"campaigns/{body['id']}/"
    changed = till.patch(path, {"template": ids["template"], "sender": ids["sender"], "include": [], "exclude": [ids["list"]]}).json()
    assert (changed["template"], changed["sender"], changed["include"], changed["exclude"]) == (
        ids["template"],
        ids["sender"],
        [],
        [ids["list"]],
    )
    copy = till.post(f"{path}duplicate/", {"name": "Summer"})
    assert (copy.status_code, copy.json()["name"], copy.json()["exclude"]) == (201, "Summer", [ids["list"]])
    assert [row["name"] for row in till.get("campaigns/?state=draft").json()["results"]] == ["Summer", "Spring"]
    assert till.delete(path).status_code == 204
    assert_problem(till.get(path), 404, "not_found")
    with tenant(cast.saffron.pk):
        assert [campaign.name for campaign in Campaign.objects.all()] == ["Summer"]


def test_a_scheduled_campaign_is_deleted_by_who_may_unschedule_it(
    cast: Cast, till: Caller, key_with: Callable[..., Caller], draft: str, assert_problem: Problem
) -> None:
    assert till.post(f"{draft}schedule/", {"at": "2090-01-01T00:00:00Z"}).status_code == 200
    writer = key_with(Permission.CAMPAIGNS_CHANGE)
    assert "campaigns.launch" in assert_problem(writer.delete(draft), 403, "missing_scope")["detail"]
    assert till.get(draft).json()["state"] == "scheduled"
    assert till.delete(draft).status_code == 204


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"#/name": "required"}),
        ({"name": "x" * 121}, {"#/name": "max_length"}),
        ({"name": "A", "template": 4711}, {"#/template": "does_not_exist"}),
        ({"name": "A", "include": [4711]}, {"#/include/0": "does_not_exist"}),
        ({"name": "A", "include": "everybody"}, {"#/include": "not_a_list"}),
        ({"name": "A", "include": list(range(1, 60))}, {"#/include": "max_length"}),
        ({"name": "A", "attribution_days": 0}, {"#/attribution_days": "min_value"}),
        ({"name": "A", "state": "running"}, {"#/state": "unknown_field"}),
        ({"name": "A", "purpose": "spam"}, {"#/purpose": "invalid_choice"}),
    ],
)
def test_a_draft_that_cannot_be_is_refused(
    cast: Cast, till: Caller, assert_problem: Problem, body: dict[str, Any], errors: dict[str, str]
) -> None:
    assert errors_of(assert_problem(till.post("campaigns/", body), 400, "invalid")) == errors
    with tenant(cast.saffron.pk):
        assert Campaign.objects.count() == 0


def test_one_segment_cannot_be_included_and_excluded(till: Caller, ids: dict[str, int], assert_problem: Problem) -> None:
    body = assert_problem(till.post("campaigns/", {"name": "A", "include": [ids["list"]], "exclude": [ids["list"]]}), 400, "invalid")
    assert errors_of(body) == {"#/exclude": "invalid"}


def test_it_says_what_is_missing_and_whom_it_would_reach(till: Caller, ids: dict[str, int], draft: str, assert_problem: Problem) -> None:
    assert till.post(f"{draft}validate/").json() == {"is_ready": True, "problems": []}
    assert till.get(f"{draft}reach/").json() == {"total": 3, "planned": 2, "skipped": {"withdrawn": 1}}
    till.patch(draft, {"exclude": [ids["list"]], "template": None})
    body = till.post(f"{draft}validate/").json()
    assert (body["is_ready"], [(problem["code"], problem["place"]) for problem in body["problems"]]) == (
        False,
        [("no_template", "message")],
    )
    assert till.get(f"{draft}reach/").json() == {"total": 3, "planned": 1, "skipped": {"withdrawn": 1, "excluded": 1}}
    refused = assert_problem(till.post(f"{draft}launch/"), 409, "not_ready")
    assert [item["code"] for item in refused["problems"]] == ["no_template"]
    assert till.get(draft).json()["state"] == "draft"


def test_the_message_is_seen_and_tried_before_it_goes(
    cast: Cast, till: Caller, ids: dict[str, int], draft: str, mailoutbox: list[Any], assert_problem: Problem
) -> None:
    seen = till.post(f"{draft}preview/", {"customer": ids["dana"]}).json()
    assert seen["subject"] == "Spring offers"
    assert "Hello Dana" in seen["html"]
    assert "shop@example.org" in seen["sender"]
    assert till.post(f"{draft}test/", {"addresses": ["alice@example.com"], "customer": ids["dana"]}).json() == {"sent": 1, "refused": {}}
    assert errors_of(assert_problem(till.post(f"{draft}test/", {"addresses": ["alice"]}), 400, "invalid")) == {"#/addresses": "invalid"}
    assert errors_of(assert_problem(till.post(f"{draft}test/", {"addresses": []}), 400, "invalid")) == {"#/addresses": "min_length"}
    with tenant(cast.saffron.pk):
        assert AuditEntry.objects.filter(action="campaign.tested").count() == 1
        assert Delivery.objects.count() == 0


def test_a_test_with_a_customer_s_data_needs_to_see_customers(
    cast: Cast, key_with: Callable[..., Caller], ids: dict[str, int], draft: str, mailoutbox: list[Any], assert_problem: Problem
) -> None:
    writer = key_with(Permission.CAMPAIGNS_CHANGE)
    body = assert_problem(writer.post(f"{draft}test/", {"addresses": ["eve@example.com"], "customer": ids["dana"]}), 403, "missing_scope")
    assert "customers.view" in body["detail"]
    assert mailoutbox == []
    with tenant(cast.saffron.pk):
        assert not AuditEntry.objects.filter(action="campaign.tested").exists()
    assert writer.post(f"{draft}test/", {"addresses": ["eve@example.com"]}).json() == {"sent": 1, "refused": {}}
    assert "Dana" not in mailoutbox[0].body


def test_it_is_scheduled_and_taken_back(till: Caller, draft: str, assert_problem: Problem) -> None:
    tomorrow = (timezone.now() + timedelta(days=1)).replace(microsecond=0)
    scheduled = till.post(f"{draft}schedule/", {"at": tomorrow.isoformat()}).json()
    assert (scheduled["state"], scheduled["scheduled_at"]) == ("scheduled", tomorrow.isoformat().replace("+00:00", "Z"))
    assert_problem(till.patch(draft, {"name": "Later"}), 409, "wrong_state")
    assert_problem(till.post(f"{draft}schedule/", {"at": tomorrow.isoformat()}), 409, "wrong_state")
    assert till.post(f"{draft}unschedule/").json()["state"] == "draft"
    assert errors_of(assert_problem(till.post(f"{draft}schedule/", {"at": "2020-01-01T00:00:00Z"}), 400, "invalid")) == {"#/at": "invalid"}
    assert errors_of(assert_problem(till.post(f"{draft}schedule/", {}), 400, "invalid")) == {"#/at": "required"}


def test_it_runs_pauses_goes_on_and_is_stopped(cast: Cast, till: Caller, draft: str, assert_problem: Problem) -> None:
    launched = till.post(f"{draft}launch/", idempotency_key="go").json()
    assert (launched["state"], launched["launched_at"] is not None) == ("running", True)
    assert till.post(f"{draft}launch/", idempotency_key="go").json() == launched
    assert_problem(till.post(f"{draft}launch/"), 409, "wrong_state")
    assert_problem(till.post(f"{draft}resume/"), 409, "wrong_state")
    assert till.post(f"{draft}pause/").json()["state"] == "paused"
    assert till.post(f"{draft}resume/").json()["state"] == "running"
    cancelled = till.post(f"{draft}cancel/", {"reason": "Wrong price"}).json()
    assert (cancelled["state"], cancelled["state_reason"]) == ("cancelled", "Wrong price")
    assert_problem(till.delete(draft), 409, "wrong_state")
    kinds = [event["kind"] for event in till.get(f"{draft}events/").json()["results"]]
    assert kinds == ["campaign.cancelled", "campaign.resumed", "campaign.paused", "campaign.launched"]
    with tenant(cast.saffron.pk):
        assert Dispatch.objects.count() == 1


def test_its_recipients_figures_and_events_are_told(cast: Cast, till: Caller, ids: dict[str, int], draft: str) -> None:
    would = till.get(f"{draft}recipients/{ids['bo']}/").json()
    assert (would["verdict"], would["delivery"], len(would["sentences"])) == ("not", None, 2)
    assert till.get(f"{draft}recipients/").json()["results"] == []
    assert till.get(f"{draft}stats/").json()["planned"] == 0
    till.post(f"{draft}launch/")
    with tenant(cast.saffron.pk):
        campaign, now = Campaign.objects.get(), timezone.now()
        plan_campaign(campaign_id=campaign.pk, now=now)
        Delivery.objects.filter(customer=ids["dana"]).update(state=DeliveryState.SENT, sent_at=now, opened_at=now, open_count=2)
        Delivery.objects.filter(customer=ids["eve"]).update(state=DeliveryState.FAILED, reason="no_such_address", detail="550 unknown")
        Dispatch.objects.update(sent_count=1, failed_count=1)
        about = {"dispatch": campaign.dispatch_id, "delivery": Delivery.objects.get(customer=ids["dana"]).pk}
        record_event(NewEvent("message.opened", now, ids["dana"], "tracking", about))
        record_event(NewEvent("message.opened", now, ids["eve"], "tracking", {"dispatch": 999}))
    rows = till.get(f"{draft}recipients/").json()["results"]
    assert [(row["customer"], row["state"], row["reason"]) for row in rows] == [
        (ids["dana"], "sent", ""), (ids["eve"], "failed", "no_such_address"), (ids["bo"], "skipped", "withdrawn"),
    ]  # fmt: skip
    why = {name: till.get(f"{draft}recipients/{ids[name]}/").json() for name in ("dana", "eve", "bo")}
    assert {name: answer["verdict"] for name, answer in why.items()} == {"dana": "got", "eve": "not", "bo": "not"}
    assert why["bo"]["sentences"] == ["They are left out: this customer unsubscribed."]
    assert why["dana"]["delivery"] == rows[0]
    assert [row["customer"] for row in till.get(f"{draft}recipients/?state=skipped&reason=withdrawn").json()["results"]] == [ids["bo"]]
    assert [row["open_count"] for row in till.get(f"{draft}recipients/?is_opened=true").json()["results"]] == [2]
    assert [row["detail"] for row in till.get(f"{draft}recipients/?customer={ids['eve']}").json()["results"]] == ["550 unknown"]
    assert "cursor=" in till.get(f"{draft}recipients/?limit=1").json()["next"]
    stats = till.get(f"{draft}stats/").json()
    wanted = {"planned": 2, "skipped": 1, "skipped_by_reason": {"withdrawn": 1}, "sent": 1, "failed": 1, "waiting": 0, "delivered": 1, "opened": 1,
              "clicked": 0, "revenue_minor": 0, "currency": "USD"}  # fmt: skip
    assert {name: stats[name] for name in wanted} == wanted
    assert stats["rates"]["opened"] == {"part": 1, "of": 1, "share": 1.0}
    timeline = till.get(f"{draft}timeline/").json()
    assert (timeline["is_hourly"], sum(timeline["opened"]), len(timeline["moments"])) == (True, 1, len(timeline["opened"]))
    events = till.get(f"{draft}events/").json()["results"]
    assert [(event["kind"], event["customer"]) for event in events if event["kind"].startswith("message.")] == [
        ("message.opened", ids["dana"])
    ]
