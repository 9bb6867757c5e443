"""Command and admin of campaigns, and the checks before a launch."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from anymail.backends.test import EmailBackend
from django.core import mail
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.audit import SYSTEM
from accounts.models import AuditEntry, Organization
from accounts.tenancy import tenant
from campaigns.actions import send_test
from campaigns.models import Campaign
from campaigns.refusals import CampaignNotReadyError, CampaignRefusedError, Severity
from campaigns.validation import validate_campaign
from crm.models import ConsentState, Event, Purpose
from messaging.models import Delivery, Dispatch, MessageTemplate, SenderAccount, SenderKind
from segmentation.models import Segment
from tests.campaigns.worlds import HTML, NOW, make_account, make_campaign, make_reachable, make_template
from tests.conftest import Cast
from tests.smtp_server import Script, smtp_server

assert EmailBackend, "test messages of the sender “test” end here"


def run(*arguments: object) -> str:
    out = StringIO()
    call_command("campaign", *map(str, arguments), "--organization", "saffron", stdout=out)
    return out.getvalue()


@pytest.fixture
def draft(cast: Cast) -> Campaign:
    with tenant(cast.saffron.pk):
        make_reachable()
        return make_campaign()


class TestCommand:
    def test_a_campaign_is_launched_paused_resumed_and_cancelled(self, draft: Campaign) -> None:
        said = [run(verb, draft.pk) for verb in ("launch", "pause", "resume", "cancel")]
        assert said == [f"{draft.pk}\t{state}\tSpring\n" for state in ("running", "paused", "running", "cancelled")]

    def test_the_list_names_campaigns(self, draft: Campaign) -> None:
        assert run("list") == f"{draft.pk}\tdraft\tSpring\tNot sent yet\n"
        assert run("list", "--state", "running") == ""

    def test_inspecting_tells_figures_and_an_account(self, draft: Campaign) -> None:
        run("launch", draft.pk)
        found = json.loads(run("inspect", draft.pk))
        assert (found["state"], found["figures"]["planned"], found["every_message_has_a_fate"]) == ("running", 0, True)

    def test_refusals_are_one_line_and_change_nothing(self, cast: Cast, draft: Campaign) -> None:
        with pytest.raises(CommandError, match="Nothing was changed"):
            run("pause", draft.pk)
        with pytest.raises(CommandError, match="There is no campaign 999999"):
            run("launch", 999999)
        with pytest.raises(CommandError, match="time zone"):
            run("schedule", draft.pk, "--at", "2030-01-01T09:00")
        with tenant(cast.saffron.pk):
            assert Campaign.objects.get().state == "draft"

    def test_scheduling_unscheduling_and_deleting(self, cast: Cast, draft: Campaign) -> None:
        at = (timezone.now() + timedelta(days=1)).isoformat()
        assert "scheduled" in run("schedule", draft.pk, "--at", at)
        assert "draft" in run("unschedule", draft.pk)
        assert "deleted" in run("delete", draft.pk)
        with tenant(cast.saffron.pk):
            assert Campaign.objects.count() == 0

    @pytest.mark.parametrize(
        ("at", "told"),
        [
            ("2026-13-45T09:00+01:00", "There is no such time as “2026-13-45T09:00.01:00”"),
            ("9999-12-31T23:59+00:00", "more than ten years away"),
            ("2020-01-01T09:00+01:00", "This time has passed; choose one to come."),
            ("tomorrow", "Give --at with its time zone"),
        ],
    )
    def test_a_time_that_cannot_be_is_refused_in_words(self, cast: Cast, draft: Campaign, at: str, told: str) -> None:
        with pytest.raises(CommandError, match=told):
            run("schedule", draft.pk, "--at", at)
        with tenant(cast.saffron.pk):
            assert Campaign.objects.values_list("state", "scheduled_at").get() == ("draft", None)

    def test_why_answers_for_a_customer(self, cast: Cast, draft: Campaign) -> None:
        with tenant(cast.saffron.pk):
            customer = make_reachable(ConsentState.WITHDRAWN)
        assert run("why", draft.pk, "--customer", customer.pk).startswith("not\tThe campaign has not been launched.")


class TestAdmin:
    def test_records_open_for_alice_alone(self, draft: Campaign, as_alice: Client, as_bob: Client, as_charlie: Client) -> None:
        for name in ("campaign", "campaignaudience", "attribution"):
            url = reverse(f"admin:campaigns_{name}_changelist")
            assert [client.get(url).status_code for client in (as_alice, as_bob)] == [200, 403]
        url = reverse("admin:campaigns_campaign_change", args=[draft.pk])
        assert [client.get(url).status_code for client in (as_alice, as_bob)] == [200, 403]
        assert as_charlie.get(url).status_code in (302, 404)

    def test_several_are_cancelled_at_once_and_the_rest_say_why_not(self, cast: Cast, draft: Campaign, as_alice: Client) -> None:
        run("launch", draft.pk)
        with tenant(cast.saffron.pk):
            other = make_campaign(name="Other")
        chosen = {"action": "cancel_campaigns", "_selected_action": [draft.pk, other.pk]}
        page = as_alice.post(reverse("admin:campaigns_campaign_changelist"), chosen, follow=True).content.decode()
        assert "Spring: Cancelled" in page
        assert "Nothing was changed" in page
        with tenant(cast.saffron.pk):
            assert dict(Campaign.objects.values_list("name", "state")) == {"Spring": "cancelled", "Other": "draft"}


@pytest.mark.usefixtures("in_saffron")
class TestValidation:
    def codes(self, campaign: Campaign, severity: Severity = Severity.ERROR) -> list[str]:
        return [problem.code for problem in validate_campaign(campaign, now=NOW) if problem.severity is severity]

    def test_a_whole_campaign_has_no_problem(self) -> None:
        make_reachable()
        assert validate_campaign(make_campaign(), now=NOW) == []

    def test_an_empty_draft_lacks_everything(self) -> None:
        campaign = Campaign.objects.create(name="Empty")
        assert self.codes(campaign) == ["no_sender", "no_template", "empty_audience"]

    def test_the_message_is_checked_with_its_lines(self) -> None:
        make_reachable()
        template = make_template("Broken", html="<p>Hello</p>\n{{ customer.nope }}")
        problems = [
            problem for problem in validate_campaign(make_campaign(template=template), now=NOW) if problem.severity is Severity.ERROR
        ]
        assert [(problem.code, problem.line) for problem in problems] == [("unknown_variable", 2), ("missing_unsubscribe", None)]

    def test_transactional_messages_need_no_way_out(self) -> None:
        make_reachable()
        template = make_template("Receipt", html="<p>Thanks</p>", purpose=Purpose.TRANSACTIONAL)
        assert self.codes(make_campaign(template=template, purpose=Purpose.TRANSACTIONAL)) == []

    def test_marketing_needs_a_postal_address(self, cast: Cast) -> None:
        make_reachable()
        Organization.objects.filter(pk=cast.saffron.pk).update(postal_address=" ")
        assert self.codes(make_campaign()) == ["no_postal_address"]

    def test_nobody_who_may_get_it(self) -> None:
        make_reachable(ConsentState.WITHDRAWN)
        assert self.codes(make_campaign()) == ["nobody_reached"]

    def test_a_segment_that_cannot_be_read(self) -> None:
        make_reachable()
        segment = Segment.objects.create(name="Old", rules={"all": [{"field": "no.such.field", "operator": "is", "value": 1}]})
        assert self.codes(make_campaign(include=[segment])) == ["segment_rules"]

    def test_what_is_switched_off_or_archived(self) -> None:
        make_reachable()
        campaign = make_campaign()
        type(campaign.account).objects.update(is_active=False)  # type: ignore[union-attr]
        MessageTemplate.objects.update(archived_at=NOW)
        assert self.codes(Campaign.objects.get(pk=campaign.pk)) == ["sender_inactive", "template_archived"]

    def test_warnings_stop_nothing(self) -> None:
        make_reachable()
        template = make_template("Survey", purpose=Purpose.FEEDBACK)
        campaign = make_campaign(template=template, scheduled_at=NOW - timedelta(days=1))
        assert (self.codes(campaign), sorted(self.codes(campaign, Severity.WARNING))) == ([], ["schedule_past", "template_purpose"])


@pytest.mark.usefixtures("in_saffron")
class TestTrying:
    def test_a_test_is_marked_and_counts_nowhere(self) -> None:
        customer = make_reachable(first_name="Anna")
        before = Event.objects.count()
        trial = send_test(
            campaign=make_campaign(), addresses=["me@example.org", "you@example.org"], actor=SYSTEM, now=NOW, customer=customer
        )
        assert (trial.sent, trial.refused) == (["me@example.org", "you@example.org"], {})
        assert [message.subject for message in mail.outbox] == ["[Test] Spring offers"] * 2
        assert [message.to for message in mail.outbox] == [["Anna Example <me@example.org>"], ["Anna Example <you@example.org>"]]
        body: Any = mail.outbox[0].message()
        assert "Hello Anna" in body.as_string()
        assert "/t/o/" not in body.as_string()
        assert "/t/c/" not in body.as_string()
        assert (Dispatch.objects.count(), Delivery.objects.count(), Event.objects.count()) == (0, 0, before)
        assert AuditEntry.objects.filter(action="campaign.tested").count() == 1

    def test_what_left_is_told_apart_from_what_was_refused(self) -> None:
        script = Script(on_rcpt=lambda recipient: "550 5.1.1 No such user" if "gone" in recipient else None)
        with smtp_server(script) as server:
            options = {"host": "127.0.0.1", "port": server.port, "security": "none", "hello_name": "shop.example"}
            account = SenderAccount.objects.create(name="Post office", kind=SenderKind.SMTP, from_email="shop@example.org", options=options)
            campaign = make_campaign(account=account)
            trial = send_test(campaign=campaign, addresses=["me@example.org", "gone@example.org"], actor=SYSTEM, now=NOW)
            with pytest.raises(CampaignRefusedError, match="No such user"):
                send_test(campaign=campaign, addresses=["gone@example.org"], actor=SYSTEM, now=NOW)
        assert trial.sent == ["me@example.org"]
        assert "No such user" in trial.refused["gone@example.org"]
        told = AuditEntry.objects.filter(action="campaign.tested").values_list("after__addresses", flat=True)
        assert list(told) == [["me@example.org"]]

    @pytest.mark.parametrize("addresses", [[], ["no address"], [f"a{n}@example.org" for n in range(6)]])
    def test_addresses_are_checked(self, addresses: list[str]) -> None:
        with pytest.raises(ValidationError):
            send_test(campaign=make_campaign(), addresses=addresses, actor=SYSTEM, now=NOW)
        assert mail.outbox == []

    def test_without_a_message_there_is_no_test(self) -> None:
        campaign = Campaign.objects.create(name="Empty", account=make_account())
        with pytest.raises(CampaignNotReadyError):
            send_test(campaign=campaign, addresses=["me@example.org"], actor=SYSTEM, now=NOW)

    def test_a_message_that_cannot_be_made_says_why(self) -> None:
        template = make_template("Strict", html=HTML + "<p>{{ customer.city }}</p>")
        with pytest.raises(CampaignRefusedError):
            send_test(
                campaign=make_campaign(template=template), addresses=["me@example.org"], actor=SYSTEM, now=NOW, customer=make_reachable()
            )
        assert mail.outbox == []
