"""What a till did offline: applied in its order, once, whatever way it arrives."""

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from accounts.audit import SYSTEM
from accounts.models import Membership, MembershipLocation, Role
from accounts.permissions import API_SCOPES, Permission
from accounts.tenancy import tenant
from crm.models import Purchase
from loyalty.actions.counter import take_points
from loyalty.actions.members import enrol_member
from loyalty.actions.points import earn_points
from loyalty.actions.programs import write_terms
from loyalty.ledger.verification import verify_ledger
from loyalty.models import Entry, LotRemainder, Member, Posting, TillOperation, Wallet
from tests.api.conftest import Caller, caller_of, errors_of
from tests.conftest import Cast
from tests.factories import CustomerFactory
from tests.loyalty.ledger_stage import DAY, NOW
from tests.loyalty.program_stage import SALES, open_program

Json = dict[str, Any]
TERMS: Json = {"earn": [SALES], "redemption": {"points": 10, "minor": 100}, "expiry": {"kind": "age", "months": 12}}


@pytest.fixture
def member(cast: Cast) -> Member:
    """A member of Saffron with two lots of 100 points, one of them soon to expire."""
    with tenant(cast.saffron.pk):
        member = enrol_member(program=open_program(**TERMS), customer=CustomerFactory.create(), now=NOW, actor=SYSTEM)
        for number, lasts in enumerate((3_000 * DAY, 2_000 * DAY)):
            earn_points(member_id=member.pk, amount=100, key=f"lot-{number}", now=NOW, actor=SYSTEM, expires_at=NOW + lasts)
    return member


def operation(sequence: int, kind: str, **body: Any) -> Json:
    at = (NOW + timedelta(minutes=sequence)).isoformat()
    return {"sequence": sequence, "key": f"op-{sequence}", "kind": kind, "occurred_at": at, "body": body}


def a_day(member: Member) -> list[Json]:
    """Sales, redemptions, refunds and what goes wrong among them; 200 points at first."""
    cut = {"description": "Cut", "unit_price_minor": 40_000}
    wax = {"description": "Wax", "product_code": "W", "quantity": 3, "unit_price_minor": 1_100}
    of = {"member": member.pk}
    return [
        operation(1, "sale", **of, points=150, lines=[cut, wax], number="T-1"),
        operation(2, "redeem", **of, points=500),
        operation(3, "hold", **of, points=60),
        operation(4, "sale", **of, hold_sequence=3, points=40, lines=[wax], number="T-2"),
        operation(5, "refund", purchase_sequence=1, lines=[{"line": 2, "quantity": 1}]),
        operation(6, "redeem", **of, points=20),
        operation(7, "undo", **of, entry_sequence=6, points=5),
        operation(8, "refund", purchase_number="T-1", lines=[{"line": 1}, {"line": 2, "quantity": 2}]),
        operation(9, "refund", purchase_sequence=2, amount_minor=1),
        operation(10, "release", hold_sequence=3),
    ]


def deliver(caller: Caller, *operations: Json, till: str = "front-1") -> Json:
    response = caller.post("till-operations/", {"till": till, "operations": list(operations)})
    assert response.status_code == 200, response.content
    body: Json = response.json()
    return body


def ledger(member: Member) -> Json:
    """Everything the member's ledger holds, with rows named by their place instead of their id, and without when it was written.

    What a refund claws back counts from when it is written.
    """
    entries = list(Entry.objects.filter(member=member).order_by("sequence"))
    place = {entry.pk: entry.sequence for entry in entries}
    receipts = {purchase.pk: number for number, purchase in enumerate(Purchase.objects.order_by("pk"))}
    wallet = Wallet.objects.get(member=member)
    return {
        "entries": [
            (one.kind, one.amount, one.occurred_at if one.kind != "clawback" else None, place.get(one.origin_id or 0), place.get(one.hold_id or 0),
             receipts.get(one.purchase_id or 0), one.details, one.reason)
            for one in entries
        ],
        "postings": [
            (place[entry], account, place.get(lot or 0), amount)
            for entry, account, lot, amount in Posting.objects.filter(entry__member=member)
            .order_by("entry__sequence", "id")
            .values_list("entry_id", "account", "lot_id", "amount")
        ],
        "lots": [
            (place[lot], available, pending, expires_at)
            for lot, available, pending, expires_at in LotRemainder.objects.filter(member=member)
            .order_by("lot_id")
            .values_list("lot_id", "available", "pending", "expires_at")
        ],
        "wallet": (wallet.balance, wallet.held, wallet.pending, wallet.debt, wallet.sequence),
        "answers": [(one.sequence, one.state) for one in TillOperation.objects.order_by("sequence")],
        "receipts": list(Purchase.objects.order_by("pk").values_list("kind", "number", "total_minor", "purchased_at")),
    }  # fmt: skip


@pytest.fixture
def till(cast: Cast) -> Caller:
    return caller_of(cast.saffron, API_SCOPES, cast)


