"""A rule change tried on last year's history."""

from datetime import timedelta

import pytest

from accounts.audit import SYSTEM
from loyalty.actions.members import enrol_member
from loyalty.models import Entry, Program
from loyalty.queries import simulation
from loyalty.queries.simulation import Outcome, simulate_terms
from loyalty.rules.terms import parse_terms
from tests.conftest import Cast
from tests.loyalty.ledger_stage import DAY, NOW
from tests.loyalty.program_stage import SALES, Shop, open_program

REDEMPTION = {"points": 100, "minor": 100}


@pytest.fixture
def program(in_saffron: Cast) -> Program:
    return open_program(redemption=REDEMPTION, redeemed_share=80)


def test_doubling_the_points_doubles_the_cost_and_everybody_wins(program: Program) -> None:
    shop = Shop(program)
    shop.buy(50_000, at=NOW - 10 * DAY)
    draft = parse_terms({"earn": [SALES | {"points": 2}], "redemption": REDEMPTION, "redeemed_share": 80})
    found = simulate_terms(program_id=program.pk, draft=draft, now=NOW)
    assert (found.before, found.after) == (Outcome(50, 40), Outcome(100, 80))
    assert (found.winners, found.losers, found.unchanged, found.is_sample) == (1, 0, 0, False)
    assert [(change.member_id, change.before, change.after) for change in found.most_won] == [(shop.member.pk, 50, 100)]


def test_points_that_move_from_one_product_to_another_have_winners_and_losers(program: Program) -> None:
    cutter, shaver, idle = Shop(program), Shop(program), Shop(program)
    cutter.buy(("cut", 30_000), at=NOW - 10 * DAY)
    shaver.buy(("shave", 30_000), at=NOW - 10 * DAY)
    idle.buy(30_000, at=NOW - 400 * DAY)
    draft = parse_terms({"earn": [{"key": "cuts", "on": "product", "products": ["cut"], "points": 90}]})
    found = simulate_terms(program_id=program.pk, draft=draft, now=NOW)
    assert (found.winners, found.losers, found.unchanged) == (1, 1, 1)
    assert (found.most_won[0].member_id, found.most_won[0].after) == (cutter.member.pk, 90)
    assert (found.most_lost[0].member_id, found.most_lost[0].after) == (shaver.member.pk, 0)


def test_what_came_back_earns_nothing_and_caps_hold(program: Program) -> None:
    shop = Shop(program)
    sale = shop.buy(50_000, at=NOW - 10 * DAY)
    shop.refund(sale, 20_000)
    shop.buy(90_000, at=NOW - 10 * DAY + timedelta(hours=1))
    draft = parse_terms({"earn": [SALES | {"cap": {"points": 100, "per": "day"}}]})
    found = simulate_terms(program_id=program.pk, draft=draft, now=NOW)
    assert (found.before.points, found.after.points) == (120, 100)


def test_a_sample_uses_up_its_share_of_a_budget(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    for _member in range(2):
        Shop(program).buy(90_000, at=NOW - 10 * DAY)
    draft = parse_terms({"earn": [SALES | {"budget": 60}]})
    assert simulate_terms(program_id=program.pk, draft=draft, now=NOW).after.points == 60
    monkeypatch.setattr(simulation, "MOST_MEMBERS", 1)
    found = simulate_terms(program_id=program.pk, draft=draft, now=NOW)
    assert (found.members, found.members_in_all, found.before.points, found.after.points) == (1, 2, 90, 30)


def test_a_simulation_writes_nothing(program: Program) -> None:
    Shop(program).buy(50_000, at=NOW - 10 * DAY)
    entries = Entry.objects.count()
    simulate_terms(program_id=program.pk, draft=parse_terms({"earn": [SALES]}), now=NOW)
    assert Entry.objects.count() == entries


def test_what_was_before_somebody_was_enrolled_by_hand_counts_for_neither_side(in_saffron: Cast) -> None:
    shop = Shop(open_program(enrol="by_hand", redemption=REDEMPTION))
    shop.buy(50_000, at=NOW - 20 * DAY)
    shop.visit(at=NOW - 20 * DAY)
    enrol_member(program=shop.program, customer=shop.customer, now=NOW - 10 * DAY, actor=SYSTEM)
    shop.buy(30_000, at=NOW - 5 * DAY)
    visits = {"key": "visits", "on": "visit", "points": 7}
    found = simulate_terms(program_id=shop.program.pk, draft=parse_terms({"enrol": "by_hand", "earn": [SALES, visits]}), now=NOW)
    assert (found.before.points, found.after.points) == (30, 30)
