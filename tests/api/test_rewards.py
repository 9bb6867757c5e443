"""The catalogue over the API: rewards put into it and changed."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.audit import SYSTEM
from accounts.models import Role
from accounts.permissions import Permission
from accounts.tenancy import tenant
from loyalty.actions.catalogue import create_reward
from loyalty.actions.members import enrol_member
from loyalty.actions.points import earn_points
from loyalty.actions.rewards import redeem_reward
from loyalty.models import Program, Reward
from tests.api.conftest import Caller, errors_of
from tests.api.loyalty_stage import Ask, ask_in_browser, audited, person_of, traces
from tests.conftest import Cast
from tests.factories import CustomerFactory
from tests.loyalty.ledger_stage import NOW
from tests.loyalty.program_stage import open_program

Problem = Callable[..., dict[str, Any]]


@pytest.fixture
def program(cast: Cast) -> Program:
    with tenant(cast.saffron.pk):
        return open_program()


@pytest.fixture
def wax(cast: Cast, program: Program) -> Reward:
    """A reward for 100 points, of which one of five is sold."""
    with tenant(cast.saffron.pk):
        wax = create_reward(program=program, actor=SYSTEM, name="Wax", points=100, stock=5)
        member = enrol_member(program=program, customer=CustomerFactory.create(), now=NOW, actor=SYSTEM)
        earn_points(member_id=member.pk, amount=400, key="start", now=NOW, actor=SYSTEM)
        redeem_reward(member_id=member.pk, reward_id=wax.pk, key="bought", now=NOW, actor=SYSTEM)
        return wax


def test_a_reward_is_put_into_the_catalogue_and_changed(cast: Cast, till: Caller, program: Program) -> None:
    offered = {
        "program": program.pk, "name": "Hot towel", "description": "After the cut", "picture_url": "https://saffron.example/towel.png",
        "kind": "service", "points": 250, "cash_minor": 500, "stock": 20, "valid_from": "2026-03-01T00:00:00Z",
        "limit_per_member": 3, "limit_per_period": 1, "limit_period": "day", "tiers": ["silver", "gold"], "voucher_days": 30,
    }  # fmt: skip
    created = till.post("rewards/", offered, idempotency_key="k")
    assert created.status_code == 201, created.content
    body = created.json()
    assert created["Location"] == f"/api/v1/rewards/{body['id']}/"
    rest = {"sold": 0, "valid_until": None, "is_active": True}
    assert {name: value for name, value in body.items() if name not in ("id", "created_at")} == offered | rest
    again = till.post("rewards/", offered, idempotency_key="k")
    assert (again.content, again["Idempotency-Replayed"]) == (created.content, "true")
    change: dict[str, Any] = {
        "points": 300,
        "stock": None,
        "tiers": [],
        "voucher_days": None,
        "valid_until": "2026-12-01T00:00:00Z",
        "is_active": False,
    }
    changed = till.patch(f"rewards/{body['id']}/", change)
    assert changed.status_code == 200
    assert changed.json() == till.get(f"rewards/{body['id']}/").json() == body | change
    before = traces(cast)
    assert till.patch(f"rewards/{body['id']}/", change).json() == body | change
    assert traces(cast) == before
    assert audited(cast, "reward") == [("reward.created", "Till"), ("reward.changed", "Till")]


def test_a_reward_needs_no_more_than_its_program_name_and_price(till: Caller, program: Program) -> None:
    body = till.post("rewards/", {"program": program.pk, "name": "Wax", "points": 0}).json()
    assert {name: body[name] for name in ("kind", "points", "cash_minor", "stock", "limit_period", "tiers", "voucher_days")} == {
        "kind": "product", "points": 0, "cash_minor": 0, "stock": None, "limit_period": "month", "tiers": [], "voucher_days": None,
    }  # fmt: skip


def test_a_stock_below_what_is_sold_is_refused(cast: Cast, till: Caller, wax: Reward, assert_problem: Problem) -> None:
    before = traces(cast)
    refused = assert_problem(till.patch(f"rewards/{wax.pk}/", {"stock": 0}), 400, "invalid")
    assert errors_of(refused) == {"#/stock": "stock"}
    assert traces(cast) == before
    left = till.patch(f"rewards/{wax.pk}/", {"stock": 1, "points": 900}).json()
    assert (left["stock"], left["sold"], left["points"]) == (1, 1, 900)
    assert [voucher["points"] for voucher in till.get(f"vouchers/?reward={wax.pk}").json()["results"]] == [100]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"name": " "}, "#/name"),
        ({"description": "d" * 2_001}, "#/description"),
        ({"picture_url": "javascript:alert(1)"}, "#/picture_url"),
        ({"picture": "wax.png"}, "#/picture"),
        ({"kind": "kindness"}, "#/kind"),
        ({"points": -1}, "#/points"),
        ({"points": None}, "#/points"),
        ({"cash_minor": 10**15 + 1}, "#/cash_minor"),
        ({"stock": -1}, "#/stock"),
        ({"sold": 0}, "#/sold"),
        ({"limit_per_member": 0}, "#/limit_per_member"),
        ({"limit_per_period": 10**9 + 1}, "#/limit_per_period"),
        ({"limit_period": "week"}, "#/limit_period"),
        ({"tiers": ["t"] * 201}, "#/tiers"),
        ({"tiers": [""]}, "#/tiers/0"),
        ({"voucher_days": 36_501}, "#/voucher_days"),
        ({"valid_until": "soon"}, "#/valid_until"),
    ],
)
def test_a_reward_that_makes_no_sense_is_told_at_its_place(
    cast: Cast, till: Caller, wax: Reward, assert_problem: Problem, body: dict[str, Any], place: str
) -> None:
    before = traces(cast)
    new = {"program": wax.program_id, "name": "New", "points": 1, **body}
    for response in (till.post("rewards/", new), till.patch(f"rewards/{wax.pk}/", body)):
        assert list(errors_of(assert_problem(response, 400, "invalid"))) == [place]
    assert traces(cast) == before


def test_who_may_not_changes_nothing(
    cast: Cast, key_with: Callable[..., Caller], as_bob: Any, wax: Reward, assert_problem: Problem
) -> None:
    asks = [
        Ask("POST", "rewards/", {"program": wax.program_id, "name": "New", "points": 1}),
        Ask("PATCH", f"rewards/{wax.pk}/", {"points": 1}),
    ]
    key, marketer = key_with(Permission.LOYALTY_VIEW, Permission.POINTS_CHANGE), person_of(cast, Role.MARKETER)
    key.get("rewards/")
    before = traces(cast)
    for ask in asks:
        assert_problem(key.call(ask.method, ask.path, ask.body), 403, "missing_scope")
        assert_problem(ask_in_browser(as_bob, ask), 403, "missing_scope")
    assert traces(cast) == before
    assert [ask_in_browser(marketer, ask).status_code for ask in asks] == [201, 200]


def test_another_organization_sees_and_changes_nothing(cast: Cast, rival: Caller, wax: Reward, assert_problem: Problem) -> None:
    before = traces(cast)
    assert_problem(rival.patch(f"rewards/{wax.pk}/", {"points": 1}), 404, "not_found")
    refused = assert_problem(rival.post("rewards/", {"program": wax.program_id, "name": "New", "points": 1}), 400, "invalid")
    assert errors_of(refused) == {"#/program": "does_not_exist"}
    assert traces(cast) == before
