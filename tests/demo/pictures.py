"""Take the documents' pictures from the running demo: ``make pictures`` while ``make demo`` serves."""

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from config.demo.stage import PASSWORD

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "images"
ADDRESS = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
INBOX = f"http://127.0.0.1:{os.environ.get('INBOX_PORT', '8025')}"
DESKTOP, PHONE = ViewportSize(width=1280, height=900), ViewportSize(width=390, height=844)


def main() -> None:
    """Every picture anew."""
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = _signed_in(browser, "marco@saffron.example.com", DESKTOP)
        _first_campaign(page)
        _take(page, "campaign")
        phone = _signed_in(browser, "bob@saffron.example.com", PHONE)
        phone.goto(f"{ADDRESS}/")
        _take(phone, "counter-phone")
        persian = _signed_in(browser, "mina@saffron.example.com", DESKTOP)
        _first_campaign(persian)
        _take(persian, "campaign-fa")
        inbox = browser.new_page(viewport=DESKTOP)
        inbox.goto(INBOX)
        _take(inbox, "inbox")
        browser.close()


def _signed_in(browser: Browser, email: str, size: ViewportSize) -> Page:
    page = browser.new_context(viewport=size).new_page()
    page.goto(f"{ADDRESS}/admin/login/")
    page.fill("input[name=username]", email)
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_load_state("networkidle")
    return page


def _first_campaign(page: Page) -> None:
    page.goto(f"{ADDRESS}/campaigns/")
    page.click("a:has-text('A fresh cut')")
    page.wait_for_load_state("networkidle")


def _take(page: Page, name: str) -> None:
    page.wait_for_timeout(1_000)  # charts draw themselves in
    page.screenshot(path=FOLDER / f"{name}.png")
    sys.stdout.write(f"{FOLDER / name}.png\n")


if __name__ == "__main__":
    main()
