"""Fingerprints of the identities of rows, small enough to keep those of a whole file."""

from array import array
from collections.abc import Sequence
from typing import Final, NamedTuple

from crm.imports.cells import NULL

NUMBER: Final = "q"


class Prints(NamedTuple):
    """Of the rows of a block: their numbers and, kind by kind, the fingerprints of their identities, eight bytes each.

    The fingerprints are Python's hashes, alike in processes of one ``PYTHONHASHSEED`` only; ``nothing`` is that of a missing identity.
    """

    nothing: int
    rows: bytes
    kinds: tuple[bytes, ...]


def prints_of(rows: Sequence[int], identities: Sequence[Sequence[str]]) -> Prints:
    """The fingerprints of columns of identities as COPY takes them."""
    return Prints(hash(NULL), array(NUMBER, rows).tobytes(), tuple(array(NUMBER, map(hash, column)).tobytes() for column in identities))
