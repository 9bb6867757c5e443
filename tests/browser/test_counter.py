"""The counter's jobs in a real browser, on a phone and in Persian."""

import pytest
from playwright.sync_api import FilePayload

from accounts.tenancy import tenant
from crm.models import Purchase
from tests.browser.conftest import Visitor
from tests.crm.counter import Counter

pytestmark = pytest.mark.browser


def test_on_a_phone_a_customer_is_found_and_a_sale_recorded(visitor: Visitor, counter: Counter) -> None:
    visitor.resize(360)
    page = visitor.log_in("bob@example.com")
    with page.expect_navigation():
        page.click(".phone-bar >> text=Sale")
    page.fill("#who", "dan")
    page.click(".choice >> text=Dana Reyes")
    page.fill("[name=lines-0-description]", "Beard oil")
    page.fill("[name=lines-0-price]", "12.50")
    page.click("text=Add a line")
    page.fill("[name=lines-1-description]", "Comb")
    page.fill("[name=lines-1-price]", "4")
    page.click("text=Record sale")
    page.wait_for_selector("text=The sale of $16.50 was recorded.")
    with tenant(counter.cast.saffron.pk):
        assert Purchase.objects.get(total_minor=1650).lines.count() == 2
    assert visitor.overflow() == 0
    assert visitor.complaints == []


def test_the_slash_key_finds_a_customer_from_any_page(visitor: Visitor, counter: Counter) -> None:
    page = visitor.log_in("bob@example.com")
    page.keyboard.press("/")
    page.keyboard.type("reyes")
    page.keyboard.press("Enter")
    page.click("table >> text=Dana Reyes")
    page.wait_for_selector("text=Yes, send me offers", state="attached")
    page.wait_for_selector(".timeline >> text=Became a customer")
    assert visitor.complaints == []


def test_the_timeline_and_consents_stay_where_scripts_are_shut_out(visitor: Visitor, counter: Counter) -> None:
    visitor.log_in("alice@example.com")
    page = visitor.go(f"/customers/{counter.dana.pk}/")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hacked = 1\">')")
    page.wait_for_timeout(200)
    assert page.evaluate("window.hacked") is None


def test_a_persian_page_is_mirrored_and_takes_jalali_dates(visitor: Visitor, counter: Counter) -> None:
    visitor.speaks("fa")
    visitor.log_in("alice@example.com")
    for width in (1440, 360):
        visitor.resize(width)
        page = visitor.go(f"/customers/{counter.dana.pk}/edit/")
        assert page.evaluate("document.documentElement.dir") == "rtl"
        assert visitor.overflow() == 0
    page.click("[name=birthday]")
    picker = page.locator(".jalali-suite-datepicker:visible")
    picker.locator("button[data-day='1']").click()
    assert page.input_value("[name=birthday]")[-2:] == "۰۱"
    assert "Vazirmatn" in page.evaluate("getComputedStyle(document.body).fontFamily")


def test_the_day_picker_stands_within_a_phones_page_and_closes_behind_whoever_tabs_on(visitor: Visitor, counter: Counter) -> None:
    visitor.speaks("fa")
    visitor.log_in("alice@example.com")
    visitor.resize(360)
    page = visitor.go(f"/customers/{counter.dana.pk}/edit/")
    page.focus("[name=birthday]")
    picker = page.locator(".jalali-suite-datepicker")
    stands = picker.bounding_box()
    assert stands is not None
    assert stands["x"] >= 0
    assert stands["x"] + stands["width"] <= 360
    page.keyboard.press("Tab")
    assert not picker.is_visible()


def test_a_file_to_import_is_chosen_without_a_complaint_of_the_browser(visitor: Visitor, counter: Counter) -> None:
    visitor.log_in("alice@example.com")
    page = visitor.go("/imports/new/")
    file = FilePayload(name="customers.csv", mimeType="text/csv", buffer=b"name,email\nAda,ada@example.com\n")
    page.set_input_files("[name=file]", files=[file])
    page.click("text=Look at the columns")
    page.wait_for_url("**/imports/*/columns/")
    assert visitor.complaints == []


@pytest.mark.parametrize("language", ["en", "fa"])
def test_nobody_is_kept_out_of_a_page(visitor: Visitor, counter: Counter, language: str) -> None:
    visitor.speaks(language)
    found = visitor.walk(["/admin/login/"])
    visitor.log_in("alice@example.com")
    dana = counter.dana.pk
    found += visitor.walk([
        "/", "/customers/", f"/customers/{dana}/", f"/customers/{dana}/edit/", f"/customers/{dana}/consent/", f"/customers/{dana}/visits/new/",
        f"/customers/{dana}/sales/new/", "/visits/", "/purchases/", f"/purchases/{counter.downtown_sale.pk}/", "/visits/new/?q=dana",
        "/admin/", "/admin/crm/visit/", "/admin/crm/visit/add/", "/admin/accounts/auditentry/",
    ])  # fmt: skip
    assert found == []
    assert visitor.complaints == []


def test_the_language_is_switched_from_the_keyboard(visitor: Visitor, counter: Counter) -> None:
    page = visitor.log_in("bob@example.com")
    page.focus(".user-menu-opener[aria-expanded=false]")
    page.keyboard.press("Enter")
    page.wait_for_selector("#user-menu", state="visible")
    page.focus("#user-menu button >> text=فارسی")
    page.keyboard.press("Enter")
    page.wait_for_function("document.documentElement.lang === 'fa'")
    assert page.url == f"{visitor.address}/"


def test_the_dark_theme_can_be_read(visitor: Visitor, counter: Counter) -> None:
    visitor.log_in("alice@example.com")
    visitor.page.evaluate("localStorage.setItem('adminTheme', '\"dark\"')")
    for path in ("/", "/customers/", f"/customers/{counter.dana.pk}/"):
        page = visitor.go(path)
        assert page.evaluate("document.documentElement.classList.contains('dark')")
        assert visitor.barriers() == []
