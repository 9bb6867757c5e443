"""Stamp cards on the pages: the list, cards drawn, stamps given and taken back by hand."""

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.audit import SYSTEM
from accounts.models import AuditEntry
from accounts.tenancy import tenant
from loyalty.actions.catalogue import create_reward
from loyalty.actions.stamps import create_stamp_card, give_stamps
from loyalty.links import member_token
from loyalty.models import Member, MemberCard, Program, Stamp, StampCard, Voucher
from tests.conftest import Cast
from tests.factories import CustomerFactory
from tests.loyalty.ledger_stage import make_member
from tests.loyalty.program_stage import open_program

TOKEN = "a-token-of-a-form-0001"


def coffee_card(program: Program, **values: Any) -> StampCard:
    """Ten stamps, one for each visit, for a coffee."""
    reward = create_reward(program=program, actor=SYSTEM, name="Free coffee", points=0)
    return create_stamp_card(program=program, actor=SYSTEM, **{"name": "Coffee card", "size": 10, "reward": reward, **values})


@pytest.fixture
def member(cast: Cast) -> Member:
    cache.clear()
    with tenant(cast.saffron.pk):
        return make_member(open_program(), customer=CustomerFactory.create(first_name="Dana", last_name="Reyes"))


def _stamp(client: Client, member: Member, card: StampCard, token: str = TOKEN) -> Any:
    return client.post(reverse("loyalty:give_stamp", args=[member.pk, card.pk]), {"token": token}, follow=True)


def _take(client: Client, member: Member, stamp: int) -> Any:
    return client.post(reverse("loyalty:take_stamp", args=[member.pk, stamp]), follow=True)


def _stamps(cast: Cast) -> list[int]:
    with tenant(cast.saffron.pk):
        return list(MemberCard.objects.values_list("stamps", flat=True))


def test_bob_gives_a_stamp_once_per_form_and_takes_it_back(cast: Cast, member: Member, as_bob: Client) -> None:
    with tenant(cast.saffron.pk):
        card = coffee_card(member.program)
    assert "Stamped." in _stamp(as_bob, member, card).content.decode()
    page = _stamp(as_bob, member, card).content.decode()
    assert _stamps(cast) == [1]
    assert 'role="img" aria-label="1 of 10 stamps"' in page
    assert (page.count('"stamp is-stamped"'), page.count('"stamp"')) == (1, 9)
    with tenant(cast.saffron.pk):
        stamp = Stamp.objects.get().pk
    for _again in range(2):
        assert "The stamp is taken back." in _take(as_bob, member, stamp).content.decode()
    assert _stamps(cast) == [0]
    with tenant(cast.saffron.pk):
        audited = AuditEntry.objects.filter(action__startswith="stamp.").order_by("pk")
        assert list(audited.values_list("action", "actor_label")) == [("stamp.given", "Bob"), ("stamp.taken_back", "Bob")]


def test_the_last_stamp_fills_the_card_and_gives_its_voucher(cast: Cast, member: Member, as_bob: Client) -> None:
    with tenant(cast.saffron.pk):
        card = coffee_card(member.program, size=2)
    _stamp(as_bob, member, card)
    page = _stamp(as_bob, member, card, f"{TOKEN}-2").content.decode()
    assert "Stamped; the card is full: Free coffee." in page
    assert "filled 1 time" in page
    with tenant(cast.saffron.pk):
        voucher = Voucher.objects.get()
    assert voucher.code in page


def test_a_card_that_is_over_or_of_another_program_takes_no_stamp(cast: Cast, member: Member, as_bob: Client) -> None:
    with tenant(cast.saffron.pk):
        over = coffee_card(member.program, is_active=False)
        foreign = coffee_card(open_program("other"))
    for card in (over, foreign):
        assert "Nothing was changed: the card takes no stamps now." in _stamp(as_bob, member, card).content.decode()
    assert "This form is damaged." in _stamp(as_bob, member, over, "short").content.decode()
    assert _stamps(cast) == []


def test_what_a_purchase_stamped_is_not_taken_back_by_hand(cast: Cast, member: Member, as_bob: Client) -> None:
    with tenant(cast.saffron.pk):
        give_stamps(member=member, card=coffee_card(member.program), key="one", now=timezone.now(), actor=SYSTEM)
        Stamp.objects.update(key="purchase:1")
        stamp = Stamp.objects.get().pk
    assert _take(as_bob, member, stamp).status_code == 404
    assert _stamps(cast) == [1]


