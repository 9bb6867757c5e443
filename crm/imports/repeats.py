"""Which rows of a file may name one person twice, told from the fingerprints of their identities alone.

Sorted, they tell in a few tenths of a second what the database takes over a second for. Two identities of one fingerprint are
rarer than one in ten million files of a million rows, and whoever then looks at the rows sees the difference.
"""

from collections.abc import Sequence

import numpy as np

from crm.imports.prints import Prints

Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]


class Repeats:
    """Gathers the fingerprints of blocks, in any order."""

    def __init__(self) -> None:
        self._blocks: list[Prints] = []

    def add(self, prints: Prints) -> None:
        """Take the fingerprints of a block."""
        self._blocks.append(prints)

    def rows(self) -> list[int]:
        """The rows of which an identity stands in another row too, in order; perhaps a row too many, never one too few."""
        if not self._blocks:
            return []
        found = [self._named_twice(_joined(kind)) for kind in zip(*(block.kinds for block in self._blocks), strict=True)]
        rows: list[int] = np.unique(_joined([block.rows for block in self._blocks])[np.concatenate(found)]).tolist()
        return rows

    def _named_twice(self, prints: Numbers) -> Numbers:
        """The positions of fingerprints that are there more than once."""
        order = np.argsort(prints)
        in_order = prints[order]
        same = np.flatnonzero((in_order[1:] == in_order[:-1]) & (in_order[1:] != self._blocks[0].nothing))
        return np.concatenate((order[same], order[same + 1]))


def _joined(pieces: Sequence[bytes]) -> Numbers:
    return np.frombuffer(b"".join(pieces), dtype=np.int64)
