"""How far one chunk has come. Pure bookkeeping: what the watermark on its row has to say at any moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mark:
    """The watermark of a chunk, all in delivery ids.

    Whoever finds it after a crash knows: `in_flight` may have left (one per connection at most), `held_back` and
    everything after `sending_through` has not, and everything else up to `sending_through` is done.
    """

    chunk_id: int
    done_through: int
    sending_through: int
    in_flight: tuple[int, ...]
    held_back: tuple[int, ...]


class ChunkProgress:
    """The deliveries of one claimed chunk on their way: taken, permitted, finished."""

    __slots__ = ("_done", "_flying", "_held", "_through", "_total", "chunk_id")

    def __init__(self, chunk_id: int, *, total: int, sending_through: int, held_back: Iterable[int] = ()) -> None:
        self.chunk_id = chunk_id
        self._total = total
        self._done = 0
        self._through = sending_through
        self._held = set(held_back)
        self._flying: set[int] = set()

    def take(self, delivery_id: int) -> None:
        """A delivery leaves the queue; its envelope may travel, its body may not."""
        self._held.add(delivery_id)

    def permit(self, delivery_id: int) -> None:
        """Its body may leave as soon as the mark is on disk."""
        self._held.discard(delivery_id)
        self._flying.add(delivery_id)
        if delivery_id > self._through:
            self._through = delivery_id

    def finish(self, delivery_id: int) -> None:
        """Its fate is known."""
        self._held.discard(delivery_id)
        self._flying.discard(delivery_id)
        self._done += 1

    def recall(self, delivery_id: int) -> None:
        """Its permission is void: the body has not left and will not leave from here."""
        self._flying.discard(delivery_id)
        self._held.add(delivery_id)

    @property
    def is_complete(self) -> bool:
        """Tell whether every delivery's fate is known."""
        return self._done == self._total

    def mark(self) -> Mark:
        """Return the watermark that is true now."""
        held = sorted(delivery_id for delivery_id in self._held if delivery_id <= self._through)
        flying = sorted(self._flying)
        unfinished = [*flying[:1], *held[:1]]
        done = min(unfinished) - 1 if unfinished else self._through
        return Mark(self.chunk_id, done, self._through, tuple(flying), tuple(held))