def test_charlie_stamps_nothing_and_looking_changes_nothing(cast: Cast, member: Member, as_bob: Client, as_charlie: Client) -> None:
    with tenant(cast.saffron.pk):
        card = coffee_card(member.program)
        give_stamps(member=member, card=card, key="one", now=timezone.now(), actor=SYSTEM)
        stamp = Stamp.objects.get().pk
    assert (_stamp(as_charlie, member, card).status_code, _take(as_charlie, member, stamp).status_code) == (404, 404)
    for url in (reverse("loyalty:give_stamp", args=[member.pk, card.pk]), reverse("loyalty:take_stamp", args=[member.pk, stamp])):
        assert as_bob.get(url).status_code == 405
    assert "Coffee card" not in as_charlie.get(reverse("loyalty:stamp_cards")).content.decode()
    assert _stamps(cast) == [1]


def test_the_list_tells_who_holds_and_filled_cards(
    cast: Cast, member: Member, as_alice: Client, as_bob: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with tenant(cast.saffron.pk):
        card = coffee_card(member.program, size=2)
        coffee_card(member.program, name="Old card", is_active=False)
        for holder, stamps in ((member, 5), (make_member(member.program, customer=CustomerFactory.create()), 1)):
            give_stamps(member=holder, card=card, key="some", now=timezone.now(), actor=SYSTEM, count=stamps)
    with django_assert_max_num_queries(16):
        answer = as_alice.get(reverse("loyalty:stamp_cards"))
    rows = answer.context["rows"]
    assert [(str(card), offered, held, filled) for card, offered, held, filled in rows] == [
        ("Coffee card", True, 2, 2),
        ("Old card", False, 0, 0),
    ]
    assert "New stamp card" in answer.content.decode()
    assert "New stamp card" not in as_bob.get(reverse("loyalty:stamp_cards")).content.decode()


def test_without_cards_the_list_says_what_comes_first(cast: Cast, member: Member, as_alice: Client) -> None:
    assert "put one into the catalogue first" in as_alice.get(reverse("loyalty:stamp_cards")).content.decode()


def test_members_see_their_stamps_and_cannot_stamp(cast: Cast, member: Member) -> None:
    with tenant(cast.saffron.pk):
        give_stamps(member=member, card=coffee_card(member.program), key="some", now=timezone.now(), actor=SYSTEM, count=4)
        url = reverse("member_page", args=[member_token(member.pk)])
    page = Client().get(url, {"lang": "en"}).content.decode()
    assert (page.count("is-stamped"), "4 of 10 stamps" in page, "/stamp/" in page) == (4, True, False)
    assert "۴ از ۱۰ مهر" in Client().get(url, {"lang": "fa"}).content.decode()


def test_the_front_desk_stamps_and_takes_back_up_to_its_limit_and_the_owner_without_one(
    cast: Cast, member: Member, as_bob: Client, as_alice: Client
) -> None:
    def stamp_many(client: Client, count: int, key: str) -> tuple[int, str]:
        headers = {"Idempotency-Key": key}
        body = {"card": card.pk, "count": count}
        answer = client.post(f"/api/v1/members/{member.pk}/stamp/", body, content_type="application/json", headers=headers)
        return answer.status_code, answer.json().get("detail", "")

    with tenant(cast.saffron.pk):
        card, other = coffee_card(member.program), coffee_card(open_program("other"))
        in_other = make_member(other.program)
    said = "Your role gives and takes 10 stamps at a time at most. Nothing was changed; ask somebody who may do more."
    assert stamp_many(as_bob, 11, "much") == (409, said)
    assert [stamp_many(as_bob, 10, f"k-{number}")[0] for number in range(19)] == [200] * 19
    with tenant(cast.saffron.pk):
        stamp = Stamp.objects.latest("pk").pk
    _take(as_bob, member, stamp)
    assert _stamps(cast) == [180]
    used_up = "Your role gives and takes 200 stamps a day at most, and that is used up."
    assert used_up in _stamp(as_bob, member, card).content.decode()
    with tenant(cast.saffron.pk):
        another = Stamp.objects.filter(count__gt=0).latest("pk").pk
    assert used_up in _take(as_bob, member, another).content.decode()
    assert "The stamp is taken back." in _take(as_bob, member, stamp).content.decode()  # again: nothing more happens
    assert stamp_many(as_bob, 10, "k-0")[0] == 200
    assert _stamps(cast) == [180]
    assert "Stamped." in _stamp(as_bob, in_other, other).content.decode()
    assert stamp_many(as_alice, 20, "owner")[0] == 200
    assert sorted(_stamps(cast)) == [1, 200]
