"""Referrals on the pages: a program's figures, codes at the counter and on the member's own page, and how friends join."""

import re
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import AuditEntry
from accounts.tenancy import tenant
from crm.actions import NewLine, record_purchase
from crm.models import Consent, Customer
from loyalty.actions.referral_rewards import settle_referrals
from loyalty.actions.referrals import code_of, invite, join_by_code
from loyalty.links import join_url, member_token
from loyalty.models import Member, Program, Referral, ReferralCode
from tests.conftest import Cast
from tests.factories import CustomerFactory
from tests.loyalty.ledger_stage import make_member
from tests.loyalty.program_stage import open_program
from tests.loyalty.reward_stage import side_by_side

RULE = {"key": "friends", "on": "referral", "points": 500, "referee_points": 200, "refund_days": 14}
FRIEND = {"first_name": "Sina", "email": "sina@example.com"}


@pytest.fixture
def nora(cast: Cast) -> Member:
    """A member with a code, who invited one, brought one who bought for $50, one who did not buy, and herself."""
    cache.clear()
    now = timezone.now()
    with tenant(cast.saffron.pk):
        nora = make_member(
            open_program(earn=[RULE]), customer=CustomerFactory.create(first_name="Nora", last_name="Lind", email="nora@example.com")
        )
        code = code_of(member=nora, now=now).code
        invite(member=nora, email="later@example.com", now=now, actor=cast.alice_acts)
        for customer in (CustomerFactory.create(first_name="Omid", last_name="Rad"), CustomerFactory.create(), nora.customer):
            join_by_code(code=code, customer=customer, now=now, actor=cast.alice_acts)
        omid = Customer.objects.get(first_name="Omid")
        record_purchase(lines=[NewLine(5_000)], purchased_at=timezone.now(), now=timezone.now(), actor=cast.alice_acts, customer=omid)
        settle_referrals(customer_ids=[omid.pk], now=timezone.now())
        return nora


def _page(client: Client, nora: Member, **query: str) -> Any:
    return client.get(reverse("loyalty:referrals", args=[nora.program_id]), query)


def _join_path(cast: Cast, nora: Member) -> str:
    with tenant(cast.saffron.pk):
        return urlsplit(join_url(ReferralCode.objects.get(member=nora).code)).path


def _join(path: str, **values: str) -> Any:
    return Client().post(f"{path}?lang=en", values)


def test_the_figures_the_funnel_and_the_reasons_are_told(nora: Member, as_alice: Client) -> None:
    answer = _page(as_alice, nora)
    figures = answer.context["figures"]
    assert (figures.invited, figures.joined, figures.qualified, figures.rewarded) == (1, 1, 1, 0)
    assert (figures.points, figures.revenue_minor) == (700, 5_000)
    assert answer.context["funnel"]["series"][0]["values"] == [3, 2, 1, 0]
    assert answer.context["rejected"] == [("Their own code", 1)]
    assert len(answer.context["rows"]) == 4
    page = answer.content.decode()
    assert "$50.00" in page
    assert "not here yet" in page


def test_the_list_is_narrowed_by_state(nora: Member, as_alice: Client) -> None:
    rows = _page(as_alice, nora, state="qualified").context["rows"]
    assert [(str(referral.customer), referral.referrer_points, tone) for referral, tone, _flags in rows] == [("Omid Rad", 500, "info")]
    assert len(_page(as_alice, nora, state="nonsense").context["rows"]) == 4
    assert "No referral is in this state" in _page(as_alice, nora, state="rewarded").content.decode()


def test_the_best_referrers_are_told_with_what_they_brought(nora: Member, as_alice: Client) -> None:
    rows = _page(as_alice, nora, show="best").context["rows"]
    assert [(member.pk, member.all, member.bought, member.points, revenue) for member, revenue in rows] == [(nora.pk, 4, 1, 700, 5_000)]


