"""Points for joining, birthdays, events and whatever else is told by its key."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from accounts.audit import SYSTEM
from config.reactions import react
from crm.actions import book_visit, change_visit_state
from crm.events import NewEvent, record_event
from crm.models import Event, VisitState
from loyalty.actions.awards import award_points
from loyalty.actions.following import follow_events
from loyalty.actions.members import enrol_member
from loyalty.actions.sweeping import award_birthdays, settle_due_wallets
from loyalty.models import Entry, Member, Program, Wallet
from loyalty.rules.terms import EarnOn
from tests.conftest import Cast
from tests.factories import CustomerFactory
from tests.loyalty.ledger_stage import DAY, NOW
from tests.loyalty.program_stage import Shop, open_program

pytestmark = pytest.mark.usefixtures("in_saffron")


def rule(on: str, points: int, **values: Any) -> dict[str, Any]:
    return {"key": on, "on": on, "points": points} | values


def enrol(program: Program, **customer: Any) -> Member:
    return enrol_member(program=program, customer=CustomerFactory.create(**customer), now=NOW, actor=SYSTEM)


@pytest.fixture
def birthdays(in_saffron: Cast) -> Callable[[datetime], int]:
    """The sweep at a moment."""
    return lambda now: award_birthdays(organization_id=in_saffron.saffron.pk, now=now)


def test_joining_earns_once() -> None:
    program = open_program(earn=[rule("sign_up", 50)])
    member = enrol(program)
    enrol_member(program=program, customer=member.customer, now=NOW, actor=SYSTEM)
    assert list(Entry.objects.values_list("key", "amount")) == [(f"sign_up:{member.pk}", 50)]


def test_a_birthday_is_awarded_once_a_year_on_the_members_own_day(birthdays: Callable[[datetime], int]) -> None:
    program = open_program(earn=[rule("birthday", 30)])
    tokyo = enrol(program, birthday=date(1990, 3, 10), time_zone="Asia/Tokyo")
    here = enrol(program, birthday=date(1990, 3, 10))
    enrol(program, birthday=date(1990, 3, 1))
    moment = datetime(2026, 3, 9, 15, tzinfo=UTC)  # midnight in Tokyo, the morning before in New York
    assert [birthdays(moment - timedelta(minutes=1)), birthdays(moment), birthdays(moment)] == [0, 1, 0]
    assert birthdays(datetime(2026, 3, 11, 23, tzinfo=UTC)) == 1  # the sweep was away for a day
    assert birthdays(datetime(2027, 3, 10, 12, tzinfo=UTC)) == 2
    entries = Entry.objects.order_by("id").values_list("member_id", "key", "occurred_at")[:2]
    assert list(entries) == [
        (tokyo.pk, f"birthday:{tokyo.pk}:2026", moment),
        (here.pk, f"birthday:{here.pk}:2026", datetime(2026, 3, 10, 4, tzinfo=UTC)),
    ]


def test_a_member_whose_time_zone_does_not_exist_has_their_birthday_on_the_organizations_clock(
    birthdays: Callable[[datetime], int],
) -> None:
    program = open_program(earn=[rule("birthday", 30)])
    member = enrol(program, birthday=date(1990, 3, 10), time_zone="Mars/Base")
    assert birthdays(datetime(2026, 3, 10, 12, tzinfo=UTC)) == 1
    midnight = datetime(2026, 3, 10, 4, tzinfo=UTC)  # in New York
    assert list(Entry.objects.values_list("member_id", "amount", "occurred_at")) == [(member.pk, 30, midnight)]


def test_who_was_born_on_29_february_is_awarded_on_the_28th_of_other_years(birthdays: Callable[[datetime], int]) -> None:
    program = open_program(earn=[rule("birthday", 30)])
    enrol_member(program=program, customer=CustomerFactory.create(birthday=date(1992, 2, 29)), now=NOW - 99 * DAY, actor=SYSTEM)
    assert birthdays(datetime(2026, 2, 28, 12, tzinfo=UTC)) == 1
    assert birthdays(datetime(2028, 2, 28, 12, tzinfo=UTC)) == 0
    assert birthdays(datetime(2028, 2, 29, 12, tzinfo=UTC)) == 1


def test_an_event_of_another_system_earns_what_its_rule_says() -> None:
    shop = Shop(open_program(earn=[rule("event", 10, event="class.attended"), rule("event", 99, key="other", event="class.left")]))
    for key in ("a", "a", "b"):
        record_event(NewEvent("class.attended", NOW, shop.customer.pk, "api", {}, key))
    record_event(NewEvent("class.attended", NOW, None, "api"))
    events = list(Event.objects.filter(kind="class.attended"))
    follow_events(events)
    follow_events(events)
    assert shop.wallet()[0] == 20


def test_a_visit_closed_late_is_judged_by_when_it_took_place(in_saffron: Cast) -> None:
    program = open_program(earn=[rule("event", 10, event="visit.completed")], enrol="by_hand")
    member = enrol(program)  # at NOW
    for starts_at in (NOW - 400 * DAY, NOW + DAY):
        visit = book_visit(customer=member.customer, starts_at=starts_at, actor=in_saffron.bob_acts, now=NOW - 401 * DAY)
        change_visit_state(visit=visit, state=VisitState.COMPLETED, actor=in_saffron.bob_acts, now=NOW + 2 * DAY)
    follow_events(list(Event.objects.filter(kind="visit.completed")))
    assert list(Entry.objects.values_list("amount", "occurred_at")) == [(10, NOW + DAY)]


@pytest.mark.parametrize("on", [EarnOn.REVIEW, EarnOn.REFERRAL])
def test_reviews_and_referrals_are_awarded_by_their_key(on: EarnOn) -> None:
    member = enrol(open_program(earn=[rule(on, 25, cap={"points": 50, "per": "member"})]))
    for key in ("1", "1", "2", "3"):
        award_points(member=member, on=on, key=f"{on}:{key}", at=NOW, now=NOW, actor=SYSTEM)
    assert Wallet.objects.get(member=member).balance == 50


def test_wallets_that_are_due_are_settled_and_found_again_only_when_due(in_saffron: Cast) -> None:
    shop = Shop(open_program(expiry={"kind": "age", "months": 1}))
    shop.buy(10_000)
    lapses_at = datetime(2026, 4, 3, 4, tzinfo=UTC)
    organization = in_saffron.saffron.pk
    moments = [lapses_at - timedelta(seconds=1), lapses_at, lapses_at]
    assert [settle_due_wallets(organization_id=organization, now=moment) for moment in moments] == [0, 1, 0]
    assert shop.wallet()[0] == 0


def test_reactions_earn_for_purchases_that_nobody_answered(in_saffron: Cast) -> None:
    shop = Shop(open_program(earn=[rule("amount", 1, per_minor=1_000)]), waits=True)
    sale = shop.buy(10_000)
    assert not Entry.objects.exists()
    follow_events(list(Event.objects.filter(kind="purchase.completed")))
    shop.refund(sale, 5_000)
    follow_events(list(Event.objects.filter(kind__startswith="purchase.")))
    assert shop.wallet()[0] == 5
    react(organization_id=in_saffron.saffron.pk)
    assert shop.wallet()[0] == 5
