"""The life of a campaign: each step from where it may be taken, once, with its audit entry; all others change nothing."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from celery import current_app
from django.core.exceptions import ValidationError
from kombu.exceptions import OperationalError

from accounts.audit import SYSTEM
from accounts.models import AuditEntry
from campaigns import actions, bells
from campaigns.actions.following import follow_dispatches
from campaigns.models import Campaign, CampaignAudience, CampaignState
from campaigns.queries.sweeping import due_campaign_ids, unplanned_campaign_ids
from campaigns.refusals import CampaignNotReadyError, CampaignRefusedError, CampaignStateError
from campaigns.rules import TRANSITIONS, Step, steps_from
from crm.models import Event
from messaging.models import Chunk, Delivery, Dispatch, DispatchState, TemplateVersion
from messaging.sending.breaker import begin_trial
from messaging.sending.control import fail_dispatch, pause_dispatch
from tests.campaigns.worlds import NOW, make_campaign, make_dispatch, make_list, make_reachable, make_template
from tests.conftest import Cast

LATER = NOW + timedelta(hours=1)
STATES = list(CampaignState)
STEPS: dict[Step, Callable[..., Any]] = {
    Step.CHANGE: lambda campaign, **who: actions.update_campaign(campaign=campaign, actor=who["actor"], name="Other"),
    Step.SCHEDULE: lambda campaign, **who: actions.schedule_campaign(campaign=campaign, at=LATER, **who),
    Step.UNSCHEDULE: lambda campaign, **who: actions.unschedule_campaign(campaign=campaign, **who),
    Step.LAUNCH: lambda campaign, **who: actions.launch_campaign(campaign=campaign, **who),
    Step.PAUSE: lambda campaign, **who: actions.pause_campaign(campaign=campaign, **who),
    Step.RESUME: lambda campaign, **who: actions.resume_campaign(campaign=campaign, **who),
    Step.CANCEL: lambda campaign, **who: actions.cancel_campaign(campaign=campaign, **who),
    Step.DELETE: lambda campaign, **who: actions.delete_campaign(campaign=campaign, **who),
}
DISPATCH_STATES = {
    CampaignState.RUNNING: DispatchState.RUNNING,
    CampaignState.PAUSED: DispatchState.PAUSED,
    CampaignState.COMPLETED: DispatchState.COMPLETED,
    CampaignState.FAILED: DispatchState.FAILED,
    CampaignState.CANCELLED: DispatchState.CANCELLED,
}


@pytest.fixture(autouse=True)
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Bells for plans that were rung."""
    heard: list[tuple[int, int]] = []
    monkeypatch.setattr("campaigns.actions.launching.ring_for_plan", lambda *ids: heard.append(ids))
    monkeypatch.setattr("campaigns.actions.launching.ring", lambda *_ids, **_more: None)
    monkeypatch.setattr("campaigns.actions.lifecycle.ring", lambda *_ids, **_more: None)
    # Callbacks of a commit that a test only pretends must not make the log believe in months that are rolled back.
    monkeypatch.setattr("crm.events._known_months", set())
    return heard


def in_state(state: CampaignState) -> Campaign:
    """A campaign that is ready to go, put into a state with a dispatch that fits."""
    make_reachable()
    campaign = make_campaign()
    values: dict[str, Any] = {"state": state}
    if state in DISPATCH_STATES:
        dispatch = make_dispatch("Under way", state=DISPATCH_STATES[state], started_at=NOW)
        values |= {"dispatch": dispatch, "launched_at": NOW}
    Campaign.objects.filter(pk=campaign.pk).update(**values)
    return Campaign.objects.get(pk=campaign.pk)


def rows() -> list[Any]:
    """All that an action could have changed."""
    models = (Campaign, CampaignAudience, Dispatch, Delivery, Chunk, Event, AuditEntry)
    return [list(model.objects.order_by("pk").values()) for model in models]


def test_every_state_in_the_table_of_steps_exists() -> None:
    named = {state for transition in TRANSITIONS.values() for state in (*transition.sources, transition.target) if state}
    assert named <= set(CampaignState.values)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("state", STATES)
