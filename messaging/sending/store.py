"""The store the engine talks to: rows from the feeder, permission from the mark log."""

from __future__ import annotations

import os
import random
import select
import time
from collections.abc import Sequence
from contextlib import suppress

from messaging.channels.base import Fate, Outcome, Outgoing, Stage
from messaging.sending.composer import Composer, Contexts, NotComposedError
from messaging.sending.feeder import Feeder, FeederLimits
from messaging.sending.ledger import Ledger, Row
from messaging.sending.mark_log import LedgerFate, MarkLog
from messaging.sending.pace import Pace
from messaging.sending.progress import ChunkProgress
from messaging.sending.rules import RetryPlan, ledger_fate

CLOSING_SECONDS = 10.0


class PostgresStore:
    """One dispatch's messages for one run of a messenger. See `messaging.channels.base.ChunkStore`."""

    def __init__(self, *, ledger: Ledger, composer: Composer, pace: Pace, log: MarkLog, limits: FeederLimits, retries: RetryPlan) -> None:
        self._composer = composer
        self._log = log
        self._retries = retries
        self._wakeup = os.eventfd(0, os.EFD_NONBLOCK)
        log.events.register(self._wakeup, select.EPOLLIN)
        self._woken = False
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
        """Return the next message, rendered."""
        feeder = self._feeder
        while (found := self._next()) is not None:
            progress, row, contexts = found
            self._chunks[progress.chunk_id] = progress
            progress.take(row.delivery_id)
            if row.reason:
                self._note(progress, LedgerFate(row.delivery_id, "skipped", row.reason, is_attempt=False))
                continue
            try:
                outgoing = self._composer.compose(row, contexts)
            except NotComposedError as error:
                self._note(progress, self._fate(row.delivery_id, Outcome(Fate.FAILED, Stage.RENDER, text=str(error)), row.attempts))
                continue
            outgoing.chunk_id = progress.chunk_id
            outgoing.attempts = row.attempts
            feeder.allowance -= feeder.is_limited
            return outgoing
        return None

    def _next(self) -> tuple[ChunkProgress, Row, Contexts] | None:
        """Return the next row that was asked for lately; older ones go back to the feeder on the way."""
        feeder = self._feeder
        while feeder.ready and (not feeder.is_limited or feeder.allowance > 0):
            try:
                progress, row, reading = feeder.ready.popleft()
            except IndexError:
                return None
            if len(feeder.ready) == feeder.low_water:
                feeder.bell.set()
            if time.monotonic() < reading.good_until:
                return progress, row, reading.contexts
            feeder.overdue.append((progress, row))
            feeder.bell.set()
        return None

    def backlog(self) -> int:
        """Return how many messages could be taken at once."""
        feeder = self._feeder
        return min(len(feeder.ready), feeder.allowance) if feeder.is_limited else len(feeder.ready)

    def exhausted(self) -> bool:
        """Tell whether nothing will come any more in this run."""
        feeder = self._feeder
        return feeder.has_stopped or (feeder.is_dry and feeder.is_empty)

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
