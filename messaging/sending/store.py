"""The store the engine talks to: rows from the feeder, permission from the mark log."""

from __future__ import annotations

import os
import random
import select
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from messaging.channels.base import Fate, Outcome, Outgoing, Stage
from messaging.sending.composer import Composer, NotComposedError
from messaging.sending.feeder import Feeder, FeederLimits, Reading
from messaging.sending.ledger import Ledger, Row
from messaging.sending.mark_log import LedgerFate, MarkLog
from messaging.sending.pace import Pace
from messaging.sending.progress import ChunkProgress
from messaging.sending.rules import RetryPlan, ledger_fate

CLOSING_SECONDS = 10.0
MADE_AHEAD = 64


class PostgresStore:
    """One dispatch's messages for one run of a messenger. See `messaging.channels.base.ChunkStore`."""

    def __init__(self, *, ledger: Ledger, composer: Composer, pace: Pace, log: MarkLog, limits: FeederLimits, retries: RetryPlan) -> None:
        self._composer = composer
        self._log = log
        self._retries = retries
        self._wakeup = os.eventfd(0, os.EFD_NONBLOCK)
        log.events.register(self._wakeup, select.EPOLLIN)
        self._woken = False
        self._made: deque[tuple[ChunkProgress, Row, Reading, Outgoing | LedgerFate]] = deque()
        self._feeder = Feeder(ledger, composer, pace, limits, self._wake)
        self._chunks: dict[int, ChunkProgress] = {}
        self._dirty: set[ChunkProgress] = set()
        self._fates: list[LedgerFate] = []
        self._written: list[ChunkProgress] = []
        self._feeder.start()

    # --- what the engine asks --------------------------------------------------------------------

    def fileno(self) -> int:
        """Return a descriptor that is readable when a write has ended or rows have come."""
        return self._log.events.fileno()

    def take(self) -> Outgoing | None:
        """Return the next message, rendered; rows that were asked for too long ago go back to the feeder on the way."""
        feeder = self._feeder
        while not feeder.has_stopped and (self._made or self._make_some()):
            progress, row, reading, made = self._made.popleft()
            progress.take(row.delivery_id)  # before it may go back: rows behind it may leave before it does
            if time.monotonic() >= reading.good_until:
                feeder.overdue.append((progress, row))
                feeder.bell.set()
            elif isinstance(made, LedgerFate):
                self._note(progress, made)
            else:
                feeder.allowance -= feeder.is_limited
                return made
        return None

    def _make_some(self) -> bool:
        """Render the next messages one after the other; tell whether there are any.

        Between the other steps of sending, rendering finds the processor's caches full of something else each time.
        """
        feeder = self._feeder
        for _ in range(min(MADE_AHEAD, self.backlog())):
            try:
                progress, row, reading = feeder.ready.popleft()
            except IndexError:  # the feeder has stopped meanwhile
                break
            if len(feeder.ready) == feeder.low_water:
                feeder.bell.set()
            self._chunks[progress.chunk_id] = progress
            self._made.append((progress, row, reading, self._make(progress, row, reading)))
        return bool(self._made)

    def _make(self, progress: ChunkProgress, row: Row, reading: Reading) -> Outgoing | LedgerFate:
        if row.reason:
            return LedgerFate(row.delivery_id, "skipped", row.reason, is_attempt=False)
        try:
            outgoing = self._composer.compose(row, reading.contexts)
        except NotComposedError as error:
            return self._fate(row.delivery_id, Outcome(Fate.FAILED, Stage.RENDER, text=str(error)), row.attempts)
        outgoing.chunk_id = progress.chunk_id
        outgoing.attempts = row.attempts
        return outgoing

    def backlog(self) -> int:
        """Return how many messages could be taken at once."""
        feeder = self._feeder
        waiting = len(self._made) + len(feeder.ready)
        return min(waiting, feeder.allowance) if feeder.is_limited else waiting

    def exhausted(self) -> bool:
        """Tell whether nothing will come any more in this run."""
        feeder = self._feeder
        return feeder.has_stopped or (feeder.is_dry and not self._made and feeder.is_empty)

    def record(self, outgoing: Outgoing, outcome: Outcome) -> None:
        """Note a fate."""
        progress = self._chunks[outgoing.chunk_id]
        if outcome.fate is Fate.SENT:
            progress.finish(outgoing.delivery_id)
            self._feeder.sent.append((outgoing.delivery_id, time.time()))
            self._dirty.add(progress)
        else:
            self._note(progress, self._fate(outgoing.delivery_id, outcome, outgoing.attempts))

    def _fate(self, delivery_id: int, outcome: Outcome, attempts: int) -> LedgerFate:
        return ledger_fate(delivery_id, outcome, attempts=attempts, plan=self._retries, now=time.time(), chance=random.random)

    def _note(self, progress: ChunkProgress, fate: LedgerFate) -> None:
        progress.finish(fate.delivery_id)
        self._dirty.add(progress)
        self._fates.append(fate)

    def give_back(self, outgoing: Outgoing) -> None:
        """A message that did not leave stays in its chunk, for another run."""
        if outgoing.permitted:
            progress = self._chunks[outgoing.chunk_id]
            progress.recall(outgoing.delivery_id)
            self._dirty.add(progress)

    def has_news(self) -> bool:
        """Tell whether fates wait to be made durable."""
        return bool(self._dirty)

    def permit(self, starting: Sequence[Outgoing]) -> None:
        """Start the durable write that lets these bodies leave."""
        for outgoing in starting:
            progress = self._chunks[outgoing.chunk_id]
            progress.permit(outgoing.delivery_id)
            self._dirty.add(progress)
        fates, self._fates = self._fates, []
        self._log.write([progress.mark() for progress in self._dirty], fates)
        self._written = [progress for progress in self._dirty if progress.is_complete]
        self._dirty.clear()

    def permitted(self) -> bool:
        """Tell whether that write is on disk."""
        if self._woken:
            self._hush()
        if not self._log.poll():
            return False
        if self._written:
            for progress in self._written:
                del self._chunks[progress.chunk_id]
                self._feeder.complete.append(progress)
            self._written = []
            self._feeder.bell.set()
        return True

    def _wake(self) -> None:
        # In this order: were the flag first, it could be taken down before the descriptor is readable.
        os.eventfd_write(self._wakeup, 1)
        self._woken = True

    def _hush(self) -> None:
        self._woken = False
        with suppress(BlockingIOError):
            os.eventfd_read(self._wakeup)

    # --- what the run asks -----------------------------------------------------------------------

    @property
    def state(self) -> str:
        """Return the dispatch's state as last heard: anything but "running" stopped this run."""
        return self._feeder.state

    def close(self) -> None:
        """Write what is left to write and let go of unfinished chunks.

        Raises:
            Exception: whatever stopped the feeder.
        """
        try:
            self._finish_writing()
        finally:
            self._feeder.close()
            self._log.close()
            os.close(self._wakeup)
        if self._feeder.error is not None:
            raise self._feeder.error

    def _finish_writing(self) -> None:
        until = time.monotonic() + CLOSING_SECONDS
        while time.monotonic() < until:
            if self.permitted():
                if not self._dirty:
                    return
                self.permit([])
            select.select([self.fileno()], [], [], 0.05)
