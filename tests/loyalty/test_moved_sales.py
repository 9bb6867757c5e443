"""Sales, refunds and referrals of customers whose membership has moved find whoever holds the points."""

import pytest

from accounts.audit import SYSTEM
from loyalty.actions.moving import move_member, undo_move
from loyalty.models import Entry, Member
from tests.conftest import Cast
from tests.loyalty.program_stage import Shop, broken, open_program


@pytest.fixture
def shops(in_saffron: Cast) -> tuple[Shop, Shop]:
    """Two customers of a program, both members."""
    program = open_program()
    first, second = Shop(program), Shop(program)
    second.buy(5_000)
    return first, second


def move(first: Shop, second: Shop) -> Member:
    return move_member(member_id=first.member.pk, to_customer=second.customer, now=first.now, actor=SYSTEM)


def test_a_refund_of_an_older_sale_takes_from_whoever_holds_its_points(shops: tuple[Shop, Shop]) -> None:
    first, second = shops
    sale = first.buy(100_000)
    move(first, second)
    assert (first.wallet(), second.wallet()) == ((0, 0, 0, 0), (105, 0, 0, 0))
    first.refund(sale, 40_000)
    assert (first.wallet(), second.wallet()) == ((0, 0, 0, 0), (65, 0, 0, 0))
    undo_move(member_id=first.member.pk, to_member_id=second.member.pk, now=first.now, actor=SYSTEM)
    first.refund(sale, 60_000)
    assert (first.wallet(), second.wallet()) == ((0, 0, 0, 0), (5, 0, 0, 0))
    assert broken() == {}


def test_a_later_sale_earns_for_whoever_holds_the_points(shops: tuple[Shop, Shop]) -> None:
    first, second = shops
    first.buy(10_000)
    move(first, second)
    first.buy(20_000)
    assert (first.wallet(), second.wallet()) == ((0, 0, 0, 0), (35, 0, 0, 0))
    assert broken() == {}


def test_sales_of_before_earn_nothing_again_when_they_are_seen_again(shops: tuple[Shop, Shop]) -> None:
    first, second = shops
    sale = first.buy(10_000)
    move(first, second)
    entries = Entry.objects.count()
    first.accrue(sale)
    assert (second.wallet(), Entry.objects.count()) == ((15, 0, 0, 0), entries)
