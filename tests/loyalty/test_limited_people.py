"""Whoever is limited to some locations is told of their sales alone, in all that a program's figures sum."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Membership, MembershipLocation, Role
from accounts.tenancy import tenant
from loyalty.actions.referrals import code_of, join_by_code
from loyalty.models import Member
from tests.conftest import Cast
from tests.loyalty.ledger_stage import make_member
from tests.loyalty.program_stage import Shop, open_program


@pytest.fixture
def referrer(cast: Cast) -> Member:
    """Brought somebody who bought for 500.00 in Downtown and 300.00 in Uptown; Bob manages Downtown."""
    with tenant(cast.saffron.pk):
        membership = Membership.objects.get(user=cast.bob)
        MembershipLocation.objects.create(membership=membership, location=cast.downtown)
        Membership.objects.filter(pk=membership.pk).update(role=Role.MANAGER)
        now = timezone.now()
        shop = Shop(open_program(), now=now)
        referrer = make_member(shop.program)
        join_by_code(code=code_of(member=referrer, now=now).code, customer=shop.customer, now=now, actor=cast.alice_acts)
        shop.buy(50_000, location=cast.downtown)
        shop.buy(30_000, location=cast.uptown)
    return referrer


def figures(client: Client, referrer: Member) -> dict[str, int | list[int]]:
    """Every sum of money that pages and API tell of a program."""
    program = referrer.program_id
    board = client.get(reverse("loyalty:board", args=[program])).context
    page = client.get(reverse("loyalty:referrals", args=[program])).context
    best = client.get(reverse("loyalty:referrals", args=[program]), {"show": "best"}).context
    api = f"/api/v1/programs/{program}"
    return {
        "sales": [board["part"].sales_minor, board["part"].members_sales_minor],
        "deferred": [board["accounts"][0][1].deferred_minor, client.get(f"{api}/liability/").json()["months"][0]["deferred_minor"]],
        "of the program": [page["figures"].revenue_minor, client.get(f"{api}/referrals/").json()["revenue_minor"]],
        "of the best": [revenue for _member, revenue in best["rows"]],
        "of the member": [
            client.get(reverse("loyalty:member", args=[referrer.pk])).context["referred"].revenue_minor,
            client.get(f"/api/v1/members/{referrer.pk}/referral/").json()["revenue_minor"],
        ],
    }


def test_the_owner_is_told_of_all_sales(as_alice: Client, referrer: Member) -> None:
    assert figures(as_alice, referrer) == {
        "sales": [80_000, 80_000],
        "deferred": [40 + 24, 40 + 24],
        "of the program": [80_000, 80_000],
        "of the best": [80_000],
        "of the member": [80_000, 80_000],
    }


def test_whoever_is_limited_to_a_location_is_told_of_its_sales_alone(as_bob: Client, referrer: Member) -> None:
    assert figures(as_bob, referrer) == {
        "sales": [50_000, 50_000],
        "deferred": [40, 40],
        "of the program": [50_000, 50_000],
        "of the best": [50_000],
        "of the member": [50_000, 50_000],
    }
