"""Waiting for what happens elsewhere: as long as it takes, and no longer than it may."""

import time
from collections.abc import Callable


def wait_until(happened: Callable[[], object], otherwise: str, *, seconds: float = 60.0) -> None:
    """Look again and again until ``happened`` says so.

    Raises:
        AssertionError: it did not within the seconds; ``otherwise`` says what.
    """
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.01)
