"""A member's own page and card: only by the signed link, in the member's language, never in search engines."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.audit import SYSTEM
from accounts.models import Organization
from accounts.tenancy import tenant
from crm.models import Customer
from loyalty.actions.points import earn_points
from loyalty.actions.programs import write_terms
from loyalty.actions.tiers import update_tier
from loyalty.cards import ink_on
from loyalty.links import member_token, member_url, read_member_token
from loyalty.models import Member
from loyalty.queries.programs import TermsBook
from tests.conftest import Cast
from tests.factories import CustomerFactory
from tests.loyalty.ledger_stage import Stage, make_member, make_program

LEVELS = [{"key": "bronze", "name": "Bronze"}, {"key": "gold", "name": "Gold", "threshold": 500}]
DOCUMENT = {"tiers": {"basis": "points", "levels": LEVELS}}


@pytest.fixture
def member(cast: Cast) -> Member:
    """Dana, who reads Persian, with 300 points worth $3."""
    cache.clear()
    with tenant(cast.saffron.pk):
        customer = CustomerFactory.create(first_name="Dana", last_name="Reyes", language="fa")
        dana = make_member(make_program(), customer=customer)
        write_terms(program=dana.program, document=DOCUMENT, actor=cast.alice_acts, now=timezone.now())
        Stage(dana, now=timezone.now()).earn(300, expires_in=timedelta(days=40))
        update_tier(member_id=dana.pk, now=timezone.now(), book=TermsBook())
        return dana


def _page(cast: Cast, member: Member, name: str = "member_page", **query: str) -> str:
    return str(Client().get(_url(cast, member, name), query).content.decode())


def _url(cast: Cast, member: Member, name: str = "member_page") -> str:
    with tenant(cast.saffron.pk):
        return reverse(name, args=[member_token(member.pk)])


def test_the_page_is_in_the_members_language_with_jalali_dates(cast: Cast, member: Member) -> None:
    page = _page(cast, member)
    assert '<html lang="fa" dir="rtl">' in page
    assert "<strong>۳۰۰</strong>" in page
    assert "$۳٫۰۰" in page
    english = _page(cast, member, lang="en")
    assert '<html lang="en" dir="ltr">' in english
    assert "They are worth $3.00." in english


def test_the_way_to_the_next_tier_is_told(cast: Cast, member: Member) -> None:
    page = _page(cast, member, lang="en")
    assert "Your tier: Bronze" in page
    assert "200 more points, and you are Gold." in page
    assert '<progress class="own-progress" max="100" value="60"' in page


def test_the_page_says_all_that_expires_next_and_its_last_day_where_the_member_is(cast: Cast, member: Member) -> None:
    far = ZoneInfo("America/Los_Angeles")  # the organization is in New York
    day = timezone.now().astimezone(far).date() + timedelta(days=20)
    end = datetime.combine(day + timedelta(days=1), time(), far)
    with tenant(cast.saffron.pk):
        Customer.objects.update(time_zone=far.key)
        for key, (amount, expires_at) in enumerate([(30, end), (470, end), (5, end + timedelta(days=1))]):
            earn_points(member_id=member.pk, amount=amount, key=f"k{key}", now=timezone.now(), actor=SYSTEM, expires_at=expires_at)
    assert f"Use 500 of them by {day:%b} {day.day}, {day.year}; after that day they are gone." in _page(cast, member, lang="en")


def test_the_card_has_the_number_and_its_code_in_the_brands_colour(cast: Cast, member: Member) -> None:
    with tenant(cast.saffron.pk):
        Organization.objects.update(brand_color="#fde047")
    page = _page(cast, member, "member_card", lang="en")
    number = member.number
    assert f"{number[:4]} {number[4:8]} {number[8:]}" in page
    assert "--card: #fde047; --card-ink: #111827;" in page
    assert '<path transform="scale(1)"' in page or "<svg" in page


def test_ink_on_the_brands_colour_can_be_read() -> None:
    assert [ink_on(colour) for colour in ("#7c3aed", "#fde047", "#000000", "#FFFFFF")] == ["#ffffff", "#111827", "#ffffff", "#111827"]


@pytest.mark.parametrize("name", ["member_page", "member_card"])
def test_a_forged_link_says_nothing(cast: Cast, member: Member, name: str) -> None:
    url = _url(cast, member, name)
    token = url.split("/")[3]
    with tenant(cast.rival.pk):
        foreign = member_token(member.pk)
    for forged in (token[:-1] + ("A" if token[-1] != "A" else "B"), token.replace("-", "-1", 1), foreign, "1-1.x", "test"):
        page = Client().get(url.replace(token, forged))
        assert page.status_code == 404
        assert "Dana" not in page.content.decode()


def test_the_page_is_kept_out_of_search_engines_caches_and_scripts(cast: Cast, member: Member) -> None:
    answer = Client().get(_url(cast, member))
    assert (answer["X-Robots-Tag"], answer["Referrer-Policy"]) == ("noindex, nofollow", "no-referrer")
    assert "no-store" in answer["Cache-Control"]
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert "script-src" not in answer["Content-Security-Policy"]
    assert "unsafe" not in answer["Content-Security-Policy"]


def test_it_is_read_only(cast: Cast, member: Member) -> None:
    assert Client().post(_url(cast, member)).status_code == 405


def test_who_guesses_is_turned_away_and_members_are_not(cast: Cast, member: Member) -> None:
    guess = reverse("member_page", args=["1-1.guess"])
    statuses = [Client().get(guess).status_code for _attempt in range(62)]
    assert (statuses[0], statuses[59], statuses[-1]) == (404, 404, 429)
    assert Client().get(_url(cast, member)).status_code == 200


def test_who_left_has_no_page(cast: Cast, member: Member) -> None:
    with tenant(cast.saffron.pk):
        Member.objects.update(is_active=False)
    assert Client().get(_url(cast, member)).status_code == 404


def test_a_link_names_its_member_and_organization(cast: Cast, member: Member) -> None:
    with tenant(cast.saffron.pk):
        ref = read_member_token(member_url(member.pk).rsplit("/", 1)[1])
    assert ref is not None
    assert (ref.organization_id, ref.member_id) == (cast.saffron.pk, member.pk)


def test_staff_see_what_the_member_sees_without_the_links_by_which_the_member_decides(
    cast: Cast, member: Member, as_bob: Client, as_charlie: Client
) -> None:
    url = reverse("loyalty:seen", args=[member.pk])
    page = as_bob.get(url, {"lang": "en"}).content.decode()
    assert "Your tier: Bronze" in page
    assert "/t/" not in page
    assert as_charlie.get(url).status_code == 404
    with tenant(cast.saffron.pk):
        assert member_token(member.pk) not in as_bob.get(reverse("loyalty:member", args=[member.pk])).content.decode()


def test_staff_print_the_card(member: Member, as_bob: Client, as_charlie: Client) -> None:
    url = reverse("loyalty:card", args=[member.pk])
    assert "Dana Reyes" in as_bob.get(url).content.decode()
    assert as_charlie.get(url).status_code == 404
