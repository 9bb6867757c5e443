"""Rows that name one person are found by fingerprints, whatever blocks they came in."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from crm.imports.cells import NULL
from crm.imports.prints import prints_of
from crm.imports.repeats import Repeats

IDENTITY = st.sampled_from([NULL, "a", "b", "c", "d", "e"])
ROWS = st.lists(st.tuples(IDENTITY, IDENTITY, IDENTITY), max_size=12)


@given(ROWS, st.integers(1, 5))
def test_every_row_that_shares_an_identity_is_found_and_no_other(rows: list[tuple[str, str, str]], size: int) -> None:
    repeats = Repeats()
    for start in range(0, len(rows), size):
        block = rows[start : start + size]
        repeats.add(prints_of(range(start + 2, start + 2 + len(block)), list(zip(*block, strict=True))))
    counts = [Counter(kind) for kind in zip(*rows, strict=True)]
    shared = [
        number for number, row in enumerate(rows, 2) if any(value != NULL and counts[kind][value] > 1 for kind, value in enumerate(row))
    ]
    assert repeats.rows() == shared


def test_blocks_may_come_in_any_order() -> None:
    repeats = Repeats()
    repeats.add(prints_of([7, 8], [["C1", "C2"], [NULL, "a@example.com"], [NULL, NULL]]))
    repeats.add(prints_of([2, 3], [["C3", "C1"], ["a@example.com", "b@example.com"], [NULL, NULL]]))
    assert repeats.rows() == [2, 3, 7, 8]


def test_a_file_of_nobody_has_no_repeats() -> None:
    assert Repeats().rows() == []
