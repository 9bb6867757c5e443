"""A real browser on a real server; skipped, loudly, where the machine has no Chromium."""

import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.test import override_settings
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.conftest import PASSWORD, Cast
from tests.crm.counter import Counter, open_counter

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
# What is well is not listed: describing it takes longer than finding out.
AXE_OPTIONS = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}
PHONE, DESK = 360, 1440
# Charts follow the width of their page a frame later.
NEXT_FRAME = "new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))"


@pytest.fixture(scope="session")
def browser(django_db_setup: None) -> Iterator[Browser]:
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not found or not Path(found).exists():
        pytest.skip("NO BROWSER: Chromium is not on this machine")
    # Playwright keeps an event loop in this thread, for as long as it lives; nothing of ours is asynchronous.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base
        pass


@pytest.fixture
def counter(committed_cast: Cast) -> Counter:
    return open_counter(committed_cast)


@pytest.fixture(scope="session")
def application() -> WSGIHandler:
    """The product with its static files."""
    with override_settings(WHITENOISE_USE_FINDERS=True):
        return get_wsgi_application()


@pytest.fixture
def address(counter: Counter, application: WSGIHandler) -> Iterator[str]:
    """Where the product serves this test's database."""
    server = ThreadedWSGIServer(("127.0.0.1", 0), _Quiet)
    server.daemon_threads = False  # closing waits for them, so that no query outlives the test
    server.set_app(application)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Visitor:
    """Somebody at a browser; what the browser complained of is kept."""

    context: BrowserContext
    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        self.page.goto(self.address + path)
        self.page.wait_for_function("!document.documentElement.hasAttribute('x-cloak') && !document.querySelector('.htmx-request')")
        return self.page

    def log_in(self, email: str) -> Page:
        page = self.go("/")
        page.fill("input[name=username]", email)
        page.fill("input[name=password]", PASSWORD)
        page.click("#login-form button[type=submit]")
        page.wait_for_url(f"{self.address}/")
        return page

    def resize(self, width: int, height: int = 800) -> None:
        self.page.set_viewport_size({"width": width, "height": height})

    def speaks(self, language: str) -> None:
        self.context.add_cookies([{"name": "django_language", "value": language, "url": self.address}])

    def barriers(self) -> list[str]:
        """What keeps people out of the page (WCAG 2.2 AA, by axe)."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE_SCRIPT)
        found = self.page.evaluate("options => axe.run(options).then(results => results.violations)", AXE_OPTIONS)
        return [f"{one['id']}: {node['target']} {node['html'][:160]}" for one in found for node in one["nodes"]]

    def walk(self, paths: Iterable[str]) -> list[str]:
        """What keeps people out of these pages, opened on a phone and then drawn as wide as on a desk."""
        found = []
        for path in paths:
            self.resize(PHONE, 4_000)  # tall, so that the bar at the foot of a phone covers nothing that is measured
            self.go(path)
            found += [f"{path} on a phone: {barrier}" for barrier in self._obstacles()]
            self.resize(DESK, 4_000)
            self.page.evaluate(NEXT_FRAME)
            found += [f"{path} on a desk: {barrier}" for barrier in self._obstacles()]
        return found

    def _obstacles(self) -> list[str]:
        overflow = self.overflow()
        return self.barriers() + ([f"{overflow} px too wide"] if overflow > 0 else [])

    def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.fixture
def visitor(browser: Browser, address: str) -> Iterator[Visitor]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US")
    visitor = Visitor(context, context.new_page(), address)

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "favicon" not in message.text + str(message.location):
            visitor.complaints.append(message.text)

    visitor.page.on("console", heard)
    visitor.page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
    yield visitor
    context.close()