def test_a_program_that_nobody_was_referred_in_says_so(cast: Cast, as_alice: Client) -> None:
    with tenant(cast.saffron.pk):
        program = open_program()
    page = as_alice.get(reverse("loyalty:referrals", args=[program.pk])).content.decode()
    assert "Nobody was referred yet" in page


def test_the_front_desk_does_not_see_the_figures_and_charlie_finds_nothing(nora: Member, as_bob: Client, as_charlie: Client) -> None:
    assert (_page(as_bob, nora).status_code, _page(as_charlie, nora).status_code) == (403, 404)


@pytest.mark.parametrize("query", [{}, {"show": "best"}])
def test_the_page_asks_the_database_as_often_for_many_as_for_few(
    cast: Cast, nora: Member, as_alice: Client, query: dict[str, str], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with tenant(cast.saffron.pk):
        for _number in range(12):
            member = make_member(nora.program, customer=CustomerFactory.create())
            code = code_of(member=member, now=timezone.now()).code
            join_by_code(code=code, customer=CustomerFactory.create(), now=timezone.now(), actor=cast.alice_acts)
    with django_assert_max_num_queries(24):
        assert len(_page(as_alice, nora, **query).context["rows"]) >= 13


def test_bob_enters_a_code_for_a_customer(cast: Cast, nora: Member, as_bob: Client) -> None:
    with tenant(cast.saffron.pk):
        customer, code = CustomerFactory.create(), ReferralCode.objects.get()
    url = reverse("loyalty:enter_code", args=[customer.pk])
    typed = f" {code.code[:4].lower()}-{code.code[4:].lower()} "
    assert "Noted: they came by Nora Lind." in as_bob.post(url, {"code": typed}, follow=True).content.decode()
    as_bob.post(url, {"code": typed})
    with tenant(cast.saffron.pk):
        referral = Referral.objects.get(customer=customer)
        assert (referral.referrer_id, referral.state) == (nora.pk, "joined")
        assert AuditEntry.objects.filter(action="referral.joined", actor_label="Bob").count() == 1


def test_a_code_that_does_not_count_or_is_none_is_said(nora: Member, as_bob: Client, cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        omid, code = Customer.objects.get(first_name="Omid"), ReferralCode.objects.get().code
        other = CustomerFactory.create()
        second = code_of(member=make_member(nora.program, customer=other), now=timezone.now()).code
        count = Referral.objects.count()
    url = reverse("loyalty:enter_code", args=[omid.pk])
    assert "No member of a running program has this code." in as_bob.post(url, {"code": "QQQQQQQQ"}).content.decode()
    assert "The code does not count: Referred before." in as_bob.post(url, {"code": second}, follow=True).content.decode()
    assert code != second
    with tenant(cast.saffron.pk):
        assert Referral.objects.count() == count + 1


def test_charlie_enters_no_code_and_makes_none(cast: Cast, nora: Member, as_charlie: Client) -> None:
    with tenant(cast.saffron.pk):
        customer, code = CustomerFactory.create(), ReferralCode.objects.get().code
    with tenant(cast.rival.pk):
        theirs = CustomerFactory.create()
    assert as_charlie.post(reverse("loyalty:enter_code", args=[customer.pk]), {"code": code}).status_code == 404
    assert as_charlie.post(reverse("loyalty:make_code", args=[nora.pk])).status_code == 404
    assert "has this code" in as_charlie.post(reverse("loyalty:enter_code", args=[theirs.pk]), {"code": code}).content.decode()
    with tenant(cast.saffron.pk):
        assert (Referral.objects.count(), ReferralCode.objects.count()) == (4, 1)


def test_looking_makes_no_code_and_bob_makes_one(cast: Cast, nora: Member, as_bob: Client) -> None:
    with tenant(cast.saffron.pk):
        member = make_member(nora.program, customer=CustomerFactory.create())
        own = reverse("member_page", args=[member_token(member.pk)])
    assert "They have no code to pass on yet." in as_bob.get(reverse("loyalty:member", args=[member.pk])).content.decode()
    assert "Get my link for friends" in Client().get(f"{own}?lang=en").content.decode()
    with tenant(cast.saffron.pk):
        assert ReferralCode.objects.count() == 1
    page = as_bob.post(reverse("loyalty:make_code", args=[member.pk]), follow=True).content.decode()
    with tenant(cast.saffron.pk):
        code = ReferralCode.objects.get(member=member).code
    assert f"The code to pass on is {code}." in page


def test_the_members_page_tells_code_link_and_figures(cast: Cast, nora: Member, as_bob: Client) -> None:
    page = as_bob.get(reverse("loyalty:member", args=[nora.pk]))
    assert (page.context["came"], page.context["bought"], page.context["referred"].revenue_minor) == (2, 1, 5_000)
    assert _join_path(cast, nora) in page.content.decode()


def test_members_get_their_link_on_their_own_page(cast: Cast, nora: Member) -> None:
    with tenant(cast.saffron.pk):
        member = make_member(nora.program, customer=CustomerFactory.create())
        token = member_token(member.pk)
    url = reverse("member_code", args=[token])
    assert Client().get(url).status_code == 405
    assert Client().post(url.replace(token, token[:-2])).status_code == 404
    Client().post(url)
    with tenant(cast.saffron.pk):
        code = ReferralCode.objects.get(member=member)
    assert len(code.device) == 64
    assert _join_path(cast, member) in Client().get(reverse("member_page", args=[token])).content.decode()
    with tenant(cast.saffron.pk):
        mine = Client().get(f"{reverse('member_page', args=[member_token(nora.pk)])}?lang=en").content.decode()
    assert "3 friends came by it." in mine
    assert "They brought you 500 points." in mine


def test_a_friend_joins_and_is_written_to_only_if_they_want(cast: Cast, nora: Member) -> None:
    path = _join_path(cast, nora)
    assert "Your first purchase brings you 200 points more." in Client().get(f"{path}?lang=en").content.decode()
    page = _join(path, **FRIEND)
    assert "at the counter of Saffron Barbers, and your purchases count." in page.content.decode()
    _join(path, first_name="Tara", email="tara@example.com", phone="+12025550177", wants_messages="on")
    with tenant(cast.saffron.pk):
        sina, tara = Customer.objects.get(email="sina@example.com"), Customer.objects.get(email="tara@example.com")
        assert [Referral.objects.get(customer=one).state for one in (sina, tara)] == ["joined", "joined"]
        assert (sina.language, sina.loyalty_members.get().program_id) == ("en", nora.program_id)
        assert sorted(Consent.objects.values_list("customer", "channel", "purpose", "state")) == [
            (tara.pk, "email", "marketing", "granted"),
            (tara.pk, "sms", "marketing", "granted"),
        ]


def test_whoever_is_known_here_gets_the_same_answer_and_keeps_their_choices(cast: Cast, nora: Member) -> None:
    path = _join_path(cast, nora)
    with tenant(cast.saffron.pk):
        known = CustomerFactory.create(first_name="Real", email="known@example.com")
        count = Customer.objects.count()
    new = _join(path, **FRIEND, wants_messages="").content
    answers = [
        _join(path, first_name="Sina", email=email, wants_messages="on").content for email in ("Known@example.com", "nora@example.com")
    ]
    assert answers == [new, new]
    with tenant(cast.saffron.pk):
        known.refresh_from_db()
        assert (known.first_name, known.loyalty_members.count(), Referral.objects.filter(customer=known).count()) == ("Real", 0, 0)
        assert (Customer.objects.count(), Consent.objects.count()) == (count + 1, 0)
        invited = Referral.objects.filter(state="invited").latest("pk")
        code = code_of(member=nora, now=timezone.now()).code
        joined = join_by_code(code=code, customer=known, now=timezone.now(), actor=cast.bob_acts)
        assert (joined, joined.state) == (invited, "joined")


def test_what_a_member_is_told_of_their_friends_does_not_say_who_is_known_here(cast: Cast) -> None:
    cache.clear()
    with tenant(cast.saffron.pk):
        program, told = open_program(earn=[RULE]), {}
        CustomerFactory.create(email="known@example.com")
        elsewhere = code_of(member=make_member(program), now=timezone.now()).code
        join_by_code(code=elsewhere, customer=CustomerFactory.create(email="came@example.com"), now=timezone.now(), actor=cast.alice_acts)
        members = {name: make_member(program) for name in ("new", "known", "came", "came+elsewhere")}
        paths = {name: urlsplit(join_url(code_of(member=member, now=timezone.now()).code)).path for name, member in members.items()}
        pages = {name: f"{reverse('member_page', args=[member_token(member.pk)])}?lang=en" for name, member in members.items()}
    for name, path in paths.items():
        for phone in ("", "+12025550177", "+12025550178"):
            _join(path, first_name="Sina", email=f"{name}@example.com", phone=phone)
        told[name] = re.findall(r"\d+ friends? came by it", Client().get(pages[name]).content.decode())
    assert told == {name: ["1 friend came by it"] for name in members}


def test_a_form_that_is_sent_twice_joins_once(cast: Cast, nora: Member) -> None:
    path = _join_path(cast, nora)
    assert _join(path, **FRIEND).content == _join(path, **FRIEND).content
    with tenant(cast.saffron.pk):
        assert list(Referral.objects.filter(referrer=nora).order_by("-pk").values_list("state", flat=True)[:1]) == ["joined"]


def test_a_form_that_is_sent_six_times_at_once_joins_once_and_answers_each(committed_cast: Cast) -> None:
    cache.clear()
    with tenant(committed_cast.saffron.pk):
        program = open_program(earn=[RULE])
        path = urlsplit(join_url(code_of(member=make_member(program), now=timezone.now()).code)).path
    answers = side_by_side([partial(_join, path, **FRIEND) for _ in range(6)])
    assert [getattr(answer, "status_code", answer) for answer in answers] == [200] * 6
    with tenant(committed_cast.saffron.pk):
        assert Customer.objects.filter(email="sina@example.com").count() == 1
        assert [referral.state for referral in Referral.objects.all()] == ["joined"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"first_name": "Sina"}, "Please leave an e-mail address or a phone number."),
        ({"email": "sina@example.com"}, "This field is required."),
        ({"first_name": "Sina", "email": "nora@example.com", "phone": "12"}, "own-errors"),
    ],
)
def test_what_cannot_be_kept_is_said_whoever_it_is(cast: Cast, nora: Member, values: dict[str, str], words: str) -> None:
    with tenant(cast.saffron.pk):
        before = (Customer.objects.count(), Referral.objects.count())
    answer = _join(_join_path(cast, nora), **values)
    assert words in answer.content.decode()
    assert not answer.context["joined"]
    with tenant(cast.saffron.pk):
        assert (Customer.objects.count(), Referral.objects.count()) == before


def test_a_forged_or_dead_link_says_nothing_and_guessing_ends(cast: Cast, nora: Member) -> None:
    path = _join_path(cast, nora)
    for forged in (path[:-1] + ("A" if path[-1] != "A" else "B"), reverse("join", args=["1-ABCD2345"])):
        assert _join(forged, **FRIEND).status_code == 404
    with tenant(cast.saffron.pk):
        Program.objects.update(state="closed")
    assert Client().get(path).status_code == 404
    statuses = [Client().get(path).status_code for _attempt in range(40)]
    assert (statuses[0], statuses[-1]) == (404, 429)
    with tenant(cast.saffron.pk):
        assert not Customer.objects.filter(first_name="Sina").exists()


def test_the_page_for_friends_changes_nothing_when_looked_at_and_is_strict_and_persian(cast: Cast, nora: Member) -> None:
    answer = Client().get(_join_path(cast, nora), {"lang": "fa"})
    assert '<html lang="fa" dir="rtl">' in answer.content.decode()
    assert "script-src" not in answer["Content-Security-Policy"]
    assert "no-store" in answer["Cache-Control"]
    with tenant(cast.saffron.pk):
        assert Referral.objects.count() == 4