def test_a_step_is_taken_from_its_states_and_refused_elsewhere(in_saffron: Cast, state: CampaignState, step: Step) -> None:
    campaign = in_state(state)
    before = rows()
    launched = campaign.launched_at is not None
    if step in steps_from(state) and not (step is Step.DELETE and launched):
        STEPS[step](campaign, actor=in_saffron.alice_acts, now=NOW)
        found = Campaign.objects.filter(pk=campaign.pk).first()
        assert (found.state if found else None) == (None if step is Step.DELETE else TRANSITIONS[step].target or state)
        entry = AuditEntry.objects.filter(action__startswith="campaign.").order_by("-pk")[0]
        assert (entry.actor_label, entry.subject_id) == ("Alice", campaign.pk)
        return
    with pytest.raises(CampaignRefusedError):
        STEPS[step](campaign, actor=in_saffron.alice_acts, now=NOW)
    assert rows() == before


def test_a_campaign_that_is_gone_cannot_be_moved(in_saffron: Cast) -> None:
    campaign = make_campaign()
    actions.delete_campaign(campaign=Campaign.objects.get(pk=campaign.pk), actor=SYSTEM, now=NOW)
    with pytest.raises(CampaignStateError, match="no longer exists"):
        actions.launch_campaign(campaign=campaign, actor=SYSTEM, now=NOW)


def test_launch_freezes_the_newest_version_and_rings_after_the_commit(
    in_saffron: Cast, rung: list[tuple[int, int]], django_capture_on_commit_callbacks: Any
) -> None:
    make_reachable()
    template = make_template()
    campaign = make_campaign(template=template)
    newest = TemplateVersion.objects.create(template=template, number=2, subject="Newer", html="<p>Hi</p>{{ footer }}")
    with django_capture_on_commit_callbacks(execute=True):
        launched = actions.launch_campaign(campaign=campaign, actor=in_saffron.alice_acts, now=NOW)
        assert rung == []
    assert rung == [(in_saffron.saffron.pk, campaign.pk)]
    dispatch = Dispatch.objects.get()
    assert (launched.state, launched.launched_at, launched.dispatch_id) == ("running", NOW, dispatch.pk)
    assert (dispatch.state, dispatch.version_id, dispatch.account_id) == ("planning", newest.pk, campaign.account_id)
    assert list(Event.objects.values_list("kind", "properties")) == [
        ("campaign.launched", {"campaign": campaign.pk, "dispatch": dispatch.pk, "name": "Spring"})
    ]
    TemplateVersion.objects.create(template=template, number=3, subject="Later", html="<p>Hi</p>{{ footer }}")
    assert Dispatch.objects.get().version_id == newest.pk


def test_a_campaign_with_errors_is_not_launched_and_says_why(in_saffron: Cast) -> None:
    campaign = make_campaign()
    before = rows()
    with pytest.raises(CampaignNotReadyError) as refused:
        actions.launch_campaign(campaign=campaign, actor=SYSTEM, now=NOW)
    assert [problem.code for problem in refused.value.problems] == ["empty_audience"]
    assert rows() == before


def test_the_plan_is_written_once_and_sending_starts(in_saffron: Cast) -> None:
    make_reachable()
    campaign = actions.launch_campaign(campaign=make_campaign(), actor=SYSTEM, now=NOW)
    reach = actions.plan_campaign(campaign_id=campaign.pk, now=NOW)
    assert reach is not None
    assert (reach.planned, Delivery.objects.count(), Dispatch.objects.get().state) == (1, 1, "running")
    assert actions.plan_campaign(campaign_id=campaign.pk, now=NOW) is None
    assert Delivery.objects.count() == 1


def test_a_plan_that_nobody_wrote_is_found_by_the_sweep(in_saffron: Cast) -> None:
    make_reachable()
    campaign = actions.launch_campaign(campaign=make_campaign(), actor=SYSTEM, now=NOW)
    assert unplanned_campaign_ids(now=NOW + timedelta(seconds=10)) == []
    assert unplanned_campaign_ids(now=NOW + timedelta(seconds=31)) == [campaign.pk]
    actions.plan_campaign(campaign_id=campaign.pk, now=NOW)
    assert unplanned_campaign_ids(now=NOW + timedelta(seconds=31)) == []


def test_paused_before_its_plan_it_is_planned_when_it_goes_on(in_saffron: Cast) -> None:
    make_reachable()
    campaign = actions.launch_campaign(campaign=make_campaign(), actor=SYSTEM, now=NOW)
    campaign = actions.pause_campaign(campaign=campaign, actor=SYSTEM, now=NOW)
    assert actions.plan_campaign(campaign_id=campaign.pk, now=NOW) is None
    assert Delivery.objects.count() == 0
    campaign = actions.resume_campaign(campaign=campaign, actor=SYSTEM, now=NOW)
    assert actions.plan_campaign(campaign_id=campaign.pk, now=NOW) is not None
    assert (campaign.state, Delivery.objects.count()) == ("running", 1)


