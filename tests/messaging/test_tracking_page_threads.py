"""Pages share few threads, so that few database connections serve however many requests wait."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from config.page_threads import FewThreads


def test_no_more_pages_run_at_once_than_there_are_threads() -> None:
    running, most, lock = [0], [0], threading.Lock()

    def page(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.02)
        with lock:
            running[0] -= 1
        start_response("200 OK", [("X-Number", environ["number"])])
        return [environ["number"].encode()]

    few, answers = FewThreads(page, 2), {}

    def ask(number: str) -> None:
        said: list[Any] = []
        body = b"".join(few({"number": number}, lambda *answer: said.extend(answer)))
        answers[number] = (said[0], said[1], body)

    threads = [threading.Thread(target=ask, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [2]
    assert answers == {str(n): ("200 OK", [("X-Number", str(n))], str(n).encode()) for n in range(8)}


def test_what_a_page_raises_reaches_the_server() -> None:
    def page(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        raise LookupError("broken")

    with pytest.raises(LookupError, match="broken"):
        FewThreads(page, 1)({}, lambda *answer: None)
