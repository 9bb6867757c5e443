"""A door for opens and clicks in front of Django: no middleware, no session, no page to render."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from messaging.tracking.hits import read_request
from messaging.tracking.keys import token_reader
from messaging.tracking.recorder import HitRecorder
from messaging.tracking.store import HitStore

WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class TrackingFront:
    """Answers pixels and tracked links itself; everything else, forgeries too, goes on to Django."""

    def __init__(self, application: WSGIApplication, recorder: HitRecorder | None = None) -> None:
        self._application = application
        self.recorder = recorder or HitRecorder(HitStore())
        self._reader = token_reader()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith(("/t/o/", "/t/c/")):
            answer = read_request(environ, self._reader, datetime.now(UTC))
            if answer is not None:
                self.recorder.record(answer.hit)
                start_response(answer.status, list(answer.headers))
                return [answer.body]
        return self._application(environ, start_response)
