"""Friends of members over the API: a member's code, what came of it, and who came by it."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from accounts.audit import SYSTEM
from accounts.models import Role
from accounts.permissions import Permission
from accounts.tenancy import tenant
from crm.actions import NewLine, record_purchase
from crm.models import Customer
from loyalty.actions.moving import move_member
from loyalty.actions.programs import close_program
from loyalty.actions.referral_rewards import settle_referrals
from loyalty.actions.referrals import code_of, invite
from loyalty.models import Member, Referral, ReferralCode
from tests.api.conftest import Caller, errors_of
from tests.api.loyalty_stage import Ask, ask_in_browser, audited, person_of, traces
from tests.conftest import Cast
from tests.factories import CustomerFactory
from tests.loyalty.ledger_stage import NOW, make_member
from tests.loyalty.program_stage import open_program

Problem = Callable[..., dict[str, Any]]
RULE = {"key": "friends", "on": "referral", "points": 500, "referee_points": 200, "refund_days": 14}
NOTHING = {"code": None, "join_url": None, "invited": 0, "came": 0, "bought": 0, "earned": 0, "points": 0, "revenue_minor": 0}


@pytest.fixture
def nora(cast: Cast) -> Member:
    """A member of a program that rewards friends."""
    with tenant(cast.saffron.pk):
        return make_member(open_program(earn=[RULE]), customer=CustomerFactory.create(first_name="Nora", email="nora@example.com"))


@pytest.fixture
def omid(cast: Cast) -> Customer:
    with tenant(cast.saffron.pk):
        omid: Customer = CustomerFactory.create(first_name="Omid", email="omid@example.com", external_id="T-9")
        return omid


@pytest.fixture
def code(cast: Cast, nora: Member) -> str:
    """The code that Nora passes on."""
    with tenant(cast.saffron.pk):
        return code_of(member=nora, now=timezone.now()).code


def test_a_member_is_given_one_code_with_the_link_that_friends_join_by(cast: Cast, till: Caller, nora: Member) -> None:
    path = f"members/{nora.pk}/referral/"
    before = traces(cast)
    assert till.get(path).json() == NOTHING
    assert traces(cast) == before
    made = till.post(path)
    assert made.status_code == 200
    body = made.json()
    with tenant(cast.saffron.pk):
        assert ReferralCode.objects.get(member=nora).code == body["code"]
    assert body == NOTHING | {"code": body["code"], "join_url": body["join_url"]}
    page = Client().get(urlsplit(body["join_url"]).path)
    assert (page.status_code, body["code"] in page.content.decode()) == (200, True)
    assert till.post(path).json() == till.get(path).json() == body
    with tenant(cast.saffron.pk):
        assert ReferralCode.objects.count() == 1


def test_figures_tell_what_came_of_a_code_and_of_nobody_in_particular(
    cast: Cast, till: Caller, nora: Member, omid: Customer, code: str
) -> None:
    with tenant(cast.saffron.pk):
        invite(member=nora, email="later@example.com", now=timezone.now(), actor=SYSTEM)
    assert till.post("referrals/", {"customer": omid.pk, "code": code}).status_code == 200
    with tenant(cast.saffron.pk):
        record_purchase(lines=[NewLine(5_000)], purchased_at=timezone.now(), now=timezone.now(), actor=SYSTEM, customer=omid)
        settle_referrals(customer_ids=[omid.pk], now=timezone.now())
    friends = till.get(f"members/{nora.pk}/referral/")
    figures = {"invited": 1, "came": 1, "bought": 1, "earned": 500, "points": 700, "revenue_minor": 5_000}
    assert friends.json() == {"code": code, "join_url": friends.json()["join_url"], **figures}
    assert till.get(f"programs/{nora.program_id}/referrals/").json() == {
        "invited": 1, "joined": 0, "qualified": 1, "rewarded": 0, "rejected": {}, "flagged": 0, "points": 700, "revenue_minor": 5_000,
    }  # fmt: skip
    assert b"mid" not in friends.content


def test_a_customer_came_by_a_code_once(cast: Cast, till: Caller, nora: Member, omid: Customer, code: str) -> None:
    typed = f"{code[:4].lower()}-{code[4:]}"
    came = till.post("referrals/", {"customer_external_id": "T-9", "code": typed}, idempotency_key="k")
    assert came.status_code == 200, came.content
    body = came.json()
    with tenant(cast.saffron.pk):
        referral = Referral.objects.get()
        assert Member.objects.filter(customer=omid, program=nora.program_id).count() == 1
    assert body == {
        "id": referral.pk, "program": nora.program_id, "customer": omid.pk, "state": "joined", "rejection": "",
        "joined_at": body["joined_at"],
    }  # fmt: skip
    before = traces(cast)
    again = till.post("referrals/", {"customer_external_id": "T-9", "code": typed}, idempotency_key="k")
    assert (again.content, again["Idempotency-Replayed"]) == (came.content, "true")
    assert till.post("referrals/", {"customer": omid.pk, "code": code}).json() == body
    assert traces(cast) == before
    assert audited(cast, "referral") == [("referral.joined", "Till")]


def test_a_code_that_does_not_count_says_why_and_of_whom_it_is_stays_untold(cast: Cast, till: Caller, nora: Member, code: str) -> None:
    own = till.post("referrals/", {"customer": nora.customer_id, "code": code})
    assert (own.status_code, own.json()["state"], own.json()["rejection"]) == (200, "rejected", "self")
    assert set(own.json()) == {"id", "program", "customer", "state", "rejection", "joined_at"}
    assert till.get(f"programs/{nora.program_id}/referrals/").json()["rejected"] == {"self": 1}


@pytest.mark.parametrize(
    ("body", "place", "why"),
    [
        ({"code": "NOBODYS1"}, "#/code", "does_not_exist"),
        ({"code": "--"}, "#/code", "does_not_exist"),
        ({"code": ""}, "#/code", "blank"),
        ({"code": "A" * 41}, "#/code", "max_length"),
        ({}, "#/code", "required"),
        ({"code": "NOBODYS1", "customer": None}, "#/customer", "required"),
        ({"code": "NOBODYS1", "customer": 10**9}, "#/customer", "does_not_exist"),
        ({"code": "NOBODYS1", "points": 5}, "#/points", "unknown_field"),
    ],
)
def test_what_makes_no_sense_is_told_at_its_place(
    cast: Cast, till: Caller, omid: Customer, code: str, assert_problem: Problem, body: dict[str, Any], place: str, why: str
) -> None:
    before = traces(cast)
    response = till.post("referrals/", {"customer": omid.pk, **body})
    assert errors_of(assert_problem(response, 400, "invalid")) == {place: why}
    assert traces(cast) == before


def test_nobody_comes_by_a_code_of_a_program_that_is_closed(
    cast: Cast, till: Caller, nora: Member, omid: Customer, code: str, assert_problem: Problem
) -> None:
    with tenant(cast.saffron.pk):
        close_program(program=nora.program, actor=SYSTEM)
    before = traces(cast)
    refused = assert_problem(till.post("referrals/", {"customer": omid.pk, "code": code}), 400, "invalid")
    assert errors_of(refused) == {"#/code": "does_not_exist"}
    assert traces(cast) == before


def test_whoever_holds_a_membership_that_moved_passes_on_their_own_code(cast: Cast, till: Caller, nora: Member, code: str) -> None:
    with tenant(cast.saffron.pk):
        heir = make_member(nora.program, customer=CustomerFactory.create())
        move_member(member_id=nora.pk, to_customer=heir.customer, now=NOW, actor=SYSTEM)
    made = till.post(f"members/{nora.pk}/referral/").json()
    assert made == till.get(f"members/{heir.pk}/referral/").json()
    assert made["code"] != code
    with tenant(cast.saffron.pk):
        assert dict(ReferralCode.objects.values_list("member_id", "code")) == {nora.pk: code, heir.pk: made["code"]}


def test_who_may_not_changes_nothing(
    cast: Cast, key_with: Callable[..., Caller], nora: Member, omid: Customer, code: str, assert_problem: Problem
) -> None:
    asks = [Ask("POST", f"members/{nora.pk}/referral/"), Ask("POST", "referrals/", {"customer": omid.pk, "code": code})]
    key, support, desk = key_with(Permission.LOYALTY_VIEW), person_of(cast, Role.SUPPORT), person_of(cast, Role.FRONT_DESK)
    key.get("programs/")
    before = traces(cast)
    for ask in asks:
        assert_problem(key.call(ask.method, ask.path, ask.body or {}), 403, "missing_scope")
        assert_problem(ask_in_browser(support, ask), 403, "missing_scope")
    for look in (key.get(f"programs/{nora.program_id}/referrals/"), desk.get(f"/api/v1/programs/{nora.program_id}/referrals/")):
        assert_problem(look, 403, "missing_scope")
    assert traces(cast) == before
    assert [ask_in_browser(desk, ask).status_code for ask in asks] == [200, 200]


def test_another_organization_sees_and_changes_nothing(
    cast: Cast, rival: Caller, nora: Member, omid: Customer, code: str, assert_problem: Problem
) -> None:
    with tenant(cast.rival.pk):
        theirs = CustomerFactory.create()
    before = traces(cast)
    for answer in (
        rival.get(f"members/{nora.pk}/referral/"),
        rival.post(f"members/{nora.pk}/referral/"),
        rival.get(f"programs/{nora.program_id}/referrals/"),
    ):
        assert_problem(answer, 404, "not_found")
    refused = assert_problem(rival.post("referrals/", {"customer": theirs.pk, "code": code}), 400, "invalid")
    assert errors_of(refused) == {"#/code": "does_not_exist"}
    refused = assert_problem(rival.post("referrals/", {"customer": omid.pk, "code": code}), 400, "invalid")
    assert errors_of(refused) == {"#/customer": "does_not_exist"}
    assert traces(cast) == before
    with tenant(cast.rival.pk):
        assert (Member.objects.count(), Referral.objects.count()) == (0, 0)
