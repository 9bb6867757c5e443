"""Members' tiers as they are kept, with their events; what messages and segments say of them."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts.audit import SYSTEM
from accounts.models import AuditEntry
from accounts.permissions import Access
from accounts.queries import Seat
from accounts.tenancy import tenant
from config.reactions import REACTIONS
from crm.actions import NewLine, record_purchase, refund_purchase
from crm.models import Event, Purchase
from crm.timeline import tell
from loyalty import tasks
from loyalty.actions import tiers
from loyalty.actions.programs import close_program, write_terms
from loyalty.actions.tiers import follow_tiers, sweep_tiers, update_tier
from loyalty.models import Member, Program, ProgramState, Terms
from loyalty.queries.programs import TermsBook
from loyalty.queries.tiers import benefits_of, members_by_tier
from messaging.variables import load_contexts
from segmentation.actions import create_segment
from segmentation.fields import registered_fields
from segmentation.queries import rules_customers, segment_customers
from segmentation.words import Words
from tests.conftest import Cast
from tests.loyalty.ledger_stage import DAY, NOW, Stage, make_member, make_program
from tests.loyalty.program_stage import SALES, Shop, open_program

TIERS = {
    "basis": "spend",
    "window": {"kind": "rolling", "months": 12},
    "levels": [
        {"key": "silver", "name": "Silver", "threshold": 100_00},
        {"key": "gold", "name": "Gold", "threshold": 500_00, "benefits": [{"kind": "discount", "value": 10}]},
    ],
}


@pytest.fixture
def member(in_saffron: Cast) -> Member:
    """A member of a program whose tiers are reached by spending."""
    member = make_member()
    Terms.objects.create(program=member.program, version=1, valid_from=NOW - 400 * DAY, document={"enrol": "by_hand", "tiers": TIERS})
    return member


def buy(member: Member, minor: int, *, days_later: int = 0) -> Purchase:
    at = NOW + days_later * DAY
    return record_purchase(lines=[NewLine(unit_price_minor=minor)], purchased_at=at, now=at, actor=SYSTEM, customer=member.customer)


def tier_of(member: Member, *, days_later: int) -> str:
    update_tier(member_id=member.pk, now=NOW + days_later * DAY, book=TermsBook())
    member.refresh_from_db()
    return member.tier


def changes(member: Member) -> list[tuple[str, str]]:
    events = Event.objects.filter(kind="tier.changed", customer=member.customer).order_by("id")
    return [(event.properties["before"], event.properties["after"]) for event in events]


def test_a_purchase_that_reaches_a_threshold_changes_the_tier_once(member: Member) -> None:
    buy(member, 500_00)
    assert [tier_of(member, days_later=1), tier_of(member, days_later=2)] == ["gold", "gold"]
    assert changes(member) == [("", "gold")]
    seat = Seat(0, "Saffron", Access(0, SYSTEM, frozenset()), "en", "UTC")
    assert [tell(event, seat).detail for event in Event.objects.filter(kind="tier.changed")] == ["Gold"]
    assert AuditEntry.objects.filter(action="member.tier_changed").count() == 1


def test_a_refund_takes_back_the_tier_its_sale_had_brought(member: Member) -> None:
    sale = buy(member, 500_00)
    assert tier_of(member, days_later=1) == "gold"
    refund_purchase(purchase=sale, amount_minor=450_00, refunded_at=NOW + 2 * DAY, actor=SYSTEM)
    assert tier_of(member, days_later=3) == ""
    assert changes(member) == [("", "gold"), ("gold", "")]


def test_the_reaction_follows_what_counts_and_nothing_else(member: Member) -> None:
    with time_machine.travel(NOW + DAY):
        buy(member, 500_00, days_later=-1)
        follow_tiers(list(Event.objects.all()))
        member.refresh_from_db()
        assert member.tier == ""  # before they joined
        buy(member, 100_00)
        follow_tiers(list(Event.objects.all()))
    member.refresh_from_db()
    assert member.tier == "silver"


@pytest.mark.parametrize("order", [(2, 1), (1, 2)])
def test_a_program_that_takes_people_in_counts_sales_in_whatever_order_they_arrive(in_saffron: Cast, order: tuple[int, int]) -> None:
    with time_machine.travel(NOW):
        shop, seen = Shop(open_program(tiers=TIERS)), 0
        for days in order:
            shop.buy(250_00, at=NOW - days * DAY)
            seen = follow(after=seen)
        assert shop.member.tier == "gold"


def points_shop(**document: Any) -> Shop:
    """A program whose tier asks for 50 points."""
    return Shop(open_program(tiers={"basis": "points", "levels": [{"key": "gold", "threshold": 50}]}, **document))


def follow(*, after: int) -> int:
    """Let tiers follow the events after one, as far as the table of reactions hands them on; returns the last."""
    events = list(Event.objects.filter(pk__gt=after).order_by("pk"))
    follow_tiers([event for event in events if follow_tiers in REACTIONS.get(event.kind, ())])
    return events[-1].pk


def test_points_for_a_purchase_before_they_joined_count(in_saffron: Cast) -> None:
    with time_machine.travel(NOW):
        shop = points_shop()
        shop.buy(10_000, at=NOW)
        seen = follow(after=0)
        shop.buy(60_000, at=NOW - 30 * DAY)
        follow(after=seen)
        assert shop.member.tier == "gold"


def test_points_that_are_given_back_bring_the_tier_back(in_saffron: Cast) -> None:
    with time_machine.travel(NOW):
        shop = points_shop(earn=[SALES | {"valid_until": (NOW - 5 * DAY).isoformat()}])
        shop.buy(("OIL", 60_000), at=NOW - 9 * DAY)
        shop.bring_back("OIL", 60_000, at=NOW)
        seen = follow(after=0)
        assert shop.member.tier == ""
        shop.buy(("OIL", 60_000), at=NOW - DAY)  # explains the refund better, and earns nothing
        follow(after=seen)
        assert shop.member.tier == "gold"


def test_the_sweep_lets_a_tier_go_when_its_time_has_come(member: Member) -> None:
    buy(member, 100_00)
    assert tier_of(member, days_later=1) == "silver"
    assert sweep_tiers(now=NOW + timedelta(days=364)) == 0
    assert sweep_tiers(now=NOW + timedelta(days=365)) == 1
    member.refresh_from_db()
    assert (member.tier, member.tier_until) == ("", None)


def test_the_sweep_looks_again_at_everybody_when_new_terms_are_in_force(in_saffron: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiers, "BATCH", 2)
    shops = [points_shop()]
    shops += [Shop(shops[0].program) for _ in range(2)]
    for shop in shops:
        shop.buy(60_000)
    assert [sweep_tiers(now=NOW) for _ in range(3)] == [2, 1, 0]
    assert [shop.member.tier for shop in shops] == ["gold"] * 3
    vip = {"earn": [SALES], "tiers": {"basis": "points", "levels": [{"key": "vip", "threshold": 50}]}}
    write_terms(program=shops[0].program, document=vip, actor=SYSTEM, now=NOW, valid_from=NOW + DAY)
    assert sweep_tiers(now=NOW) == 0
    assert [sweep_tiers(now=NOW + DAY) for _ in range(3)] == [2, 1, 0]
    assert [(shop.member.tier, changes(shop.member)[-1]) for shop in shops] == [("vip", ("gold", "vip"))] * 3


def test_terms_without_tiers_let_them_go_at_the_next_sweep(in_saffron: Cast) -> None:
    shop = points_shop()
    shop.buy(60_000)
    assert sweep_tiers(now=NOW) == 1
    write_terms(program=shop.program, document={"earn": [SALES]}, actor=SYSTEM, now=NOW)
    newcomer = Shop(shop.program)
    newcomer.buy(60_000)
    assert [sweep_tiers(now=NOW) for _ in range(2)] == [1, 0]
    assert (shop.member.tier, newcomer.member.tier) == ("", "")


def test_the_task_goes_on_until_nobody_stands_by_former_terms(committed_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiers, "BATCH", 2)
    with tenant(committed_cast.saffron.pk):
        shops = [points_shop()]
        shops += [Shop(shops[0].program) for _ in range(4)]
        for shop in shops:
            shop.buy(60_000)
    with time_machine.travel(NOW + DAY):
        tasks.sweep_tiers()
    with tenant(committed_cast.saffron.pk):
        assert [shop.member.tier for shop in shops] == ["gold"] * 5


def test_other_parts_can_ask_for_benefits_and_for_the_tier_board(member: Member) -> None:
    buy(member, 500_00)
    tier_of(member, days_later=1)
    found = benefits_of(member.customer_id, at=NOW + DAY)
    assert [(program.pk, level.key, str(benefit.kind), benefit.value) for program, level, benefit in found] == [
        (member.program_id, "gold", "discount", 10)
    ]
    assert members_by_tier(member.program_id) == {"gold": 1}


def test_messages_speak_of_points_and_tier(member: Member) -> None:
    buy(member, 500_00)
    tier_of(member, days_later=1)
    Stage(member).earn(120, expires_in=10 * DAY)
    names = ["loyalty.points", "loyalty.tier", "loyalty.expiring_points", "loyalty.expiring_on", "loyalty.program"]
    context = load_contexts(customer_ids=[member.customer_id], names=names, language="en", now=NOW + DAY)[member.customer_id]
    assert context["loyalty"] == {
        "points": 120,
        "tier": "Gold",
        "program": "Saffron points",
        "expiring_points": 120,
        "expiring_on": "Mar 12, 2026",
    }


@pytest.mark.parametrize(
    ("field", "operator", "value", "count"),
    [
        ("points_balance", "at_least", 120, 1),
        ("points_balance", "at_least", 121, 0),
        ("points_balance", "unknown", None, 0),
        ("loyalty_tier", "is", "gold", 1),
        ("loyalty_tier", "is", "silver", 0),
        ("member_since", "known", None, 1),
    ],
)
def test_segments_ask_for_points_tier_and_membership(member: Member, field: str, operator: str, value: object, count: int) -> None:
    buy(member, 500_00)
    tier_of(member, days_later=1)
    Stage(member).earn(120)
    condition = {"field": field, "op": operator} | ({} if value is None else {"value": value})
    assert rules_customers({"all": [condition]}, now=NOW + DAY).count() == count


def test_messages_and_segments_speak_of_the_first_program_that_is_active(member: Member) -> None:
    buy(member, 500_00)
    tier_of(member, days_later=1)
    Stage(member).earn(500, expires_in=10 * DAY)
    second = make_member(make_program("second"), customer=member.customer)
    Stage(second).earn(70, expires_in=20 * DAY)
    Program.objects.filter(pk=member.program_id).update(state=ProgramState.CLOSED)
    names = ["loyalty.points", "loyalty.expiring_points", "loyalty.expiring_on"]
    context = load_contexts(customer_ids=[member.customer_id], names=names, language="en", now=NOW + DAY)[member.customer_id]
    assert context["loyalty"] == {"points": 70, "expiring_points": 70, "expiring_on": "Mar 22, 2026"}
    Program.objects.filter(pk=second.program_id).update(state=ProgramState.CLOSED)
    context = load_contexts(customer_ids=[member.customer_id], names=names, language="en", now=NOW + DAY)[member.customer_id]
    assert context["loyalty"] == {}


def test_the_tier_of_a_closed_program_is_nobodys_segment(member: Member) -> None:
    buy(member, 500_00)
    tier_of(member, days_later=1)
    second = make_member(make_program("second"), customer=member.customer)
    Terms.objects.create(program=second.program, version=1, valid_from=NOW - 400 * DAY, document={"tiers": TIERS})
    Program.objects.filter(pk=member.program_id).update(state=ProgramState.CLOSED)
    gold = {"all": [{"field": "loyalty_tier", "op": "is", "value": "gold"}]}
    assert rules_customers(gold, now=NOW + DAY).count() == 0
    Program.objects.filter(pk=member.program_id).update(state=ProgramState.ACTIVE)
    assert rules_customers(gold, now=NOW + DAY).count() == 1


@pytest.mark.parametrize(
    ("field", "operator", "value", "count"),
    [
        ("loyalty_tier", "is", "gold", 0),
        ("loyalty_tier", "is_not", "gold", 1),
        ("points_balance", "at_least", 120, 1),
        ("member_since", "known", None, 1),
    ],
)
def test_segments_answer_at_once_when_the_only_program_closes(member: Member, field: str, operator: str, value: object, count: int) -> None:
    buy(member, 500_00)
    tier_of(member, days_later=1)
    Stage(member).earn(120)
    condition = {"field": field, "op": operator} | ({} if value is None else {"value": value})
    segment = create_segment(name="Asked", rules={"all": [condition]}, actor=SYSTEM, now=NOW)
    close_program(program=member.program, actor=SYSTEM)
    assert segment_customers(segment, now=NOW + DAY).count() == count


def test_a_segment_of_a_tier_goes_on_working_when_new_terms_leave_the_tier_out(member: Member) -> None:
    gold = {"all": [{"field": "loyalty_tier", "op": "is", "value": "gold"}]}
    segment = create_segment(name="Gold", rules=gold, actor=SYSTEM, now=NOW)
    levels = [{"key": "platinum", "name": "Platinum", "threshold": 900_00}]
    write_terms(program=member.program, document={"tiers": TIERS | {"levels": levels}}, actor=SYSTEM, now=timezone.now())
    assert segment_customers(segment, now=timezone.now()).count() == 0
    assert Words().choices(registered_fields()["loyalty_tier"]) == [("platinum", "Platinum"), ("silver", "Silver"), ("gold", "Gold")]
