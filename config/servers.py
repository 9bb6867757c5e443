"""The embedded servers for the length of a block, for commands that run the whole product."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from django.conf import settings
from redis import Redis

from config.embedded import start_embedded, stop_embedded
from config.embedded.home import EmbeddedServerError
from config.processes import ProcessError

BROKER_SECONDS = 5


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
    try:
        with interruptible():
            if not settings.EMBEDDED_VALKEY:
                _see_broker()
            yield started
    finally:
        if started:
            stop_embedded(home)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGINT end the block as KeyboardInterrupt, and nothing else once one has come.

    Whoever was waiting for the database when it came ends with an error of the driver in its place.
    """
    has_come = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal has_come
        has_come = True
        raise KeyboardInterrupt

    # SIGINT too: a shell that starts us in the background has it ignored.
    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except Exception as error:
        if has_come:
            raise KeyboardInterrupt from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _see_broker() -> None:
    # Workers would ask again and again for one that is not there; this says at once what to do.
    with Redis.from_url(settings.REDIS_URL, socket_timeout=BROKER_SECONDS, socket_connect_timeout=BROKER_SECONDS) as broker:
        broker.ping()
