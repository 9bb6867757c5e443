"""What was asked of a thing that does not stand so: a conflict, whatever the thing is, that says how it stands."""

from typing import Any

import pytest

from accounts.models import AuditEntry
from accounts.tenancy import tenant
from crm.models import Visit
from tests.api.conftest import Caller
from tests.api.loyalty_stage import Problem
from tests.conftest import Cast


@pytest.fixture
def stage(cast: Cast, world: dict[str, int], till: Caller) -> dict[str, int]:
    """The world, with something in it that has moved on, is in use, or is of another kind."""
    till.post(f"visits/{world['visits']}/state/", {"state": "completed"})
    till.patch(f"campaigns/{world['campaigns']}/", {"include": [world["segments"]]})
    coming = till.post("visits/", {"customer": world["customers"], "starts_at": "2090-05-01T09:30:00Z"}).json()["id"]
    refund = till.post(f"purchases/{world['purchases']}/refund/", {"amount_minor": 100}).json()["id"]
    listed = till.post("segments/", {"name": "By hand", "kind": "static"}).json()["id"]
    till.post("segments/", {"name": "Not they", "rules": {"none": [{"segment": listed}]}})
    draft = till.post("programs/", {"name": "New"}).json()["id"]
    return world | {"coming": coming, "refund": refund, "listed": listed, "draft": draft}


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "stands"),
    [
        ("POST", "visits/{visits}/state/", {"state": "booked"}, "wrong_state", {"state": "completed"}),
        ("POST", "visits/{visits}/state/", {"state": "cancelled"}, "wrong_state", {"state": "completed"}),
        ("POST", "visits/{coming}/state/", {"state": "completed"}, "not_yet", {"state": "booked"}),
        ("POST", "visits/{coming}/state/", {"state": "no_show"}, "not_yet", {"state": "booked"}),
        ("POST", "campaigns/{campaigns}/resume/", {}, "wrong_state", {"state": "draft"}),
        ("POST", "programs/{draft}/close/", {}, "wrong_state", {"state": "draft"}),
        ("POST", "programs/{draft}/activate/", {}, "not_ready", {}),
        ("POST", "purchases/{refund}/refund/", {"amount_minor": 1}, "wrong_kind", {"kind": "refund"}),
        ("POST", "till/refunds/", {"purchase": "{refund}", "amount_minor": 1}, "wrong_kind", {"kind": "refund"}),
        ("POST", "segments/{segments}/members/", {"add": ["{customers}"]}, "wrong_kind", {"kind": "dynamic"}),
        ("DELETE", "segments/{segments}/", {}, "in_use", {}),
        ("DELETE", "segments/{listed}/", {}, "in_use", {}),
    ],
)
def test_a_thing_that_does_not_stand_so_is_a_conflict(
    cast: Cast, till: Caller, stage: dict[str, int], assert_problem: Problem, method: str, path: str, body: Any, code: str, stands: Any
) -> None:
    before = written(cast)
    told = assert_problem(till.call(method, path.format(**stage), filled(body, stage), idempotency_key="again"), 409, code)
    assert {name: told[name] for name in told.keys() - {"type", "title", "status", "detail", "instance"}} == stands
    assert written(cast) == before


def test_points_rewards_and_vouchers_say_how_they_stand(cast: Cast, till: Caller, world: dict[str, int], assert_problem: Problem) -> None:
    member, reward = f"members/{world['members']}/", world["rewards"]
    too_many = assert_problem(till.post(f"{member}redeem/", {"points": 10_000}, idempotency_key="1"), 409, "insufficient_points")
    assert (too_many["wanted"], too_many["available"]) == (10_000, 850)
    till.patch(f"rewards/{reward}/", {"stock": 1})
    refused = assert_problem(till.post(f"{member}redeem-reward/", {"reward": reward}, idempotency_key="2"), 409, "reward_refused")
    assert refused["reason"] == "sold_out"
    till.patch(f"rewards/{reward}/", {"stock": None, "cash_minor": 500})
    bought = till.post(f"{member}redeem-reward/", {"reward": reward}, idempotency_key="3").json()
    use = {"code": bought["voucher"]["code"]}
    due = assert_problem(till.post("vouchers/use/", use, idempotency_key="4"), 409, "cash_due")
    assert due["due_minor"] == 500
    assert till.post("vouchers/use/", {**use, "paid_minor": 500}, idempotency_key="5").status_code == 200
    before = written(cast)
    for again, path, body in (
        ("6", "vouchers/use/", {**use, "paid_minor": 500}),
        ("7", f"{member}undo/", {"entry": bought["receipt"]["entry"]}),
    ):
        assert assert_problem(till.post(path, body, idempotency_key=again), 409, "voucher_not_open")["state"] == "used"
    assert written(cast) == before


def filled(body: Any, ids: dict[str, int]) -> Any:
    """The body, with ids where it names things."""
    if isinstance(body, dict):
        return {name: filled(value, ids) for name, value in body.items()}
    if isinstance(body, list):
        return [filled(value, ids) for value in body]
    return ids[body[1:-1]] if isinstance(body, str) and body.startswith("{") else body


def written(cast: Cast) -> list[Any]:
    """What every change leaves behind, and how visits stand."""
    with tenant(cast.saffron.pk):
        return [AuditEntry.objects.count(), list(Visit.objects.order_by("pk").values_list("pk", "state"))]
