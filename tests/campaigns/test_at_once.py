"""Two who do something with a campaign at the same moment: one has done it, and neither undoes what the other did."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from accounts.audit import SYSTEM
from accounts.models import AuditEntry
from accounts.tenancy import tenant
from campaigns import actions
from campaigns.models import Campaign
from campaigns.refusals import CampaignStateError
from crm.models import Event
from messaging.models import Chunk, Delivery, Dispatch, DispatchState, SenderAccount
from messaging.planning import plan_dispatch
from messaging.sending.breaker import close_breaker
from tests.beside import run_beside, wait_for_a_lock
from tests.campaigns.worlds import NOW, make_campaign, make_dispatch, make_reachable
from tests.conftest import Cast

LATER = NOW + timedelta(hours=1)
pytestmark = pytest.mark.usefixtures("unheard")


def test_of_two_who_launch_at_once_one_has_done_it(committed_cast: Cast) -> None:
    organization_id = committed_cast.saffron.pk
    with tenant(organization_id):
        make_reachable()
        campaign = make_campaign()
    start, results = threading.Barrier(2, timeout=60), []

    def press() -> None:
        try:
            with tenant(organization_id):
                mine = Campaign.objects.get(pk=campaign.pk)
                start.wait(5)
                actions.launch_campaign(campaign=mine, actor=committed_cast.alice_acts, now=NOW)
            results.append("launched")
        except CampaignStateError:
            results.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=press) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(results) == ["launched", "refused"]
    with tenant(organization_id):
        assert Dispatch.objects.count() == 1
        assert AuditEntry.objects.filter(action="campaign.launched").count() == 1
        assert Event.objects.filter(kind="campaign.launched").count() == 1


def test_of_two_workers_who_plan_at_once_one_writes_the_ledger(committed_cast: Cast) -> None:
    organization_id = committed_cast.saffron.pk
    with tenant(organization_id):
        for _ in range(20):
            make_reachable()
        campaign = actions.launch_campaign(campaign=make_campaign(), actor=SYSTEM, now=NOW)
    start, results = threading.Barrier(2, timeout=60), []

    def work() -> None:
        try:
            with tenant(organization_id):
                start.wait(5)
                reach = actions.plan_campaign(campaign_id=campaign.pk, now=NOW)
            results.append(reach.planned if reach else None)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(results, key=str) == [20, None]
    with tenant(organization_id):
        assert (Delivery.objects.count(), Chunk.objects.count()) == (20, 1)


def test_what_is_unscheduled_at_the_last_moment_is_not_launched(committed_cast: Cast) -> None:
    organization_id = committed_cast.saffron.pk
    with tenant(organization_id):
        make_reachable()
        campaign = actions.schedule_campaign(campaign=make_campaign(), at=LATER, actor=SYSTEM, now=NOW)

    def launch() -> bool:
        with tenant(organization_id):
            return actions.launch_scheduled(campaign_id=campaign.pk, now=LATER)

    with tenant(organization_id):
        actions.unschedule_campaign(campaign=campaign, actor=committed_cast.alice_acts, now=LATER)
        thread, came = run_beside(launch)
        wait_for_a_lock()
    thread.join(20)
    assert came == [False]
    with tenant(organization_id):
        assert (Campaign.objects.get().state, Dispatch.objects.count()) == ("draft", 0)
        assert not AuditEntry.objects.filter(action="campaign.launched").exists()


def test_a_pause_while_a_plan_is_tried_again_waits_for_it_and_holds(committed_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    organization_id = committed_cast.saffron.pk
    with tenant(organization_id):
        make_reachable()
        campaign = actions.launch_campaign(campaign=make_campaign(), actor=SYSTEM, now=NOW)
        actions.note_broken_plan(campaign_id=campaign.pk, reason="x", now=NOW)

    def pause() -> str:
        with tenant(organization_id):
            return actions.pause_campaign(campaign=campaign, actor=committed_cast.alice_acts, now=NOW).state

    with tenant(organization_id):
        threads = []

        def write_while_somebody_pauses(**values: Any) -> Any:
            reach = plan_dispatch(**values)
            threads.append(run_beside(pause))
            wait_for_a_lock()
            return reach

        monkeypatch.setattr("campaigns.actions.launching.plan_dispatch", write_while_somebody_pauses)
        assert actions.plan_campaign(campaign_id=campaign.pk, now=NOW) is not None
    thread, came = threads[0]
    thread.join(20)
    assert came == ["paused"]
    with tenant(organization_id):
        assert (Delivery.objects.count(), Dispatch.objects.get().state) == (1, "paused")


def test_bells_for_a_plan_that_is_being_written_block_no_worker(committed_cast: Cast) -> None:
    organization_id = committed_cast.saffron.pk
    with tenant(organization_id):
        make_reachable()
        campaign = actions.launch_campaign(campaign=make_campaign(), actor=SYSTEM, now=NOW)

    def plan() -> Any:
        with tenant(organization_id):
            return actions.plan_campaign(campaign_id=campaign.pk, now=NOW)

    with tenant(organization_id):
        assert actions.plan_campaign(campaign_id=campaign.pk, now=NOW) is not None
        thread, came = run_beside(plan)
        thread.join(10)
        assert (thread.is_alive(), came) == (False, [None])
    with tenant(organization_id):
        assert Delivery.objects.count() == 1


def test_a_dispatch_that_somebody_is_pausing_is_not_let_go_by_its_sender(committed_cast: Cast) -> None:
    organization_id = committed_cast.saffron.pk
    with tenant(organization_id):
        dispatch = make_dispatch(state=DispatchState.PAUSED, waits_for_account=True, started_at=NOW)
        SenderAccount.objects.update(failure_count=1)
        campaign = make_campaign(name="Held")
        Campaign.objects.update(state="paused", dispatch=dispatch, launched_at=NOW)

    def let_go() -> list[int]:
        with tenant(organization_id):
            return close_breaker(account_id=dispatch.account_id)

    with tenant(organization_id):
        actions.pause_campaign(campaign=campaign, actor=committed_cast.alice_acts, now=NOW)
        thread, came = run_beside(let_go)
        thread.join(10)
        assert came == [[]]
    with tenant(organization_id):
        assert Dispatch.objects.get().state == "paused"
