"""Peak memory of processes, as the kernel counts it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def peak_mb(pid: int | str = "self") -> float:
    """The most resident memory the process has held, in MB; 0.0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), None)
    return int(line.split()[1]) / 1024 if line else 0.0


def reset_peak() -> None:
    """Forget this process's peak, so that the next reading is of what comes now."""
    Path("/proc/self/clear_refs").write_text("5")


class PeakWatch:
    """The highest peak seen among processes; ``mb`` after the block."""

    def __init__(self) -> None:
        self.mb = 0.0

    def look(self, pids: list[int]) -> None:
        self.mb = max([self.mb, *(peak_mb(pid) for pid in pids)])


@contextmanager
def watched(pids: list[int], *, seconds: float = 0.2) -> Iterator[PeakWatch]:
    """Look at the processes again and again until the block ends; the list may grow meanwhile."""
    watch, over = PeakWatch(), threading.Event()

    def look_on() -> None:
        while not over.wait(seconds):
            watch.look(list(pids))

    thread = threading.Thread(target=look_on, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join()
        watch.look(list(pids))
