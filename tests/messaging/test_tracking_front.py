"""The door in front of Django: answered after the commit, redirected whatever happens, forged never."""

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.tracking.front import TrackingFront
from messaging.tracking.hits import Hit
from messaging.tracking.keys import signer_for
from messaging.tracking.recorder import HitRecorder, StoreAwayError
from tests.messaging.tracking_stage import PHONE

SIGNER = signer_for(42)
TOKEN = SIGNER.sign(7).track
LINK = f"/t/c/{TOKEN}/0/{SIGNER.sign_link(0, 'https://a.example/?b=1')}"


class Kept:
    """A store in memory; `trouble` makes it fail, `slow` makes it take that long."""

    def __init__(self, trouble: Exception | None = None, slow: float = 0) -> None:
        self.batches: list[list[Hit]] = []
        self.trouble, self.slow = trouble, slow

    def __call__(self, hits: Sequence[Hit]) -> None:
        time.sleep(self.slow)
        if self.trouble:
            raise self.trouble
        self.batches.append(list(hits))


def django_says(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("404 Not Found", [])
    return [b"django"]


def ask(front: TrackingFront, path: str, method: str = "GET", **environ: str) -> tuple[str, dict[str, str], bytes]:
    said: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        said.update(status=status, headers=dict(headers))

    asked = {"REQUEST_METHOD": method, "PATH_INFO": path, "HTTP_USER_AGENT": PHONE, **environ}
    body = b"".join(front(asked, start_response))
    return said["status"], said["headers"], body


def fronted(store: Kept, **options: Any) -> TrackingFront:
    return TrackingFront(django_says, HitRecorder(store, **options))


def test_a_pixel_is_a_picture_that_is_never_cached() -> None:
    store = Kept()
    status, headers, body = ask(fronted(store), f"/t/o/{TOKEN}")
    assert (status, headers["Content-Type"], headers["Cache-Control"], body[:6]) == ("200 OK", "image/gif", "no-store, private", b"GIF89a")
    hit = store.batches[0][0]
    assert (hit.ref.organization_id, hit.ref.delivery_id, hit.kind, hit.machine, hit.user_agent) == (42, 7, "open", "", PHONE)


def test_a_click_leads_to_the_address_and_tells_nobody_where_it_came_from() -> None:
    store = Kept()
    status, headers, body = ask(fronted(store), LINK)
    assert (status, headers["Location"], headers["Referrer-Policy"], body) == ("302 Found", "https://a.example/?b=1", "no-referrer", b"")
    hit = store.batches[0][0]
    assert (hit.kind, hit.link_index, hit.address) == ("click", 0, "https://a.example/?b=1")


def test_machines_are_answered_and_marked() -> None:
    store = Kept()
    front = fronted(store)
    assert ask(front, LINK, "HEAD")[0] == "302 Found"
    assert ask(front, f"/t/o/{TOKEN}", HTTP_PURPOSE="prefetch")[0] == "200 OK"
    assert ask(front, f"/t/o/{TOKEN}", HTTP_USER_AGENT="")[0] == "200 OK"
    assert [hit.machine for batch in store.batches for hit in batch] == ["head_request", "prefetch", "no_user_agent"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/t/",
        "/t/o/",
        f"/t/o/{TOKEN}x",
        f"/t/o/{TOKEN}/",
        f"/t/o/{SIGNER.sign(7).manage}",
        f"/t/c/{TOKEN}",
        f"/t/c/{TOKEN}/0/",
        LINK.replace("/0/", "/1/"),
        LINK.replace("/0/", "/00/"),
        LINK[:-1],
        LINK.replace(TOKEN, signer_for(43).sign(7).track),
        f"/t/c/{TOKEN}/0/https://evil.example/",
        f"/t/c/{TOKEN}/0/{'A' * 16}aHR0cHM6Ly9ldmls",
        f"/t/u/{TOKEN}",
    ],
)
def test_what_we_did_not_sign_goes_on_to_django_and_leaves_nothing(path: str) -> None:
    store = Kept()
    assert ask(fronted(store), path) == ("404 Not Found", {}, b"django")
    assert store.batches == []


@given(st.text(max_size=80))
def test_noise_is_never_answered(noise: str) -> None:
    store = Kept()
    front = fronted(store)
    for path in (f"/t/o/{noise}", f"/t/c/{noise}", f"/t/c/{TOKEN}/{noise}", f"/t/c/{TOKEN}/0/{noise}"):
        assert ask(front, path)[2] == b"django"
    assert store.batches == []


def test_other_methods_are_djangos() -> None:
    store = Kept()
    assert ask(fronted(store), LINK, "POST")[2] == b"django"
    assert store.batches == []


def test_many_requests_share_few_commits_and_each_waits_for_its_own() -> None:
    store = Kept(slow=0.05)
    front = fronted(store)
    answered: list[float] = []

    def reader(number: int) -> None:
        ask(front, f"/t/o/{SIGNER.sign(number).track}")
        answered.append(time.monotonic())

    threads = [threading.Thread(target=reader, args=(number,)) for number in range(1, 41)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(hit.ref.delivery_id for batch in store.batches for hit in batch) == list(range(1, 41))
    assert len(store.batches) <= 4
    assert min(answered) - started >= 0.05


def test_a_click_is_redirected_and_counted_as_lost_when_it_cannot_be_kept(caplog: pytest.LogCaptureFixture) -> None:
    front = fronted(Kept(trouble=OSError("disk full")))
    for _ in range(3):
        assert ask(front, LINK)[0] == "302 Found"
    assert front.recorder.lost == 3
    assert [record.message for record in caplog.records] == ["opens and clicks are being lost (1 so far): OSError: disk full"]


def test_nobody_waits_for_a_database_that_is_away_and_nothing_is_lost_when_it_returns() -> None:
    store = Kept(trouble=StoreAwayError("restarting"))
    front = fronted(store)
    started = time.monotonic()
    for _ in range(5):
        assert ask(front, LINK)[0] == "302 Found"
    assert time.monotonic() - started < 0.5
    store.trouble = None
    while front.recorder._waiting:
        time.sleep(0.01)
    assert sum(map(len, store.batches)) == 5
    assert front.recorder.lost == 0
    assert ask(front, LINK)[0] == "302 Found"
    assert sum(map(len, store.batches)) == 6


def test_an_outage_that_lasts_costs_hits_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    front = fronted(Kept(trouble=StoreAwayError("gone")), outage=0)
    assert ask(front, LINK)[0] == "302 Found"
    while front.recorder._waiting:
        time.sleep(0.01)
    assert front.recorder.lost == 1
    assert [record.message for record in caplog.records] == ["opens and clicks are being lost (1 so far): gone"]


def test_the_queue_is_bounded() -> None:
    front = fronted(Kept(slow=0.5), max_waiting=1)
    first = threading.Thread(target=ask, args=(front, LINK))
    first.start()
    while not front.recorder._waiting:
        time.sleep(0.005)
    started = time.monotonic()
    assert ask(front, LINK)[0] == "302 Found"
    assert time.monotonic() - started < 0.3
    assert front.recorder.lost == 1
    first.join()


def test_patience_with_a_slow_database_ends() -> None:
    front = fronted(Kept(slow=0.5), patience=0.05)
    started = time.monotonic()
    assert ask(front, LINK)[0] == "302 Found"
    assert time.monotonic() - started < 0.3
