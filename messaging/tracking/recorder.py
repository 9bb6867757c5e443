"""Many requests, one commit: each is answered when the transaction with its hit is on disk.

Requests put their hit into the open batch and wait; one thread takes the batch, writes it and
wakes them all, while the next batch fills. The longer a commit takes, the more it carries.

If the database is away, requests are answered all the same and at once: a reader must get the page
behind a link. Their hits stay in memory and are written when the database is back, within a minute.
What cannot be kept, because that took longer, too many wait or the process ends, is counted and logged.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from messaging.tracking.hits import Hit

logger = logging.getLogger(__name__)

Store = Callable[[Sequence[Hit]], None]
MAX_WAITING = 5_000
MAX_BATCH = 1_000
PATIENCE_SECONDS = 5.0
OUTAGE_SECONDS = 60.0
RETRY_SECONDS = 0.25
LOG_EVERY_SECONDS = 10.0


class StoreAwayError(Exception):
    """The database cannot be reached now; trying again may help."""


class _Batch:
    __slots__ = ("done", "hits", "kept")

    def __init__(self) -> None:
        self.hits: list[Hit] = []
        self.done = threading.Event()
        self.kept = False


class HitRecorder:
    """Groups the hits of all request threads of this process into few transactions."""

    def __init__(
        self,
        store: Store,
        *,
        max_waiting: int = MAX_WAITING,
        patience: float = PATIENCE_SECONDS,
        outage: float = OUTAGE_SECONDS,
    ) -> None:
        self._store = store
        self._max_waiting = max_waiting
        self._patience = patience
        self._outage = outage
        self._is_away = False
        self._lock = threading.Lock()
        self._filled = threading.Condition(self._lock)
        self._batches: list[_Batch] = []
        self._waiting = 0
        self._thread: threading.Thread | None = None
        self._logged_at = float("-inf")
        self.lost = 0

    def record(self, hit: Hit) -> bool:
        """Wait until the hit is on disk; False if it is not (yet), which is no reason to withhold the answer."""
        batch = self._enqueue(hit)
        if batch is None:
            self._count_lost(1, "too many requests are waiting")
            return False
        if self._is_away:
            return False
        # A batch that outlasts our patience may still be written; then it was late, not lost.
        return batch.done.wait(self._patience) and batch.kept

    def _enqueue(self, hit: Hit) -> _Batch | None:
        with self._filled:
            if self._waiting >= self._max_waiting:
                return None
            if self._thread is None:
                # Started by the first hit, so that it lives in the process that serves.
                self._thread = threading.Thread(target=self._work, name="tracking-recorder", daemon=True)
                self._thread.start()
            if not self._batches or len(self._batches[-1].hits) >= MAX_BATCH:
                self._batches.append(_Batch())
                self._filled.notify()
            batch = self._batches[-1]
            batch.hits.append(hit)
            self._waiting += 1
            return batch

    def _work(self) -> None:
        while True:
            with self._filled:
                while not self._batches:
                    self._filled.wait()
                batch = self._batches.pop(0)
            self._write(batch)
            with self._filled:
                self._waiting -= len(batch.hits)
            batch.done.set()

    def _write(self, batch: _Batch) -> None:
        """Store a batch, trying again while the database is away; whatever happens, the thread goes on."""
        deadline = time.monotonic() + self._outage
        while True:
            try:
                self._store(batch.hits)
            except StoreAwayError as error:
                self._is_away = True
                batch.done.set()  # nobody waits for a database that is away
                if time.monotonic() >= deadline:
                    self._count_lost(len(batch.hits), str(error))
                    return
                time.sleep(RETRY_SECONDS)
            except Exception as error:
                self._count_lost(len(batch.hits), f"{type(error).__name__}: {error}")
                return
            else:
                self._is_away, batch.kept = False, True
                return

    def _count_lost(self, count: int, why: str) -> None:
        with self._lock:
            self.lost += count
            now = time.monotonic()
            quiet = now - self._logged_at < LOG_EVERY_SECONDS
            if not quiet:
                self._logged_at = now
        if not quiet:
            logger.error("opens and clicks are being lost (%s so far): %s", self.lost, why)
