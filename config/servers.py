"""The embedded servers for the length of a block, for commands that run the whole product."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from django.conf import settings

from config.embedded import start_embedded, stop_embedded
from config.embedded.home import EmbeddedServerError
from config.processes import ProcessError


@contextmanager
def servers() -> Iterator[bool]:
    """Start PostgreSQL and Valkey where none is configured; stop them at the end if they were started here.

    Yields whether they were started. SIGTERM ends the block like Ctrl-C does, so that everything is stopped in order.

    Raises:
        ProcessError: one of them does not start.
    """
    home = settings.EMBEDDED_HOME
    try:
        started = start_embedded(home, postgres=settings.EMBEDDED_POSTGRES, valkey=settings.EMBEDDED_VALKEY)
    except EmbeddedServerError as error:
        raise ProcessError(str(error)) from error
    # SIGINT too: a shell that starts us in the background has it ignored.
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield started
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if started:
            stop_embedded(home)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
