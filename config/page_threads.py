"""Pages run in few threads, whatever number the server has.

A page's thread keeps a database connection; a tracked open or click needs none of its own, but waits for a
commit that it shares with as many others as there are threads. So the server has many threads, and pages run
in a pool of few.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class FewThreads:
    """A WSGI application that runs another in at most this many threads at the same time."""

    def __init__(self, application: WSGIApplication, threads: int) -> None:
        self._application = application
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="page")

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        said: list[tuple[Any, ...]] = []

        def keep(*answer: Any) -> None:
            said[:] = [answer]

        body = self._pool.submit(self._application, environ, keep).result()
        start_response(*said[0])
        return body
