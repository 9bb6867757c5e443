"""How a worker that is asked to end tells the processes it forked, so that they finish what is on the wire and stop.

One byte of memory, shared with every process forked after this module was imported.
"""

from __future__ import annotations

import mmap

_flag = mmap.mmap(-1, 1)


def ask_to_stop() -> None:
    """From now on every run in this worker ends as soon as nothing is on the wire."""
    _flag[0] = 1


def is_asked_to_stop() -> bool:
    """Tell whether this worker is ending."""
    return _flag[0] == 1