def test_a_day_comes_out_as_it_should(cast: Cast, till: Caller, member: Member) -> None:
    outcomes = deliver(till, *a_day(member))
    assert outcomes["next_sequence"] == 11
    assert [(one["sequence"], one["status"]) for one in outcomes["operations"]] == [
        (1, 200), (2, 409), (3, 200), (4, 200), (5, 200), (6, 200), (7, 200), (8, 200), (9, 400), (10, 409),
    ]  # fmt: skip
    refused = {one["sequence"]: one["operation"]["answer"] for one in outcomes["operations"] if one["status"] >= 400}
    assert (refused[2]["available"], refused[2]["type"]) == (91, "urn:regulars:problem:insufficient_points")
    assert errors_of(refused[9]) == {"#/purchase_sequence": "does_not_exist"}
    assert refused[10]["type"] == "urn:regulars:problem:hold_resolved"
    answers = [one["operation"]["answer"] for one in outcomes["operations"]]
    assert (answers[0]["purchase"]["total_minor"], answers[0]["paid"]["points"], answers[0]["wallet"]["balance"]) == (41_800, 150, 91)
    assert (answers[3]["purchase"]["total_minor"], answers[3]["wallet"]["balance"]) == (2_900, 53)
    with tenant(cast.saffron.pk):
        wallet = Wallet.objects.get(member=member)
        assert (wallet.balance, wallet.held, wallet.debt) == (200 - 40 + 2 - 15, 0, 0)
        assert all(not verdict.failed for verdict in verify_ledger().values())


class Rehearsal(Exception):  # noqa: N818 - ends an example
    """Rolls everything back."""


def played(cast: Cast, member: Member, play: Callable[[], Any]) -> Json:
    """The ledger after something, of which nothing stays."""
    found: Json = {}
    try:
        with transaction.atomic():
            play()
            with tenant(cast.saffron.pk):
                found = ledger(member)
            raise Rehearsal
    except Rehearsal:
        return found


@st.composite
def deliveries(draw: st.DrawFn) -> list[list[int]]:
    """Ten operations and some of them again, in any order, cut into any requests."""
    order = draw(st.permutations(range(10)))
    again = draw(st.lists(st.integers(0, 9), max_size=8))
    places = [draw(st.integers(0, len(order))) for _ in again]
    for place, index in zip(places, again, strict=True):
        order.insert(place, index)
    cuts = sorted({0, len(order), *draw(st.lists(st.integers(1, len(order)), max_size=6))})
    return [order[start:end] for start, end in pairwise(cuts)]


