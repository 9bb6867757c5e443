"""Launches and plans that break off: nothing of them stays, people are told why, and in the end the campaign fails."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.audit import SYSTEM
from accounts.tenancy import tenant
from campaigns import actions, tasks
from campaigns.models import Campaign
from crm.models import Event
from messaging.models import Delivery, Dispatch, DispatchState
from tests.campaigns.worlds import NOW, make_campaign, make_reachable
from tests.conftest import Cast

LATER = NOW + timedelta(hours=1)
pytestmark = pytest.mark.usefixtures("unheard")


def test_a_plan_that_breaks_off_leaves_nothing_and_is_written_the_next_time(committed_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    organization_id = committed_cast.saffron.pk
    with tenant(organization_id):
        make_reachable()
        campaign = actions.launch_campaign(campaign=make_campaign(), actor=SYSTEM, now=NOW)
    with monkeypatch.context() as patch:
        patch.setattr(Dispatch, "save", lambda *_args, **_more: 1 / 0)
        with pytest.raises(ZeroDivisionError), tenant(organization_id):
            actions.plan_campaign(campaign_id=campaign.pk, now=NOW)
    with tenant(organization_id):
        assert (Delivery.objects.count(), Dispatch.objects.get().state) == (0, "planning")
        assert actions.plan_campaign(campaign_id=campaign.pk, now=NOW) is not None
        assert (Delivery.objects.count(), Dispatch.objects.get().state) == (1, "running")


def test_a_plan_that_keeps_breaking_says_why_and_in_the_end_fails(
    committed_cast: Cast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    organization_id = committed_cast.saffron.pk
    with tenant(organization_id):
        make_reachable()
        campaign = actions.launch_campaign(campaign=make_campaign(), actor=SYSTEM, now=timezone.now())

    def told() -> tuple[str, str, str]:
        tasks.plan(organization_id, campaign.pk)
        with tenant(organization_id):
            found = Campaign.objects.select_related("dispatch").get(pk=campaign.pk)
            return found.state, found.state_reason, found.dispatch.state if found.dispatch else ""

    with monkeypatch.context() as patch:
        patch.setattr(tasks, "plan_campaign", lambda **_values: 1 / 0)
        again = "Choosing who gets it broke off and is tried again: ZeroDivisionError: division by zero"
        assert told() == ("running", again, "planning")
    assert told() == ("running", "", "running")
    with tenant(organization_id):
        Dispatch.objects.update(state=DispatchState.PLANNING)
        Campaign.objects.update(launched_at=timezone.now() - timedelta(minutes=45))
    with monkeypatch.context() as patch:
        patch.setattr(tasks, "plan_campaign", lambda **_values: 1 / 0)
        assert told() == ("running", again, "planning")
        with tenant(organization_id):
            Campaign.objects.update(broken_since=timezone.now() - timedelta(minutes=30))
        assert told() == ("failed", "ZeroDivisionError: division by zero", "failed")
    assert "broke off" in caplog.text


def test_a_pause_before_the_plan_does_not_count_as_breaking(in_saffron: Cast) -> None:
    make_reachable()
    campaign = actions.launch_campaign(campaign=make_campaign(), actor=SYSTEM, now=NOW)
    actions.note_broken_plan(campaign_id=campaign.pk, reason="x", now=NOW)
    actions.pause_campaign(campaign=campaign, actor=SYSTEM, now=NOW)
    actions.resume_campaign(campaign=campaign, actor=SYSTEM, now=LATER)
    for minutes, state in ((0, "running"), (29, "running"), (30, "failed")):
        actions.note_broken_plan(campaign_id=campaign.pk, reason="x", now=LATER + timedelta(minutes=minutes))
        assert Campaign.objects.get().state == state


def test_a_due_campaign_that_keeps_breaking_says_why_and_in_the_end_fails(
    committed_cast: Cast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    organization_id = committed_cast.saffron.pk
    with tenant(organization_id):
        make_reachable()
        campaign = actions.schedule_campaign(campaign=make_campaign(), at=LATER, actor=SYSTEM, now=NOW)
    monkeypatch.setattr(tasks, "launch_scheduled", lambda **_values: 1 / 0)

    def told(minutes: int) -> tuple[str, str]:
        monkeypatch.setattr("django.utils.timezone.now", lambda: LATER + timedelta(minutes=minutes))
        tasks.launch_due_campaigns()
        with tenant(organization_id):
            return Campaign.objects.values_list("state", "state_reason").get(pk=campaign.pk)

    again = "Its launch broke off and is tried again: ZeroDivisionError: division by zero"
    assert told(45) == ("scheduled", again)
    assert told(74) == ("scheduled", again)
    assert told(75) == ("failed", "ZeroDivisionError: division by zero")
    assert "could not be launched" in caplog.text
    with tenant(organization_id):
        assert Event.objects.filter(kind="campaign.failed").count() == 1
        assert Dispatch.objects.count() == 0
