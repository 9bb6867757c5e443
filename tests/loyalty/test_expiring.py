"""Points that expire soon are told of in time, and once for each warning."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from accounts.audit import SYSTEM
from accounts.models import Role
from crm.models import Event
from loyalty.actions.counter import give_points
from loyalty.actions.expiring import tell_of_expiring_points
from loyalty.models import Lot, Terms
from messaging.variables import load_contexts
from tests.conftest import Cast
from tests.factories import CustomerFactory
from tests.loyalty.ledger_stage import DAY, NOW, Stage, make_member
from tests.loyalty.program_stage import Shop, open_program


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


def test_gifts_and_earnings_end_on_the_day_of_the_customers_own_clock_and_that_day_is_told(in_saffron: Cast) -> None:
    far = CustomerFactory.create(time_zone="America/Los_Angeles")  # the organization is in New York
    shop = Shop(open_program(expiry={"kind": "age", "months": 1, "warn_days": [30]}), customer=far)
    shop.buy(50_000, at=NOW)
    give_points(member=shop.member, amount=10, reason="Goodwill", token="t" * 20, now=NOW, actor=SYSTEM, role=Role.OWNER)
    midnight = datetime(2026, 4, 3, tzinfo=ZoneInfo("America/Los_Angeles"))
    assert list(Lot.objects.order_by("pk").values_list("amount", "expires_at")) == [(50, midnight), (10, midnight)]
    tell_of_expiring_points(now=NOW + 5 * DAY)
    assert told() == [(60, "2026-04-02", 30)]
    names = ["loyalty.expiring_points", "loyalty.expiring_on"]
    context = load_contexts(customer_ids=[far.pk], names=names, language="en", now=NOW + 5 * DAY)[far.pk]
    assert context["loyalty"] == {"expiring_points": 60, "expiring_on": "Apr 2, 2026"}