def test_pause_and_resume_move_the_dispatch_along(in_saffron: Cast) -> None:
    campaign = in_state(CampaignState.RUNNING)
    actions.pause_campaign(campaign=campaign, actor=SYSTEM, now=NOW)
    assert Dispatch.objects.get(campaigns=campaign).state == "paused"
    actions.resume_campaign(campaign=campaign, actor=SYSTEM, now=NOW)
    assert Dispatch.objects.get(campaigns=campaign).state == "running"
    actions.cancel_campaign(campaign=campaign, actor=SYSTEM, now=NOW, reason="Wrong date")
    found = Campaign.objects.select_related("dispatch").get(pk=campaign.pk)
    assert (found.state_reason, found.completed_at, found.dispatch.state) == ("Wrong date", NOW, "cancelled")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("state", "dispatch_state", "expected"),
    [
        (CampaignState.RUNNING, DispatchState.COMPLETED, CampaignState.COMPLETED),
        (CampaignState.PAUSED, DispatchState.COMPLETED, CampaignState.COMPLETED),
        (CampaignState.RUNNING, DispatchState.FAILED, CampaignState.FAILED),
        (CampaignState.RUNNING, DispatchState.CANCELLED, CampaignState.CANCELLED),
        (CampaignState.RUNNING, DispatchState.PAUSED, CampaignState.PAUSED),
        (CampaignState.PAUSED, DispatchState.RUNNING, CampaignState.RUNNING),
        (CampaignState.RUNNING, DispatchState.RUNNING, CampaignState.RUNNING),
        (CampaignState.RUNNING, DispatchState.PLANNING, CampaignState.RUNNING),
        (CampaignState.CANCELLED, DispatchState.COMPLETED, CampaignState.CANCELLED),
    ],
)
def test_a_campaign_follows_its_dispatch(
    in_saffron: Cast, state: CampaignState, dispatch_state: DispatchState, expected: CampaignState
) -> None:
    campaign = in_state(state)
    Dispatch.objects.filter(campaigns=campaign).update(state=dispatch_state)
    moved = follow_dispatches(now=NOW)
    assert (moved, Campaign.objects.get(pk=campaign.pk).state) == (int(state != expected), expected)
    assert follow_dispatches(now=NOW) == 0


def test_the_reason_of_a_failure_is_the_dispatch_s(in_saffron: Cast) -> None:
    campaign = in_state(CampaignState.RUNNING)
    assert campaign.dispatch_id is not None
    fail_dispatch(dispatch_id=campaign.dispatch_id, reason="The server refused the login.", now=NOW)
    follow_dispatches(now=NOW)
    found = Campaign.objects.get(pk=campaign.pk)
    assert (found.state, found.state_reason, found.completed_at) == ("failed", "The server refused the login.", NOW)


def test_held_by_its_sender_it_is_paused_with_the_reason(in_saffron: Cast) -> None:
    campaign = in_state(CampaignState.RUNNING)
    assert campaign.dispatch_id is not None
    pause_dispatch(dispatch_id=campaign.dispatch_id, actor=SYSTEM, now=NOW, reason="The server does not answer.")
    follow_dispatches(now=NOW)
    found = Campaign.objects.get(pk=campaign.pk)
    assert (found.state, found.state_reason) == ("paused", "The server does not answer.")


def test_scheduling_needs_a_time_to_come(in_saffron: Cast) -> None:
    make_reachable()
    campaign = make_campaign()
    with pytest.raises(ValidationError):
        actions.schedule_campaign(campaign=campaign, at=NOW, actor=SYSTEM, now=NOW)
    assert Campaign.objects.get().state == "draft"


def test_a_draft_is_scheduled_for_the_time_it_names_by_now(in_saffron: Cast) -> None:
    make_reachable()
    shown = make_campaign(scheduled_at=LATER)
    actions.update_campaign(campaign=shown, actor=SYSTEM, scheduled_at=LATER + timedelta(days=3))
    scheduled = actions.schedule_campaign(campaign=shown, actor=SYSTEM, now=NOW)
    assert (scheduled.state, Campaign.objects.get().scheduled_at) == ("scheduled", LATER + timedelta(days=3))


