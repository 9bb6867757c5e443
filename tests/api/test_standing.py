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
        ("POST", "programs/{draft}/activate/", {}, "not_ready", {"state": "draft"}),
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
