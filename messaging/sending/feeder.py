"""The thread beside the engine: it does all database work that the engine need not wait for.

It keeps the queue of rows filled, asks again for those that grew old in it, writes "sent" back in bulk, closes
finished chunks, extends the lease, hears pause and cancel, and takes the rate limit's permits.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

from accounts.tenancy import tenant
from messaging.sending.composer import Composer, Contexts
from messaging.sending.ledger import ClaimedChunk, Ledger, Row
from messaging.sending.pace import Pace
from messaging.sending.progress import ChunkProgress
from messaging.sending.shutdown import is_asked_to_stop

RUNNING = "running"
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class FeederLimits:
    """How far ahead to read, how often to write and look, how long to work in one run."""

    rows_ahead: int = 1_000
    heartbeat_seconds: float = 0.5
    write_seconds: float = 1.0
    idle_seconds: float = 0.05
    run_seconds: float = 300.0
    give_up_seconds: float = 60.0
    ask_again_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of some rows in one go, and until when nobody is asked about them again (of `time.monotonic`)."""

    contexts: Contexts
    good_until: float


class Feeder(threading.Thread):
    """Feeds one engine. The engine's thread only touches the deques and flags below, never the database."""

    def __init__(self, ledger: Ledger, composer: Composer, pace: Pace, limits: FeederLimits, wake: Callable[[], None]) -> None:
        super().__init__(name="feeder", daemon=True)
        self.ready: deque[tuple[ChunkProgress, Row, Reading]] = deque()
        self.overdue: deque[tuple[ChunkProgress, Row]] = deque()
        self.sent: deque[tuple[int, float]] = deque()
        self.complete: deque[ChunkProgress] = deque()
        self.allowance = 0
        self.is_limited = pace.is_limited
        self.has_stopped = False
        self.is_dry = False
        self.state = RUNNING
        self.error: Exception | None = None
        self.low_water = limits.rows_ahead - 1
        self.bell = threading.Event()
        self._ledger = ledger
        self._composer = composer
        self._pace = pace
        self._limits = limits
        self._wake = wake
        self._ends_at = time.monotonic() + limits.run_seconds
        self._next_heartbeat = 0.0
        self._next_write = 0.0
        self._lost_since: float | None = None
        self._unwritten: list[tuple[int, float]] = []
        self._closing: list[ChunkProgress] = []
        self._claimed: tuple[float, ClaimedChunk, list[Row]] | None = None
        self._parting = threading.Event()

    # --- called from the engine's thread ---------------------------------------------------------

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is left to be taken, now or after it was asked for again."""
        return not self.overdue and not self.ready  # in this order: rows leave the one when they are in the other

    def close(self) -> None:
        """Write everything that is known, let go of the rest, end the thread."""
        self._parting.set()
        self.bell.set()
        self.join()

    # --- the thread ------------------------------------------------------------------------------

    def run(self) -> None:
        """Work until closed; the database being away for a moment is waited out."""
        try:
            while not self._parting.is_set():
                self._endure(self._round)
                self.bell.wait(self._limits.idle_seconds)
                self.bell.clear()
            self._endure(self._write)
            self._endure(self._ledger.release_chunks)
        except Exception as error:
            self.error = error
        finally:
            self._stop()
            connection.close()

    def _endure(self, work: Callable[[], object]) -> None:
        """Do the work, again and again while PostgreSQL is away, until that has lasted too long."""
        while True:
            try:
                work()
                self._lost_since = None
                return
            except (OperationalError, InterfaceError):
                connection.close()
                now = time.monotonic()
                self._lost_since = self._lost_since or now
                if now - self._lost_since > self._limits.give_up_seconds:
                    raise
                time.sleep(0.2)

    def _round(self) -> None:
        now = time.monotonic()
        if now >= self._next_heartbeat:
            self._next_heartbeat = now + self._limits.heartbeat_seconds
            self._look()
        if self.complete or (self.sent and now >= self._next_write):
            self._next_write = now + self._limits.write_seconds
            self._write()
        if (now > self._ends_at or is_asked_to_stop()) and not self.has_stopped:
            self._stop()
        if self.is_limited and not self.has_stopped:
            self._take_permits()
        if self.overdue and not self.has_stopped:
            self._ask_again()
        if not self.has_stopped and not self.is_dry and len(self.ready) < self._limits.rows_ahead:
            self._read()

    def _look(self) -> None:
        state = self._ledger.extend_lease()
        if state != RUNNING and not self.has_stopped:
            self.state = state
            self._stop()

    def _stop(self) -> None:
        self.has_stopped = True
        self.ready.clear()
        self._wake()

    def _write(self) -> None:
        """Write back what was sent, then close the chunks that were complete before that."""
        _drain(self.complete, self._closing)
        _drain(self.sent, self._unwritten)
        if self._unwritten:
            self._ledger.write_sent(self._unwritten)
        if self._closing:
            self._ledger.finish_chunks([progress.chunk_id for progress in self._closing])
        # Only now: a write that failed is repeated with the same rows, and repeating it is harmless.
        self._unwritten.clear()
        self._closing.clear()

    def _read(self) -> None:
        # A chunk that was claimed before PostgreSQL went away is gone on with, or it would wait for the end of its lease.
        self._claimed = self._claimed or self._claim()
        if self._claimed is None:
            self._run_dry()
            return
        asked_at, chunk, rows = self._claimed
        held_back = [row.delivery_id for row in rows if row.delivery_id <= chunk.sending_through]
        through = max(chunk.sending_through, chunk.first_id - 1)
        progress = ChunkProgress(chunk.id, total=len(rows), sending_through=through, held_back=held_back)
        self._offer([(progress, row) for row in rows], asked_at)
        self._claimed = None
        if not rows:
            self.complete.append(progress)
        self.bell.set()

    def _ask_again(self) -> None:
        """Somebody may have withdrawn, been suppressed or moved while these rows waited for their turn."""
        asked_at, count = time.monotonic(), len(self.overdue)
        owners = {row.delivery_id: progress for progress, row in islice(self.overdue, count)}
        chunk_ids = {progress.chunk_id for progress in owners.values()}
        rows = self._ledger.read_again(list(chunk_ids), list(owners))
        self._offer([(owners[row.delivery_id], row) for row in rows], asked_at)
        for _ in range(count):
            self.overdue.popleft()

    def _offer(self, rows: list[tuple[ChunkProgress, Row]], asked_at: float) -> None:
        with tenant(self._ledger.organization_id):
            contexts = self._composer.contexts([row for _, row in rows])
        reading = Reading(contexts, asked_at + self._limits.ask_again_seconds)
        self.ready.extend((progress, row, reading) for progress, row in rows)
        self._wake()

    def _claim(self) -> tuple[float, ClaimedChunk, list[Row]] | None:
        asked_at = time.monotonic()
        claimed = self._ledger.claim_chunk()
        if claimed is None and self._ledger.gather_retries():
            claimed = self._ledger.claim_chunk()
        return (asked_at, *claimed) if claimed else None

    def _run_dry(self) -> None:
        self.is_dry = True
        self._wake()

    def _take_permits(self) -> None:
        if self.allowance > 0 or not self.ready:
            return
        granted = self._pace.take()
        if granted:
            self.allowance = granted
            self._wake()


def _drain(source: deque[Item], target: list[Item]) -> None:
    while source:
        target.append(source.popleft())