def test_a_draft_without_a_time_is_not_scheduled(in_saffron: Cast) -> None:
    make_reachable()
    campaign = make_campaign()
    before = rows()
    with pytest.raises(CampaignRefusedError, match="Give the time to start first"):
        actions.schedule_campaign(campaign=campaign, actor=SYSTEM, now=NOW)
    assert rows() == before


def launch_due(now: datetime) -> list[int]:
    return [pk for pk in due_campaign_ids(now=now) if actions.launch_scheduled(campaign_id=pk, now=now)]


def test_what_is_due_is_launched_and_nothing_else(in_saffron: Cast) -> None:
    make_reachable()
    due, early = make_campaign(name="Due"), make_campaign(name="Early")
    actions.schedule_campaign(campaign=due, at=LATER, actor=SYSTEM, now=NOW)
    actions.schedule_campaign(campaign=early, at=LATER + timedelta(seconds=1), actor=SYSTEM, now=NOW)
    assert launch_due(LATER - timedelta(seconds=1)) == []
    assert launch_due(LATER) == [due.pk]
    assert launch_due(LATER) == []
    assert actions.launch_scheduled(campaign_id=early.pk, now=LATER) is False
    assert dict(Campaign.objects.values_list("name", "state")) == {"Due": "running", "Early": "scheduled"}


def test_what_is_due_but_no_longer_ready_fails_with_its_reasons(in_saffron: Cast) -> None:
    customer = make_reachable()
    campaign = make_campaign()
    actions.schedule_campaign(campaign=campaign, at=LATER, actor=SYSTEM, now=NOW)
    customer.consents.all().delete()
    assert launch_due(LATER) == []
    found = Campaign.objects.get()
    assert (found.state, found.dispatch_id) == ("failed", None)
    assert "Nobody in the audience can be sent this message." in found.state_reason


def test_duplicating_copies_all_but_the_time(in_saffron: Cast) -> None:
    customer = make_reachable()
    chosen, left_out = make_list("Chosen", customer), make_list("Left out")
    campaign = make_campaign(include=[chosen], exclude=[left_out], attribution_days=3, scheduled_at=LATER)
    copy = actions.duplicate_campaign(campaign=campaign, actor=SYSTEM)
    assert (copy.name, copy.state, copy.scheduled_at, copy.attribution_days) == ("Copy of Spring", "draft", None, 3)
    assert (copy.template_id, copy.account_id) == (campaign.template_id, campaign.account_id)
    assert list(copy.audiences.order_by("mode").values_list("segment__name", "mode")) == [("Left out", "exclude"), ("Chosen", "include")]


def test_a_segment_cannot_be_included_and_excluded(in_saffron: Cast) -> None:
    segment = make_list("Both")
    with pytest.raises(ValidationError):
        make_campaign(include=[segment], exclude=[segment])


def test_unknown_fields_are_refused(in_saffron: Cast) -> None:
    with pytest.raises(ValidationError):
        actions.create_campaign(actor=SYSTEM, name="Spring", state="running")
    assert Campaign.objects.count() == 0


def test_a_broker_that_is_away_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_more: object) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(current_app, "send_task", refuse)
    bells.ring_for_plan(1, 2)


@pytest.mark.parametrize("state", [CampaignState.RUNNING, CampaignState.PAUSED])
def test_what_waits_for_its_sender_is_paused_for_good_by_a_person(in_saffron: Cast, state: CampaignState) -> None:
    campaign = in_state(state)
    held = {"state": DispatchState.PAUSED, "state_reason": "The sender has trouble.", "waits_for_account": True}
    Dispatch.objects.filter(campaigns=campaign).update(**held)
    Campaign.objects.filter(pk=campaign.pk, state="paused").update(state_reason="The sender has trouble.")
    actions.pause_campaign(campaign=campaign, actor=in_saffron.alice_acts, now=NOW)
    dispatch = Dispatch.objects.get(campaigns=campaign)
    assert (dispatch.state, dispatch.state_reason, dispatch.waits_for_account) == ("paused", "", False)
    assert begin_trial(account_id=dispatch.account_id, now=LATER) is None
    follow_dispatches(now=LATER)
    found = Campaign.objects.get(pk=campaign.pk)
    assert (found.state, found.state_reason) == ("paused", "")
    assert AuditEntry.objects.filter(action="dispatch.paused", subject_id=dispatch.pk, actor_label="Alice").count() == 1
    with pytest.raises(CampaignStateError):
        actions.pause_campaign(campaign=found, actor=SYSTEM, now=LATER)
    assert actions.resume_campaign(campaign=found, actor=SYSTEM, now=LATER).state == "running"
