"""How the demo speaks to whoever started it."""

import sys
import time

OVERWRITE = "\r\033[K"


class Voice:
    """Says what happens and when; on a terminal a line of progress is written over by the next."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._is_terminal = sys.stdout.isatty()
        self._told = 0.0

    def step(self, text: str) -> None:
        """A step of the way, with the seconds since the start."""
        before = OVERWRITE if self._is_terminal else ""
        self._write(f"{before}[{time.monotonic() - self._began:5.1f} s] {text}\n")

    def progress(self, text: str) -> None:
        """How far the step is; in a log, where lines stay, one every few seconds."""
        if self._is_terminal:
            self._write(f"{OVERWRITE}          {text}")
        elif time.monotonic() - self._told > 3:
            self._told = time.monotonic()
            self._write(f"          {text}\n")

    def line(self, text: str = "") -> None:
        """A line as it is."""
        self._write(f"{text}\n")

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
