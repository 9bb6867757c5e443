"""The till over the API: quote, hold, sale, refund; what moves points is done once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.audit import SYSTEM
from accounts.models import IdempotencyKey
from accounts.permissions import Permission
from accounts.tasks import forget_idempotency_keys
from accounts.tenancy import tenant
from crm.models import Purchase
from loyalty.actions.catalogue import create_reward
from loyalty.actions.holds import hold_points
from loyalty.actions.members import enrol_member
from loyalty.actions.points import earn_points
from loyalty.actions.rewards import redeem_reward
from loyalty.models import Entry, Member, Wallet
from tests.api.conftest import Caller, errors_of
from tests.conftest import Cast, signed_in
from tests.factories import CustomerFactory
from tests.loyalty.ledger_stage import DAY, NOW
from tests.loyalty.program_stage import SALES, open_program

# Queries of one call, with the savepoint of the test around it and the end of the scope.
REDEMPTION, SALE = 14, 36
Problem = Callable[..., dict[str, Any]]
CUT = {"description": "Haircut", "category": "Cuts", "unit_price_minor": 5_000}
WAX = {"description": "Wax", "product_code": "W1", "category": "Products", "quantity": 3, "unit_price_minor": 1_000}
TERMS: dict[str, Any] = {
    "earn": [SALES, {"key": "wax", "on": "product", "products": ["W1"], "points": 5}],
    "redemption": {"points": 10, "minor": 100, "smallest": 100},
    "tiers": {
        "basis": "spend",
        "levels": [{"key": "all", "name": "All", "benefits": [{"kind": "discount", "value": 10, "text": "On everything"}]}],
    },
}


@pytest.fixture
def member(cast: Cast) -> Member:
    """A member of Saffron with 400 points, worth 40.00."""
    with tenant(cast.saffron.pk):
        member = enrol_member(program=open_program(**TERMS), customer=CustomerFactory.create(first_name="Dana"), now=NOW, actor=SYSTEM)
        earn_points(member_id=member.pk, amount=400, key="start", now=NOW, actor=SYSTEM)
        Member.objects.filter(pk=member.pk).update(tier="all")
    return member


def wallet_of(cast: Cast, member: Member) -> tuple[int, int, int, int]:
    """Balance, held, pending, debt."""
    with tenant(cast.saffron.pk):
        wallet = Wallet.objects.get(member=member)
    return wallet.balance, wallet.held, wallet.pending, wallet.debt


def test_a_quote_tells_everything_and_writes_nothing(cast: Cast, till: Caller, member: Member) -> None:
    with tenant(cast.saffron.pk):
        reward = create_reward(program=member.program, actor=SYSTEM, name="Free wax", points=500)
        before = Entry.objects.count(), Purchase.objects.count()
    response = till.post("till/quote/", {"member_number": member.number.lower(), "lines": [CUT, WAX], "points": 100})
    assert response.status_code == 200, response.content
    body = response.json()
    assert {name: body[name] for name in ("total_minor", "earned", "rules", "spendable", "redeemable", "worth_minor", "paid_minor")} == {
        "total_minor": 8_000,
        "earned": 22,
        "rules": {"sales": 7, "wax": 15},
        "spendable": 400,
        "redeemable": 400,
        "worth_minor": 4_000,
        "paid_minor": 1_000,
    }
    assert [(offer["reward"]["id"], offer["missing"], offer["can_be_redeemed"]) for offer in body["rewards"]] == [(reward.pk, 100, False)]
    assert body["tier"] == {
        "key": "all", "name": "All", "percent": 100, "benefits": [{"kind": "discount", "value": 10, "text": "On everything"}],
    }  # fmt: skip
    with tenant(cast.saffron.pk):
        assert (Entry.objects.count(), Purchase.objects.count()) == before
    small = till.post("till/quote/", {"member": member.pk, "lines": [{"unit_price_minor": 999}]}).json()
    assert (small["redeemable"], small["worth_minor"], small["missing"]) == (0, 0, 0)
    till.post(f"members/{member.pk}/redeem/", {"points": 302}, idempotency_key="r")
    few = till.post("till/quote/", {"member": member.pk, "lines": [CUT]}).json()
    assert (few["spendable"], few["redeemable"], few["missing"]) == (98, 0, 2)


def test_a_sale_captures_its_hold_and_earns_in_one_call(cast: Cast, till: Caller, member: Member) -> None:
    held = till.post("holds/", {"member": member.pk, "points": 300}, idempotency_key="h").json()
    assert (held["hold"]["amount"], held["hold"]["state"], held["receipt"]["balance"]) == (300, "open", 100)
    sale = {"member": member.pk, "hold": held["hold"]["id"], "points": 200, "number": "R-1", "lines": [CUT, WAX]}
    response = till.post("till/sales/", sale, idempotency_key="s")
    assert response.status_code == 201, response.content
    body = response.json()
    assert (body["purchase"]["total_minor"], body["purchase"]["source"]) == (6_000, "till")
    assert [(line["product_code"], line["amount_minor"]) for line in body["purchase"]["lines"]] == [
        ("", 5_000), ("W1", 3_000), ("loyalty-points", -2_000),
    ]  # fmt: skip
    assert (body["paid"]["points"], body["paid"]["paid_minor"]) == (200, 2_000)
    assert body["purchase"]["loyalty"][0]["rules"] == {"sales": 6, "wax": 15}
    assert body["wallet"]["balance"] == 400 - 200 + 21
    assert wallet_of(cast, member) == (221, 0, 0, 0)
    again = till.post("till/sales/", sale, idempotency_key="s")
    assert (again.content, again["Idempotency-Replayed"]) == (response.content, "true")
    assert till.get(f"holds/{held['hold']['id']}/").json()["state"] == "captured"


def test_a_hold_is_released_or_captured_once(cast: Cast, till: Caller, member: Member, assert_problem: Problem) -> None:
    first, second = (
        till.post("holds/", {"member": member.pk, "points": 150}, idempotency_key=key).json()["hold"]["id"] for key in ("a", "b")
    )
    assert till.post(f"holds/{first}/release/", idempotency_key="r").json()["balance"] == 250
    released = assert_problem(till.post(f"holds/{first}/capture/", idempotency_key="c"), 409, "hold_resolved")
    assert_problem(till.post(f"holds/{second}/capture/", {"points": 151}, idempotency_key="d"), 409, "above_hold")
    captured = till.post(f"holds/{second}/capture/", {"points": 120}, idempotency_key="d").json()
    assert (captured["balance"], captured["held"]) == (280, 0)
    gone = till.post("till/sales/", {"member": member.pk, "hold": first, "lines": [CUT]}, idempotency_key="e")
    assert (assert_problem(gone, 409, "hold_resolved")["state"], released["state"]) == ("released", "released")
    spent = assert_problem(till.post(f"holds/{second}/release/", idempotency_key="f"), 409, "hold_resolved")
    assert spent["state"] == "captured"
    with tenant(cast.saffron.pk):
        assert Purchase.objects.count() == 0


def test_what_cannot_be_spent_is_told_with_what_can(cast: Cast, till: Caller, member: Member, assert_problem: Problem) -> None:
    body = assert_problem(till.post("holds/", {"member": member.pk, "points": 401}, idempotency_key="k"), 409, "insufficient_points")
    assert (body["wanted"], body["available"]) == (401, 400)
    assert_problem(till.post("holds/", {"member": member.pk, "points": 99}, idempotency_key="k"), 409, "below_smallest")
    sale = {"member": member.pk, "points": 301, "lines": [WAX]}
    assert_problem(till.post("till/sales/", sale, idempotency_key="k"), 409, "above_total")
    assert wallet_of(cast, member) == (400, 0, 0, 0)
    with tenant(cast.saffron.pk):
        assert Purchase.objects.count() == 0


def test_what_was_undone_is_not_undone_again(cast: Cast, till: Caller, member: Member, assert_problem: Problem) -> None:
    spent = till.post(f"members/{member.pk}/redeem/", {"points": 100}, idempotency_key="r").json()["entry"]
    till.post(f"members/{member.pk}/undo/", {"entry": spent}, idempotency_key="u1")
    stands = wallet_of(cast, member)
    assert_problem(till.post(f"members/{member.pk}/undo/", {"entry": spent}, idempotency_key="u2"), 409, "not_undoable")
    assert_problem(till.post(f"members/{member.pk}/undo/", {"entry": 10**9}, idempotency_key="u3"), 409, "not_undoable")
    assert wallet_of(cast, member) == stands


def test_any_split_of_refunds_does_what_one_refund_does(cast: Cast, till: Caller) -> None:
    def sold(slug: str) -> tuple[Member, int]:
        with tenant(cast.saffron.pk):
            member = enrol_member(program=open_program(slug, **TERMS), customer=CustomerFactory.create(), now=NOW, actor=SYSTEM)
            earn_points(member_id=member.pk, amount=333, key=slug, now=NOW, actor=SYSTEM)
        sale = till.post("till/sales/", {"member": member.pk, "points": 333, "lines": [CUT, WAX]}, idempotency_key=slug).json()
        assert sale["wallet"]["balance"] == 4 + 15
        return member, sale["purchase"]["id"]

    def refund(sale: int, *lines: tuple[int, int], key: str) -> Any:
        backs = [{"line": line, "quantity": quantity} for line, quantity in lines]
        response = till.post("till/refunds/", {"purchase": sale, "lines": backs}, idempotency_key=key)
        assert response.status_code == 201, response.content
        return response.json()

    whole, sale = sold("whole")
    done = refund(sale, (2, 3), key="w1")
    assert (done["refund"]["total_minor"], done["restored"]) == (-(3_000 - 1_248), 124)
    assert done["refund"]["loyalty"][0]["clawed_back"] == 2 + 15
    assert wallet_of(cast, whole) == (124 + 2, 0, 0, 0)

    split, sale = sold("split")
    parts = [refund(sale, (2, 1), key=f"s{number}") for number in range(3)]
    assert sum(part["refund"]["total_minor"] for part in parts) == done["refund"]["total_minor"]
    assert sum(part["restored"] for part in parts) == 124
    assert wallet_of(cast, split) == wallet_of(cast, whole)

    for member, number in ((whole, "last-whole"), (split, "last-split")):
        with tenant(cast.saffron.pk):
            sale = Purchase.objects.get(customer=member.customer, kind="sale").pk
        last = refund(sale, (1, 1), key=number)
        assert (last["refund"]["total_minor"], last["restored"]) == (-(5_000 - 2_082), 209)
        assert wallet_of(cast, member) == (333, 0, 0, 0)


def test_a_sale_paid_with_points_alone_is_given_back_with_points_alone(cast: Cast, till: Caller, member: Member) -> None:
    sale = till.post("till/sales/", {"member": member.pk, "points": 300, "lines": [WAX]}, idempotency_key="s").json()
    assert (sale["purchase"]["total_minor"], sale["wallet"]["balance"]) == (0, 115)
    body = {"purchase": sale["purchase"]["id"], "lines": [{"line": 1, "quantity": 1}]}
    back = till.post("till/refunds/", body, idempotency_key="r").json()
    assert (back["refund"]["total_minor"], back["restored"], back["refund"]["loyalty"][0]["clawed_back"]) == (0, 100, 5)
    assert wallet_of(cast, member) == (210, 0, 0, 0)


def test_a_refund_gives_back_as_many_points_as_are_asked_for(cast: Cast, till: Caller, member: Member, assert_problem: Problem) -> None:
    till.post("till/sales/", {"member": member.pk, "points": 200, "number": "R-1", "lines": [CUT]}, idempotency_key="s")
    body = {"purchase_number": "R-1", "amount_minor": 1_000, "points": 0}
    kept = till.post("till/refunds/", body, idempotency_key="r1").json()
    assert (kept["refund"]["total_minor"], kept["restored"]) == (-600, 0)
    assert_problem(till.post("till/refunds/", {**body, "points": 201}, idempotency_key="r2"), 409, "not_undoable")
    rest = till.post("till/refunds/", {"purchase_number": "R-1", "amount_minor": 4_000}, idempotency_key="r3").json()
    assert (rest["refund"]["total_minor"], rest["restored"]) == (-2_400, 200)
    more = till.post("till/refunds/", {"purchase_number": "R-1", "amount_minor": 1}, idempotency_key="r4")
    assert errors_of(assert_problem(more, 400, "invalid")) == {"#/lines": "invalid"}
    assert wallet_of(cast, member) == (400, 0, 0, 0)


def test_no_line_gives_back_more_than_was_sold(cast: Cast, till: Caller, member: Member, assert_problem: Problem) -> None:
    sale = till.post("till/sales/", {"member": member.pk, "lines": [CUT, WAX]}, idempotency_key="s").json()["purchase"]["id"]
    for number, line in enumerate([{"line": 2, "quantity": 4}, {"line": 3, "quantity": 1}]):
        response = till.post("till/refunds/", {"purchase": sale, "lines": [line]}, idempotency_key=f"r{number}")
        assert errors_of(assert_problem(response, 400, "invalid")) == {"#/lines": "invalid"}
    twice = {"purchase": sale, "lines": [{"line": 2, "quantity": 2}, {"line": 2, "quantity": 2}]}
    assert errors_of(assert_problem(till.post("till/refunds/", twice, idempotency_key="t"), 400, "invalid")) == {"#/lines": "invalid"}


def test_points_move_under_a_key_only(till: Caller, member: Member, assert_problem: Problem) -> None:
    calls = {
        "till/sales/": {"member": member.pk, "lines": [CUT]},
        "holds/": {"member": member.pk, "points": 100},
        f"members/{member.pk}/redeem/": {"points": 100},
        f"members/{member.pk}/give/": {"points": 100, "reason": "Sorry"},
    }
    for path, body in calls.items():
        assert errors_of(assert_problem(till.post(path, body), 400, "invalid")) == {"Idempotency-Key": "required"}


def test_a_key_is_known_to_the_ledger_when_its_answer_is_forgotten(
    cast: Cast, till: Caller, member: Member, assert_problem: Problem
) -> None:
    path = f"members/{member.pk}/redeem/"
    first = till.post(path, {"points": 150}, idempotency_key="k").json()
    with tenant(cast.saffron.pk):
        IdempotencyKey.objects.all().delete()
    assert till.post(path, {"points": 150}, idempotency_key="k").json() == first
    with tenant(cast.saffron.pk):
        IdempotencyKey.objects.all().delete()
    assert_problem(till.post(path, {"points": 151}, idempotency_key="k"), 409, "idempotency_key_reused")
    assert wallet_of(cast, member) == (250, 0, 0, 0)


def test_a_sale_without_a_number_earns_once_and_its_refund_takes_back_once_however_late_they_are_told_again(
    cast: Cast, till: Caller, member: Member, assert_problem: Problem
) -> None:
    sale = {"member": member.pk, "points": 100, "lines": [CUT, WAX]}
    sold = till.post("till/sales/", sale, idempotency_key="s").json()
    back = {"purchase": sold["purchase"]["id"], "lines": [{"line": 2, "quantity": 1}]}
    refunded = till.post("till/refunds/", back, idempotency_key="b").json()
    assert wallet_of(cast, member) == (400 - 100 + 22 - 6 + 12, 0, 0, 0)
    with tenant(cast.saffron.pk):
        IdempotencyKey.objects.update(created_at=NOW - 100 * DAY)
    forget_idempotency_keys()
    assert till.post("till/refunds/", back, idempotency_key="b").json() == refunded
    assert till.post("till/sales/", sale, idempotency_key="s").json() == sold
    assert_problem(till.post("till/sales/", {**sale, "points": 0}, idempotency_key="s"), 409, "idempotency_key_reused")
    assert wallet_of(cast, member) == (328, 0, 0, 0)
    with tenant(cast.saffron.pk):
        assert sorted(Purchase.objects.values_list("total_minor", flat=True)) == [-875, 7_000]


def test_a_reserved_reward_is_captured_with_a_sale(cast: Cast, till: Caller, member: Member) -> None:
    with tenant(cast.saffron.pk):
        reward = create_reward(program=member.program, actor=SYSTEM, name="Free wax", points=250, stock=1)
    held = till.post("holds/", {"member": member.pk, "reward": reward.pk}, idempotency_key="h").json()["hold"]["id"]
    sale = till.post("till/sales/", {"member": member.pk, "hold": held, "lines": [CUT]}, idempotency_key="s").json()
    assert (sale["purchase"]["total_minor"], sale["paid"], sale["wallet"]["balance"]) == (
        5_000,
        {"points": 250, "paid_minor": 0, "entry": sale["paid"]["entry"]},
        155,
    )
    voucher = till.get(f"vouchers/?member={member.pk}").json()["results"][0]
    assert (voucher["state"], voucher["entry"]) == ("issued", sale["paid"]["entry"])
    back = till.post("till/refunds/", {"purchase": sale["purchase"]["id"], "amount_minor": 5_000}, idempotency_key="r").json()
    assert back["restored"] == 0


def test_codes_are_shown_to_those_who_may_use_vouchers(cast: Cast, till: Caller, member: Member, key_with: Callable[..., Caller]) -> None:
    with tenant(cast.saffron.pk):
        reward = create_reward(program=member.program, actor=cast.alice_acts, name="Haircut", points=60)
        voucher = redeem_reward(member_id=member.pk, reward_id=reward.pk, key="bought", now=timezone.now(), actor=cast.alice_acts).voucher
    looks = key_with(Permission.LOYALTY_VIEW)
    for caller, code in ((till, voucher.code), (looks, None)):
        listed = caller.get("vouchers/").json()["results"]
        shown = [*listed, caller.get(f"vouchers/{voucher.pk}/").json(), caller.post("vouchers/lookup/", {"code": voucher.code}).json()]
        assert [(one["id"], one["code"]) for one in shown] == [(voucher.pk, code)] * 3
        assert not {"used_key", "undone_key"} & shown[0].keys()


def test_a_person_sells_at_their_locations_only(limited: Cast, till: Caller, member: Member) -> None:
    bob = signed_in(limited.bob)

    def post(path: str, body: dict[str, Any], key: str) -> Any:
        return bob.post(f"/api/v1/{path}", body, content_type="application/json", headers={"Idempotency-Key": key})

    assert post("till/sales/", {"member": member.pk, "lines": [CUT]}, "a").status_code == 400
    here = post("till/sales/", {"member": member.pk, "lines": [CUT], "location": limited.downtown.pk}, "b")
    assert here.status_code == 201
    elsewhere = till.post("till/sales/", {"member": member.pk, "lines": [CUT], "location": limited.uptown.pk}, idempotency_key="c").json()
    refused = post("till/refunds/", {"purchase": elsewhere["purchase"]["id"], "amount_minor": 100}, "d")
    assert (refused.status_code, errors_of(refused.json())) == (400, {"#/purchase": "does_not_exist"})


def test_another_organization_sees_and_moves_nothing(cast: Cast, rival: Caller, member: Member, assert_problem: Problem) -> None:
    for number, body in enumerate([{"member": member.pk, "points": 100}, {"member_number": member.number, "points": 100}]):
        body_of_problem = assert_problem(rival.post("holds/", body, idempotency_key=f"k{number}"), 400, "invalid")
        assert list(errors_of(body_of_problem).values()) == ["does_not_exist"]
    assert rival.post("members/lookup/", {"text": member.number}).json() == {"members": []}
    assert wallet_of(cast, member) == (400, 0, 0, 0)


def test_a_sale_needs_both_scopes(cast: Cast, member: Member, key_with: Callable[..., Caller], assert_problem: Problem) -> None:
    for scope in (Permission.POINTS_CHANGE, Permission.PURCHASES_CHANGE):
        response = key_with(scope).post("till/sales/", {"member": member.pk, "lines": [CUT]}, idempotency_key="k")
        assert_problem(response, 403, "missing_scope")


def test_a_redemption_and_a_sale_keep_to_their_queries(cast: Cast, till: Caller, member: Member) -> None:
    calls = {
        f"members/{member.pk}/redeem/": ({"points": 100}, REDEMPTION),
        "till/sales/": ({"member": member.pk, "points": 100, "lines": [CUT, WAX]}, SALE),
    }
    till.get("programs/")  # writes when the key was used
    for path, (body, budget) in calls.items():
        till.post(path, body, idempotency_key=f"first {path}")
        with CaptureQueriesContext(connection) as queries:
            response = till.post(path, body, idempotency_key=f"second {path}")
            assert response.status_code in (200, 201), response.content
        assert len(queries) <= budget, [query["sql"][:150] for query in queries]


def test_a_hold_that_has_lapsed_says_so(cast: Cast, till: Caller, member: Member, assert_problem: Problem) -> None:
    ago = timezone.now() - timedelta(hours=1)
    with tenant(cast.saffron.pk):
        _receipt, hold = hold_points(member_id=member.pk, amount=150, lapses_at=ago + timedelta(minutes=1), key="a", now=ago, actor=SYSTEM)
    for step in ("capture", "release"):
        told = assert_problem(till.post(f"holds/{hold}/{step}/", idempotency_key=step), 409, "hold_resolved")
        assert told["state"] == "lapsed"


@pytest.mark.parametrize("points", [0, 100])
def test_a_hold_of_another_member_pays_for_nothing(
    cast: Cast, till: Caller, member: Member, world: dict[str, int], assert_problem: Problem, points: int
) -> None:
    """It is as unknown as one that never was, and nobody is told that it was resolved."""
    before = [wallet_of(cast, member), till.get(f"holds/{world['holds']}/").json()]
    for hold in (world["holds"], 10**9):
        sale = {"member": member.pk, "hold": hold, "points": points, "lines": [CUT]}
        told = assert_problem(till.post("till/sales/", sale, idempotency_key="s"), 400, "invalid")
        assert errors_of(told) == {"#/hold": "does_not_exist"}
    assert [wallet_of(cast, member), till.get(f"holds/{world['holds']}/").json()] == before


def test_members_are_listed_by_the_number_on_their_card_however_it_is_typed(cast: Cast, till: Caller, world: dict[str, int]) -> None:
    number = till.get(f"members/{world['members']}/").json()["number"]
    assert [row["id"] for row in till.get(f"members/?number={number[:4].lower()}-{number[4:]}").json()["results"]] == [world["members"]]
    assert till.get("members/?number=nobody").json()["results"] == []
