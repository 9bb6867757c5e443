"""The front desk and a customer's points, on a phone, in both languages."""

import pytest
from django.conf import settings

from accounts.tenancy import tenant
from loyalty.actions.referrals import code_of
from loyalty.links import join_url, member_url
from loyalty.models import Entry, Member, Wallet
from tests.browser.conftest import Visitor
from tests.crm.counter import NOW, Counter
from tests.loyalty.ledger_stage import Stage, make_member, make_program

pytestmark = pytest.mark.browser

WORDS = {
    "en": ("Points", "Give", "Give points", "50 points given.", "Redeem points", "100 points redeemed.", "Undo", "Undone."),
    "fa": (
        "امتیاز",
        "دادن",
        "دادن امتیاز",
        "۵۰ امتیاز داده شد.",
        "خرج امتیاز",
        "۱۰۰ امتیاز خرج شد.",
        "برگرداندن",
        "برگردانده شد.",
    ),
}


@pytest.fixture
def member(counter: Counter) -> Member:
    """Dana, with 300 points."""
    with tenant(counter.cast.saffron.pk):
        dana = make_member(make_program(), customer=counter.dana)
        Stage(dana, now=NOW).earn(300)
        return dana


@pytest.mark.parametrize("language", WORDS)
def test_on_a_phone_points_are_given_redeemed_and_a_redemption_undone(
    visitor: Visitor, counter: Counter, member: Member, language: str
) -> None:
    job, give, give_points, given, redeem_points, redeemed, undo, undone = WORDS[language]
    visitor.resize(360)
    visitor.speaks(language)
    page = visitor.log_in("bob@example.com")
    with page.expect_navigation():
        page.click(f".phone-bar >> text={job}")
    page.fill("#who", "dan")
    page.click(".choice >> text=Dana Reyes")
    page.click(f".points-actions .chip >> text={give}")
    page.wait_for_selector(f"button:visible >> text={give_points}")
    page.fill("#id_amount", "50" if language == "en" else "۵۰")
    page.fill("#id_reason", "Goodwill")
    page.click(f"button:visible >> text={give_points}")
    page.wait_for_selector(f"text={given}")
    page.fill("#id_amount", "100")
    page.click(f"button:visible >> text={redeem_points}")
    page.wait_for_selector(f"text={redeemed}")
    page.click(f".ledger li:first-child button >> text={undo}")
    page.wait_for_selector(f"text={undone}")
    with tenant(counter.cast.saffron.pk):
        kinds = list(Entry.objects.order_by("id").values_list("kind", "amount"))
        assert kinds == [("earn", 300), ("give", 50), ("redeem", 100), ("undo", 100)]
        assert Wallet.objects.get(member=member).balance == 350
    assert visitor.overflow() == 0
    assert visitor.complaints == []


def test_back_and_a_double_click_do_nothing_twice(visitor: Visitor, counter: Counter, member: Member) -> None:
    visitor.log_in("bob@example.com")
    page = visitor.go(f"/loyalty/members/{member.pk}/?do=redeem")
    page.fill("#id_amount", "100")
    page.dblclick("button:visible >> text=Redeem points")
    page.wait_for_url(lambda url: "do=redeem" not in url)  # going back would break off what the second click still loads
    page.wait_for_load_state("networkidle")
    page.go_back()
    page.fill("#id_amount", "100")
    page.click("button:visible >> text=Redeem points")
    page.wait_for_load_state("networkidle")
    with tenant(counter.cast.saffron.pk):
        assert Entry.objects.filter(kind="redeem").count() in (1, 2)
        assert Wallet.objects.get(member=member).balance == 200


@pytest.mark.parametrize("language", ["en", "fa"])
def test_what_unfolds_in_a_step_keeps_its_arrow_off_the_menu(visitor: Visitor, counter: Counter, member: Member, language: str) -> None:
    visitor.speaks(language)
    visitor.log_in("alice@example.com")
    visitor.resize(360)
    page = visitor.go(f"/loyalty/programs/{member.program_id}/setup/earning/")
    assert page.evaluate("[20, 340].map(x => document.elementFromPoint(x, 18).tagName)").count("SUMMARY") == 0
    page.click("summary >> visible=true")
    assert page.locator("[name=earn-0-cap]").is_visible()


@pytest.mark.parametrize("language", ["en", "fa"])
def test_nobody_is_kept_out_of_a_page_of_loyalty(visitor: Visitor, counter: Counter, member: Member, language: str) -> None:
    visitor.speaks(language)
    visitor.log_in("alice@example.com")
    with tenant(counter.cast.saffron.pk):
        own_page, joining = (
            link.removeprefix(settings.PUBLIC_URL) for link in (member_url(member.pk), join_url(code_of(member=member, now=NOW).code))
        )
    program = f"/loyalty/programs/{member.program_id}/"
    found = visitor.walk([
        "/loyalty/", "/loyalty/points/?q=dana", f"/loyalty/members/{member.pk}/?do=give", f"/customers/{counter.dana.pk}/",
        f"/loyalty/members/{member.pk}/card/", "/loyalty/rewards/", "/loyalty/vouchers/?code=none", "/loyalty/stamps/", "/loyalty/programs/",
        program, f"{program}referrals/",
        *(f"{program}setup/{step}/" for step in ("basics", "earning", "expiry", "tiers", "redemption", "review")),
        *(f"{path}?lang={language}" for path in (own_page, f"{own_page}/card", joining)),
    ])  # fmt: skip
    assert found == []
    assert visitor.complaints == []
