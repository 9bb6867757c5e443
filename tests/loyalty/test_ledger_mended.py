"""Mistakes that a bank must not make, each found once by reading and never again."""

from datetime import timedelta

import pytest
from django.db import connection

from accounts.audit import SYSTEM
from loyalty.actions.points import earn_points, redeem_points
from loyalty.ledger.posting import KeyReusedError
from loyalty.ledger.verification import verify_ledger
from loyalty.models import Entry, EntryKind, Hold, Lot, Posting
from loyalty.queries.wallets import spendable
from loyalty.rules.postings import InsufficientPointsError
from tests.conftest import Cast
from tests.loyalty.ledger_stage import DAY, Stage, make_member, make_program


@pytest.fixture
def stage(in_saffron: Cast) -> Stage:
    return Stage(make_member())


def test_spendable_counts_what_matured_lapsed_and_was_released_since_the_last_entry(stage: Stage) -> None:
    stage.earn(100, expires_in=5 * DAY)
    stage.earn(40, matures_in=2 * DAY)
    stage.hold(30, lapses_in=DAY)
    moments = (timedelta(0), DAY, 2 * DAY, 5 * DAY)
    assert [spendable(stage.member.pk, stage.now + later) for later in moments] == [70, 100, 140, 40]
    assert stage.wallet() == (70, 30, 40, 0)
    assert Entry.objects.count() == 3


def test_spendable_knows_that_maturing_points_repay_debt_first(stage: Stage) -> None:
    stage.earn(40, matures_in=DAY)
    stage.claw_back(15)
    assert spendable(stage.member.pk, stage.now + DAY) == 25


def test_points_that_lapsed_while_they_were_pending_repay_nothing(stage: Stage) -> None:
    stage.earn(40, matures_in=3 * DAY, expires_in=2 * DAY)
    stage.claw_back(15)
    stage.now += 4 * DAY
    stage.settle()
    assert stage.wallet() == (0, 0, 0, 15)
    assert Posting.objects.get(account="expired").amount == 40


def test_pending_points_that_were_taken_back_wrongly_are_pending_again(stage: Stage) -> None:
    sale = stage.earn(40, matures_in=2 * DAY)
    clawback = stage.claw_back(15, sale)
    stage.restore(clawback)
    assert stage.wallet() == (0, 0, 40, 0)
    stage.now += 2 * DAY
    stage.settle()
    assert stage.wallet() == (40, 0, 0, 0)
    assert {check: verdict.first for check, verdict in verify_ledger().items() if verdict.failed} == {}


def test_the_clock_of_a_wallet_never_runs_backwards(stage: Stage) -> None:
    stage.earn(10, expires_in=DAY)
    stage.now += DAY
    stage.earn(5)
    stage.now -= timedelta(seconds=5)  # another server's clock is slow
    earned = stage.earn(7, expires_in=timedelta(seconds=4))
    assert stage.wallet() == (5, 0, 0, 0)
    assert Entry.objects.get(pk=earned.entry_id).recorded_at == stage.now + timedelta(seconds=5)
    assert Entry.objects.get(sequence=5).kind == EntryKind.EXPIRE


def test_an_undoing_at_a_slow_clock_lets_lapsed_points_expire_at_the_wallets_own(stage: Stage) -> None:
    stage.earn(10, expires_in=DAY)
    redemption = stage.redeem(10)
    stage.now += DAY
    stage.earn(5)
    stage.now -= timedelta(seconds=5)
    undone = stage.undo(redemption)
    assert stage.wallet() == (5, 0, 0, 0)
    assert Entry.objects.get(pk=undone.entry_id).occurred_at == stage.now + timedelta(seconds=5)


def test_an_entry_counts_no_later_than_it_is_written(stage: Stage) -> None:
    earned = earn_points(member_id=stage.member.pk, amount=5, key="k", now=stage.now, actor=SYSTEM, occurred_at=stage.now + DAY)
    assert Entry.objects.get().occurred_at == stage.now
    assert Lot.objects.get(pk=earned.entry_id).earned_at == stage.now
    again = earn_points(member_id=stage.member.pk, amount=5, key="k", now=stage.now, actor=SYSTEM, occurred_at=stage.now + DAY)
    assert again.is_replay


