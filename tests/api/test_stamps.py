"""Stamp cards over the API: offered, changed, stamped by hand and taken back."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.audit import SYSTEM
from accounts.models import IdempotencyKey, Role
from accounts.permissions import Permission
from accounts.tenancy import tenant
from loyalty.actions.catalogue import create_reward
from loyalty.actions.moving import move_member
from loyalty.actions.stamps import create_stamp_card
from loyalty.actions.vouchers import use_voucher
from loyalty.models import Member, MemberCard, Reward, Stamp, StampCard, Voucher
from tests.api.conftest import Caller, errors_of
from tests.api.loyalty_stage import Ask, ask_in_browser, audited, person_of, traces
from tests.conftest import Cast
from tests.factories import CustomerFactory
from tests.loyalty.ledger_stage import NOW, make_member
from tests.loyalty.program_stage import open_program

Problem = Callable[..., dict[str, Any]]


@pytest.fixture
def member(cast: Cast) -> Member:
    with tenant(cast.saffron.pk):
        return make_member(open_program(), customer=CustomerFactory.create(first_name="Dana"))


@pytest.fixture
def coffee(cast: Cast, member: Member) -> Reward:
    with tenant(cast.saffron.pk):
        return create_reward(program=member.program, actor=SYSTEM, name="Free coffee", points=0)


@pytest.fixture
def card(cast: Cast, member: Member, coffee: Reward) -> StampCard:
    """Three stamps for a coffee."""
    with tenant(cast.saffron.pk):
        return create_stamp_card(program=member.program, actor=SYSTEM, name="Coffee card", size=3, reward=coffee)


def card_elsewhere(name: str) -> StampCard:
    """A stamp card of another program."""
    program = open_program("other")
    reward = create_reward(program=program, actor=SYSTEM, name="Free tea", points=0)
    return create_stamp_card(program=program, actor=SYSTEM, name=name, reward=reward)


def stamp(caller: Caller, member: Member, card: StampCard, count: int = 1, key: str = "k") -> Any:
    return caller.post(f"members/{member.pk}/stamp/", {"card": card.pk, "count": count}, idempotency_key=key)


def stamped(cast: Cast) -> list[int]:
    with tenant(cast.saffron.pk):
        return list(MemberCard.objects.order_by("pk").values_list("stamps", flat=True))


def test_a_card_is_offered_changed_and_listed(cast: Cast, till: Caller, member: Member, coffee: Reward) -> None:
    offered = {
        "program": member.program_id, "name": "Coffee card", "reward": coffee.pk, "size": 8, "stamped_for": "category",
        "categories": ["coffee"], "least_minor": 250, "valid_from": "2026-03-01T00:00:00Z",
    }  # fmt: skip
    created = till.post("stamp-cards/", offered)
    body = created.json()
    assert (created.status_code, created["Location"]) == (201, f"/api/v1/stamp-cards/{body['id']}/")
    defaults: dict[str, Any] = {"products": [], "valid_until": None, "is_active": True}
    assert {name: value for name, value in body.items() if name not in ("id", "created_at")} == offered | defaults
    changed = till.patch(f"stamp-cards/{body['id']}/", {"name": "Latte card", "size": 9, "valid_until": "2026-12-01T00:00:00Z"})
    assert changed.status_code == 200
    expected = body | {"name": "Latte card", "size": 9, "valid_until": "2026-12-01T00:00:00Z"}
    assert changed.json() == till.get(f"stamp-cards/{body['id']}/").json() == expected
    assert audited(cast, "stamp_card") == [("stamp_card.created", "Till"), ("stamp_card.changed", "Till")]


def test_cards_are_found_by_program_and_by_whether_they_are_offered(cast: Cast, till: Caller, card: StampCard, coffee: Reward) -> None:
    with tenant(cast.saffron.pk):
        old = create_stamp_card(program=card.program, actor=SYSTEM, name="Old card", reward=coffee, is_active=False)
        other = card_elsewhere("Other card")

    def found(query: str = "") -> list[int]:
        return [row["id"] for row in till.get(f"stamp-cards/{query}").json()["results"]]

    assert found() == [other.pk, old.pk, card.pk]
    assert found(f"?program={card.program_id}&is_active=true") == [card.pk]
    assert found("?is_active=false") == [old.pk]
    assert found("?limit=1") == [other.pk]


def test_what_a_card_counts_stays_once_somebody_has_stamps(
    cast: Cast, till: Caller, member: Member, card: StampCard, assert_problem: Problem
) -> None:
    stamp(till, member, card)
    before = traces(cast)
    for body in ({"size": 4}, {"least_minor": 1}, {"stamped_for": "purchase"}, {"products": ["W1"]}, {"categories": ["coffee"]}):
        assert_problem(till.patch(f"stamp-cards/{card.pk}/", body), 409, "card_in_use")
    assert traces(cast) == before
    assert till.patch(f"stamp-cards/{card.pk}/", {"size": 3, "name": "Bean card", "is_active": False}).json()["name"] == "Bean card"


def test_stamps_fill_a_card_that_gives_its_voucher_and_are_taken_back(
    cast: Cast, till: Caller, member: Member, card: StampCard, coffee: Reward
) -> None:
    shown = {"card": card.pk, "name": "Coffee card", "reward": coffee.pk, "size": 3, "owed": 0, "takes_stamps": True}
    assert till.get(f"members/{member.pk}/stamps/").json() == {"cards": [shown | {"stamps": 0, "filled": 0}]}
    first, second = stamp(till, member, card, 2, "a").json(), stamp(till, member, card, 2, "b").json()
    assert first["card"] == shown | {"stamps": 2, "filled": 0}
    assert second["card"] == shown | {"stamps": 1, "filled": 1}
    with tenant(cast.saffron.pk):
        assert (Voucher.objects.get().reward_id, Voucher.objects.get().state) == (coffee.pk, "issued")
    listed = till.get(f"members/{member.pk}/stamps-by-hand/?card={card.pk}").json()["results"]
    assert listed == [second["stamp"], first["stamp"]]
    assert (listed[0]["card"], listed[0]["count"]) == (card.pk, 2)
    assert till.get(f"members/{member.pk}/stamps-by-hand/?card={card.pk + 1}").json()["results"] == []

    path = f"members/{member.pk}/stamps-by-hand/{second['stamp']['id']}/undo/"
    back = till.post(path)
    assert back.status_code == 200, back.content
    assert back.json() == {"stamp": second["stamp"] | {"count": 0}, "card": shown | {"stamps": 2, "filled": 0}}
    before = traces(cast)
    assert till.post(path).json() == back.json()
    assert traces(cast) == before
    assert till.get(f"members/{member.pk}/stamps/").json() == {"cards": [back.json()["card"]]}
    assert till.get(f"members/{member.pk}/stamps-by-hand/").json()["results"] == [first["stamp"]]
    with tenant(cast.saffron.pk):
        assert Voucher.objects.get().state == "cancelled"
    assert audited(cast, "stamp") == [("stamp.given", "Till"), ("stamp.given", "Till"), ("stamp.taken_back", "Till")]


def test_stamps_of_a_voucher_that_was_used_are_owed(cast: Cast, till: Caller, member: Member, card: StampCard) -> None:
    given = stamp(till, member, card, 3).json()["stamp"]["id"]
    with tenant(cast.saffron.pk):
        use_voucher(code=Voucher.objects.get().code, key="till", now=NOW, actor=SYSTEM)
    back = till.post(f"members/{member.pk}/stamps-by-hand/{given}/undo/").json()["card"]
    assert (back["stamps"], back["owed"], back["filled"]) == (0, 3, 1)


def test_a_key_stamps_once_also_when_its_answer_is_forgotten(
    cast: Cast, till: Caller, member: Member, card: StampCard, assert_problem: Problem
) -> None:
    first = stamp(till, member, card, 2)
    again = stamp(till, member, card, 2)
    assert (again.content, again["Idempotency-Replayed"]) == (first.content, "true")
    assert_problem(stamp(till, member, card, 1), 409, "idempotency_key_reused")
    with tenant(cast.saffron.pk):
        IdempotencyKey.objects.all().delete()
    before = traces(cast)
    assert stamp(till, member, card, 2).json() == first.json()
    with tenant(cast.saffron.pk):
        IdempotencyKey.objects.all().delete()
    assert_problem(stamp(till, member, card, 1), 409, "idempotency_key_reused")
    assert traces(cast) == before
    assert stamped(cast) == [2]
    unkeyed = till.post(f"members/{member.pk}/stamp/", {"card": card.pk})
    assert errors_of(assert_problem(unkeyed, 400, "invalid")) == {"Idempotency-Key": "required"}


def test_the_card_of_a_membership_that_moved_stamps_whoever_has_it_now(
    cast: Cast, till: Caller, member: Member, card: StampCard, assert_problem: Problem
) -> None:
    given = stamp(till, member, card, 1, "a").json()["stamp"]["id"]
    with tenant(cast.saffron.pk):
        heir = make_member(member.program, customer=CustomerFactory.create())
        move_member(member_id=member.pk, to_customer=heir.customer, now=NOW, actor=SYSTEM)
        IdempotencyKey.objects.all().delete()
    assert_problem(stamp(till, member, card, 2, "a"), 409, "idempotency_key_reused")
    assert stamp(till, member, card, 1, "a").json()["card"]["stamps"] == 1
    assert stamp(till, member, card, 1, "b").json()["card"]["stamps"] == 2
    assert till.get(f"members/{heir.pk}/stamps/").json() == till.get(f"members/{member.pk}/stamps/").json()
    assert till.post(f"members/{heir.pk}/stamps-by-hand/{given}/undo/").json()["card"]["stamps"] == 1
    assert audited(cast, "stamp") == [("stamp.given", "Till"), ("stamp.given", "Till"), ("stamp.taken_back", "Till")]


def test_a_card_that_takes_no_stamps_refuses_them(
    cast: Cast, till: Caller, member: Member, card: StampCard, coffee: Reward, assert_problem: Problem
) -> None:
    with tenant(cast.saffron.pk):
        over = create_stamp_card(program=card.program, actor=SYSTEM, name="Over", reward=coffee, valid_until=NOW)
        shut = create_stamp_card(program=card.program, actor=SYSTEM, name="Shut", reward=coffee, is_active=False)
        other = card_elsewhere("Other")
    before = traces(cast)
    for refused in (over, shut, other):
        assert_problem(stamp(till, member, refused), 409, "stamp_refused")
    assert traces(cast) == before


def test_only_what_was_stamped_by_hand_on_this_members_cards_is_taken_back(
    cast: Cast, till: Caller, member: Member, card: StampCard, assert_problem: Problem
) -> None:
    given = stamp(till, member, card).json()["stamp"]["id"]
    with tenant(cast.saffron.pk):
        other = make_member(member.program, customer=CustomerFactory.create())
        bought = Stamp.objects.create(member_card=MemberCard.objects.get(), key="purchase:1", count=1, stamped_at=NOW)
    before = traces(cast)
    for path in (f"{other.pk}/stamps-by-hand/{given}", f"{member.pk}/stamps-by-hand/{bought.pk}"):
        assert_problem(till.post(f"members/{path}/undo/"), 404, "not_found")
    assert traces(cast) == before


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "#/card"),
        ({"card": "1"}, "#/card"),
        ({"card": 10**9}, "#/card"),
        ({"count": 0}, "#/count"),
        ({"count": 21}, "#/count"),
        ({"count": "many"}, "#/count"),
        ({"reason": "Nice"}, "#/reason"),
    ],
)
def test_a_stamp_that_makes_no_sense_is_told_at_its_place(
    cast: Cast, till: Caller, member: Member, card: StampCard, assert_problem: Problem, body: dict[str, Any], place: str
) -> None:
    before = traces(cast)
    asked = body if "card" in body or not body else {"card": card.pk, **body}
    response = till.post(f"members/{member.pk}/stamp/", asked, idempotency_key="k")
    assert list(errors_of(assert_problem(response, 400, "invalid"))) == [place]
    assert traces(cast) == before


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"name": ""}, "#/name"),
        ({"name": "n" * 121}, "#/name"),
        ({"size": 0}, "#/size"),
        ({"size": 101}, "#/size"),
        ({"stamped_for": "smile"}, "#/stamped_for"),
        ({"products": ["p"] * 201}, "#/products"),
        ({"products": ["p" * 61]}, "#/products/0"),
        ({"categories": "coffee"}, "#/categories"),
        ({"least_minor": -1}, "#/least_minor"),
        ({"reward": 10**9}, "#/reward"),
        ({"valid_from": "tomorrow"}, "#/valid_from"),
        ({"is_active": 7}, "#/is_active"),
        ({"colour": "red"}, "#/colour"),
    ],
)
def test_a_card_that_makes_no_sense_is_told_at_its_place(
    cast: Cast, till: Caller, card: StampCard, assert_problem: Problem, body: dict[str, Any], place: str
) -> None:
    before = traces(cast)
    new = {"program": card.program_id, "name": "New card", "reward": card.reward_id, **body}
    for response in (till.post("stamp-cards/", new), till.patch(f"stamp-cards/{card.pk}/", body)):
        assert list(errors_of(assert_problem(response, 400, "invalid"))) == [place]
    moved = till.patch(f"stamp-cards/{card.pk}/", {"program": card.program_id})
    assert errors_of(assert_problem(moved, 400, "invalid")) == {"#/program": "unknown_field"}
    assert traces(cast) == before


def writes(member: Member, card: StampCard, stamp_id: int) -> dict[Permission, list[Ask]]:
    """What changes something, by what it needs."""
    new = {"program": card.program_id, "name": "New card", "reward": card.reward_id}
    return {
        Permission.LOYALTY_CHANGE: [Ask("POST", "stamp-cards/", new), Ask("PATCH", f"stamp-cards/{card.pk}/", {"name": "Mine"})],
        Permission.POINTS_CHANGE: [
            Ask("POST", f"members/{member.pk}/stamp/", {"card": card.pk}),
            Ask("POST", f"members/{member.pk}/stamps-by-hand/{stamp_id}/undo/"),
        ],
    }


def test_who_may_not_changes_nothing(
    cast: Cast, till: Caller, key_with: Callable[..., Caller], as_bob: Any, member: Member, card: StampCard, assert_problem: Problem
) -> None:
    given = stamp(till, member, card, key="given").json()["stamp"]["id"]
    asks = writes(member, card, given)
    key, support = key_with(Permission.LOYALTY_VIEW), person_of(cast, Role.SUPPORT)
    key.get("stamp-cards/")
    before = traces(cast)
    answers = [ask_in_browser(as_bob, ask) for ask in asks[Permission.LOYALTY_CHANGE]]
    answers += [ask_in_browser(support, ask) for asked in asks.values() for ask in asked]
    answers += [key.call(ask.method, ask.path, ask.body or {}, idempotency_key="k") for asked in asks.values() for ask in asked]
    for answer in answers:
        assert_problem(answer, 403, "missing_scope")
    assert (len(answers), traces(cast)) == (10, before)
    for ask in asks[Permission.POINTS_CHANGE]:
        assert ask_in_browser(as_bob, ask).status_code == 200
    assert audited(cast, "stamp")[1:] == [("stamp.given", "Bob"), ("stamp.taken_back", "Bob")]


def test_another_organization_sees_and_changes_nothing(
    cast: Cast, till: Caller, rival: Caller, member: Member, card: StampCard, assert_problem: Problem
) -> None:
    given = stamp(till, member, card, key="given").json()["stamp"]["id"]
    before = traces(cast)
    asks = writes(member, card, given)
    new, *others = [ask for asked in asks.values() for ask in asked]
    for ask in others:
        assert_problem(rival.call(ask.method, ask.path, ask.body or {}, idempotency_key="k"), 404, "not_found")
    for path in (f"stamp-cards/{card.pk}/", f"members/{member.pk}/stamps/", f"members/{member.pk}/stamps-by-hand/"):
        assert_problem(rival.get(path), 404, "not_found")
    refused = assert_problem(rival.post("stamp-cards/", new.body), 400, "invalid")
    assert errors_of(refused) == {"#/program": "does_not_exist", "#/reward": "does_not_exist"}
    assert rival.get("stamp-cards/").json()["results"] == []
    assert traces(cast) == before
