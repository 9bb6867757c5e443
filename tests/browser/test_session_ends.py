"""A session ends while somebody types: they log in over the page and go on, and nobody else gets to see it."""

import pytest
from playwright.sync_api import Page, expect

from accounts.tenancy import tenant
from campaigns.models import Campaign
from crm.models import Customer
from segmentation.models import Segment
from tests.browser.conftest import Visitor
from tests.conftest import PASSWORD
from tests.crm.counter import Counter

pytestmark = pytest.mark.browser


def end_session(visitor: Visitor) -> None:
    visitor.context.clear_cookies(name="sessionid")


def log_in_over_the_page(page: Page, email: str) -> None:
    frame = page.frame_locator("#log-in-again iframe")
    frame.locator("input[name=username]").fill(email)
    frame.locator("input[name=password]").fill(PASSWORD)
    frame.locator("#login-form button[type=submit]").click()


def test_a_segment_is_saved_with_what_was_typed_before_the_session_ended(visitor: Visitor, counter: Counter) -> None:
    visitor.log_in("alice@example.com")
    page = visitor.go("/segments/new/")
    page.fill("#i-r-0-value", "1")
    page.wait_for_selector("#preview .figure-value")
    end_session(visitor)
    page.fill("[name=name]", "Regulars of Downtown")  # counting what it means finds the session gone
    log_in_over_the_page(page, "alice@example.com")
    expect(page.locator("#log-in-again")).to_be_hidden()
    page.click("text=Save segment")
    page.wait_for_selector("h1 >> text=Regulars of Downtown")
    with tenant(counter.cast.saffron.pk):
        assert list(Segment.objects.values_list("name", flat=True)) == ["Regulars of Downtown"]
    assert visitor.complaints == []


def test_what_was_sent_without_a_session_is_saved_once_one_has_logged_in(visitor: Visitor, counter: Counter) -> None:
    visitor.log_in("alice@example.com")
    page = visitor.go("/campaigns/new/")
    page.fill("[name=name]", "Spring")
    end_session(visitor)
    page.click("text=Keep and review")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    log_in_over_the_page(page, "alice@example.com")
    page.wait_for_selector("h1 >> text=Spring")
    with tenant(counter.cast.saffron.pk):
        assert list(Campaign.objects.values_list("name", flat=True)) == ["Spring"]


def test_a_form_of_before_another_tab_logged_in_again_is_saved(visitor: Visitor, counter: Counter) -> None:
    visitor.log_in("alice@example.com")
    page = visitor.go(f"/customers/{counter.dana.pk}/edit/")
    page.fill("[name=last_name]", "Reyes Ortiz")
    end_session(visitor)
    other = Visitor(visitor.context, visitor.context.new_page(), visitor.address)
    other.log_in("alice@example.com")
    page.click("main button[type=submit]")
    page.wait_for_url(f"**/customers/{counter.dana.pk}/")
    with tenant(counter.cast.saffron.pk):
        assert Customer.objects.get().last_name == "Reyes Ortiz"


def test_whoever_logs_in_as_somebody_else_sees_nothing_of_what_was_typed(visitor: Visitor, counter: Counter) -> None:
    visitor.log_in("alice@example.com")
    page = visitor.go(f"/customers/{counter.dana.pk}/edit/")
    page.fill("[name=last_name]", "A secret")
    end_session(visitor)
    page.click("main button[type=submit]")
    with page.expect_navigation():
        log_in_over_the_page(page, "bob@example.com")
    page.wait_for_function("!document.querySelector('#log-in-again').open && document.querySelector('[name=last_name]').value === 'Reyes'")
    assert "A secret" not in page.content()
    with tenant(counter.cast.saffron.pk):
        assert Customer.objects.get().last_name == "Reyes"