def test_a_key_of_another_member_is_refused_and_of_another_program_is_free(stage: Stage) -> None:
    stage.earn(10, key="sale")
    neighbour = Stage(make_member(stage.member.program))
    with pytest.raises(KeyReusedError):
        neighbour.earn(10, key="sale")
    elsewhere = Stage(make_member(make_program("other")))
    elsewhere.earn(10, key="sale")
    assert [each.wallet()[0] for each in (stage, neighbour, elsewhere)] == [10, 0, 10]


def test_a_repeated_request_answers_with_the_wallet_of_now(stage: Stage) -> None:
    stage.earn(10, key="sale", expires_in=DAY)
    stage.now += DAY
    again = stage.earn(10, key="sale", expires_in=DAY)
    assert (again.is_replay, again.balance) == (True, 0)


def test_a_refusal_leaves_nothing_but_what_was_due(stage: Stage) -> None:
    stage.earn(10, expires_in=DAY)
    stage.now += DAY
    with pytest.raises(InsufficientPointsError):
        stage.redeem(10)
    assert list(Entry.objects.order_by("id").values_list("kind", flat=True)) == ["earn", "expire"]
    assert stage.wallet() == (0, 0, 0, 0)


def test_details_that_the_database_would_give_back_otherwise_are_refused(stage: Stage) -> None:
    with pytest.raises(TypeError, match="float"):
        redeem_points(member_id=stage.member.pk, amount=1, key="k", now=stage.now, actor=SYSTEM, details={"rules": [{"rate": 1e16}]})
    assert Entry.objects.count() == 0


def test_a_hold_has_the_id_of_its_entry_and_one_request_places_one(stage: Stage) -> None:
    stage.earn(100)
    receipt, hold = stage.hold(60, key="till-1")
    again, same = stage.hold(60, key="till-1")
    assert (hold, same, again.is_replay) == (receipt.entry_id, receipt.entry_id, True)
    assert Hold.objects.count() == 1


def test_points_of_every_size_are_posted_by_one_plan(stage: Stage) -> None:
    plans = set()
    for amount in (1, 40_000, 3_000_000_000, 10**12):
        stage.earn(amount)
        with connection.cursor() as cursor:
            cursor.execute("select count(*) from pg_prepared_statements where statement like '%%insert into loyalty_entry%%'")
            plans.add(cursor.fetchone())
    assert (len(plans), stage.wallet()[0]) == (1, 1_003_000_040_001)


def test_debt_of_a_wrong_clawback_is_forgiven_though_the_earning_has_lapsed_since(stage: Stage) -> None:
    sale = stage.earn(100, expires_in=30 * DAY)
    stage.redeem(100)
    clawback = stage.claw_back(100, sale)
    assert stage.wallet() == (0, 0, 0, 100)
    stage.now += 40 * DAY
    stage.restore(clawback)
    assert stage.wallet() == (0, 0, 0, 0)
    assert {check: verdict.first for check, verdict in verify_ledger().items() if verdict.failed} == {}


def test_points_that_repaid_the_debt_of_a_wrong_clawback_come_back_to_their_own_lot(stage: Stage) -> None:
    sale = stage.earn(100, expires_in=30 * DAY)
    stage.redeem(100)
    clawback = stage.claw_back(100, sale)
    stage.earn(60)
    stage.earn(70, expires_in=50 * DAY)
    assert (stage.wallet(), stage.lots()) == ((30, 0, 0, 0), [0, 0, 30])
    stage.now += 40 * DAY
    stage.restore(clawback)
    assert (stage.wallet(), stage.lots()) == ((130, 0, 0, 0), [0, 60, 70])
    stage.now += 20 * DAY
    stage.settle()
    assert stage.wallet() == (60, 0, 0, 0)
    assert {check: verdict.first for check, verdict in verify_ledger().items() if verdict.failed} == {}


def test_points_come_back_once_when_two_wrong_clawbacks_are_restored(stage: Stage) -> None:
    sale = stage.earn(100, expires_in=30 * DAY)
    stage.redeem(100)
    first, second = stage.claw_back(40, sale), stage.claw_back(60, sale)
    stage.earn(80)
    assert stage.wallet() == (0, 0, 0, 20)
    stage.restore(first)
    assert (stage.wallet(), stage.lots()) == ((20, 0, 0, 0), [0, 20])
    stage.restore(second)
    assert (stage.wallet(), stage.lots()) == ((80, 0, 0, 0), [0, 80])
    assert {check: verdict.first for check, verdict in verify_ledger().items() if verdict.failed} == {}
