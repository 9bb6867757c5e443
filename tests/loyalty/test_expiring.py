"""Points that expire soon are told of in time, and once for each warning."""

from typing import Any

import pytest

from crm.models import Event
from loyalty.actions.expiring import tell_of_expiring_points
from loyalty.models import Terms
from tests.conftest import Cast
from tests.loyalty.ledger_stage import DAY, NOW, Stage, make_member


@pytest.fixture
def stage(in_saffron: Cast) -> Stage:
    member = make_member()
    Terms.objects.create(
        program=member.program, version=1, valid_from=NOW - DAY, document={"expiry": {"kind": "age", "months": 12, "warn_days": [30, 7]}}
    )
    return Stage(member)


def told() -> list[tuple[Any, ...]]:
    events = Event.objects.filter(kind="points.expiring").order_by("id")
    return [(event.properties["points"], event.properties["expires_on"], event.properties["days"]) for event in events]


def test_points_are_told_of_once_for_each_number_of_days(stage: Stage) -> None:
    stage.earn(100, expires_in=20 * DAY)
    stage.earn(50, expires_in=60 * DAY)
    counts = [tell_of_expiring_points(now=NOW + days * DAY) for days in (0, 1, 13, 14, 19)]
    assert counts == [1, 0, 1, 0, 0]
    assert told() == [(100, "2026-03-22", 30), (100, "2026-03-22", 7)]


def test_points_that_were_spent_are_not_told_of(stage: Stage) -> None:
    stage.earn(100, expires_in=20 * DAY)
    stage.redeem(100)
    assert tell_of_expiring_points(now=NOW) == 0