def test_any_order_any_split_any_number_of_times_gives_the_same_ledger(cast: Cast, till: Caller, member: Member) -> None:
    day = a_day(member)
    expected = played(cast, member, lambda: deliver(till, *day))
    assert expected["answers"][-1] == (10, "refused")

    @settings(
        max_examples=12, deadline=None, derandomize=True, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(deliveries())
    def check(requests: list[list[int]]) -> None:
        def play() -> None:
            for request in requests:
                deliver(till, *(day[index] for index in request))

        assert played(cast, member, play) == expected

    check()


def test_a_gap_waits_and_a_repetition_is_answered_as_before(cast: Cast, till: Caller, member: Member) -> None:
    first, second, third = (operation(number, "redeem", member=member.pk, points=10 * number) for number in (1, 2, 3))
    waiting = deliver(till, second, third)
    assert (waiting["next_sequence"], [one["status"] for one in waiting["operations"]]) == (1, [202, 202])
    with tenant(cast.saffron.pk):
        assert Wallet.objects.get(member=member).balance == 200
    done = deliver(till, first)
    assert (done["next_sequence"], [one["sequence"] for one in done["operations"]]) == (4, [1])
    again = deliver(till, third, first, second, first)
    assert [one["operation"]["answer"]["balance"] for one in again["operations"]] == [140, 190, 170, 190]
    with tenant(cast.saffron.pk):
        assert Wallet.objects.get(member=member).balance == 140
    assert [row["state"] for row in till.get("till-operations/?till=front-1&state=applied").json()["results"]] == ["applied"] * 3


def test_a_number_or_a_key_used_for_something_else_is_told_apart(cast: Cast, till: Caller, member: Member) -> None:
    first = operation(1, "redeem", member=member.pk, points=10)
    deliver(till, first)
    other = deliver(till, {**first, "body": {"member": member.pk, "points": 20}}, {**first, "sequence": 2}, {**first, "kind": "reward"})
    assert [(one["status"], one["operation"]) for one in other["operations"]] == [(409, None)] * 3
    assert other["next_sequence"] == 2
    assert deliver(till, first, till="front-2")["operations"][0]["status"] == 200
    with tenant(cast.saffron.pk):
        assert Wallet.objects.get(member=member).balance == 180


def test_what_makes_no_sense_is_refused_without_holding_up_the_rest(cast: Cast, till: Caller, member: Member) -> None:
    outcomes = deliver(
        till,
        operation(1, "redeem", member=member.pk, points="many"),
        operation(2, "sale", member=10**9, lines=[]),
        operation(3, "capture", hold=10**9),
        operation(4, "redeem", member=member.pk, points=1),
    )
    assert [one["status"] for one in outcomes["operations"]] == [400, 400, 400, 200]
    assert errors_of(outcomes["operations"][0]["operation"]["answer"]) == {"#/points": "invalid"}


def test_the_queue_gives_back_nothing_that_was_taken(cast: Cast, member: Member, as_bob: Client) -> None:
    with tenant(cast.saffron.pk):
        taken = take_points(member=member, amount=200, reason="Fraud", token="t" * 20, now=NOW, actor=cast.alice_acts, role=Role.OWNER)
    outcomes = deliver(Caller("", as_bob), operation(1, "undo", member=member.pk, entry=taken.entry_id))
    [refused] = outcomes["operations"]
    assert (refused["status"], refused["operation"]["answer"]["type"]) == (409, "urn:regulars:problem:not_undoable")
    with tenant(cast.saffron.pk):
        assert Wallet.objects.get(member=member).balance == 0


@pytest.mark.parametrize("kind", ["redeem", "hold"])
def test_the_queue_redeems_and_holds_no_fewer_than_the_terms_of_its_time(cast: Cast, till: Caller, member: Member, kind: str) -> None:
    with tenant(cast.saffron.pk):
        terms = TERMS | {"redemption": {"points": 10, "minor": 100, "smallest": 50}}
        write_terms(program=member.program, document=terms, actor=SYSTEM, now=NOW, valid_from=NOW + timedelta(minutes=2))
    outcomes = deliver(till, *(operation(number, kind, member=member.pk, points=points) for number, points in enumerate((49, 49, 50), 1)))
    assert [one["status"] for one in outcomes["operations"]] == [200, 409, 200]
    assert outcomes["operations"][1]["operation"]["answer"]["type"] == "urn:regulars:problem:below_smallest"
    with tenant(cast.saffron.pk):
        assert Wallet.objects.get(member=member).balance == 200 - 49 - 50


def test_what_tills_did_is_listed_to_whoever_may_sell_everywhere(cast: Cast, till: Caller, member: Member, as_bob: Client) -> None:
    deliver(till, operation(1, "redeem", member=member.pk, points=10))
    assert caller_of(cast.saffron, {Permission.LOYALTY_VIEW}, cast).get("till-operations/").status_code == 403
    bob = Caller("", as_bob)
    assert [one["sequence"] for one in bob.get("till-operations/").json()["results"]] == [1]
    with tenant(cast.saffron.pk):
        MembershipLocation.objects.create(membership=Membership.objects.get(user=cast.bob), location=cast.downtown)
    assert bob.get("till-operations/").json()["results"] == []


def test_another_organizations_till_of_the_same_name_is_another(cast: Cast, till: Caller, member: Member) -> None:
    deliver(till, operation(1, "redeem", member=member.pk, points=10))
    rival = caller_of(cast.rival, API_SCOPES, cast)
    theirs = deliver(rival, operation(1, "redeem", member=member.pk, points=10))["operations"][0]
    assert (theirs["status"], errors_of(theirs["operation"]["answer"])) == (400, {"#/member": "does_not_exist"})
    assert len(rival.get("till-operations/").json()["results"]) == 1


@pytest.mark.parametrize("change", ["set body = '{}'", "set state = 'waiting'", "set answer = '{}'"])
def test_the_database_keeps_what_a_till_said(cast: Cast, till: Caller, member: Member, change: str) -> None:
    deliver(till, operation(1, "redeem", member=member.pk, points=10))
    with tenant(cast.saffron.pk), pytest.raises(IntegrityError, match="answered once"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"update loyalty_tilloperation {change}")
    with tenant(cast.saffron.pk), pytest.raises(IntegrityError, match="answered once"), transaction.atomic():
        TillOperation.objects.all().delete()


def test_the_admin_shows_what_waits_and_changes_nothing(cast: Cast, till: Caller, member: Member, as_alice: Client) -> None:
    deliver(till, operation(1, "redeem", member=member.pk, points=20), operation(3, "redeem", member=member.pk, points=10))
    [shop] = as_alice.get("/admin/loyalty/till/").context["cl"].result_list
    assert (shop.code, shop.applied, shop.waiting) == ("front-1", 1, 1)
    found = as_alice.get("/admin/loyalty/tilloperation/", {"q": "op-3"}).context["cl"].result_list
    assert [(one.sequence, one.state) for one in found] == [(3, "waiting")]
    page = f"/admin/loyalty/tilloperation/{found[0].pk}/change/"
    assert as_alice.get(page).status_code == 200
    assert as_alice.post(page, {}).status_code == 403
    assert as_alice.get("/admin/loyalty/tilloperation/add/").status_code == 403


def test_another_organizations_admin_shows_none_of_it(till: Caller, member: Member, as_charlie: Client) -> None:
    deliver(till, operation(1, "redeem", member=member.pk, points=20))
    for name in ("till", "tilloperation"):
        assert list(as_charlie.get(f"/admin/loyalty/{name}/").context["cl"].result_list) == []
