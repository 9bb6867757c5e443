"""The watermark tells the truth at every moment, whatever the order of events."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from messaging.sending.progress import ChunkProgress, Mark

COUNT = 12
LINES = 3


def test_a_fresh_chunk_says_that_nothing_left() -> None:
    assert ChunkProgress(7, total=3, sending_through=99).mark() == Mark(7, 99, 99, (), ())


def test_the_mark_follows_each_step() -> None:
    progress = ChunkProgress(7, total=4, sending_through=99)
    for delivery_id in (100, 101, 102):
        progress.take(delivery_id)
    progress.permit(101)
    assert progress.mark() == Mark(7, 99, 101, (101,), (100,))
    progress.permit(100)
    progress.finish(101)
    assert progress.mark() == Mark(7, 99, 101, (100,), ())
    progress.finish(100)
    assert progress.mark() == Mark(7, 101, 101, (), ())
    progress.finish(102)
    assert not progress.is_complete
    progress.take(103)
    progress.permit(103)
    progress.recall(103)
    assert progress.mark() == Mark(7, 102, 103, (), (103,))
    progress.permit(103)
    progress.finish(103)
    assert progress.is_complete
    assert progress.mark() == Mark(7, 103, 103, (), ())


def test_a_chunk_taken_over_remembers_what_was_held_back() -> None:
    progress = ChunkProgress(7, total=3, sending_through=105, held_back=[101, 104])
    assert progress.mark() == Mark(7, 100, 105, (), (101, 104))
    progress.take(101)
    progress.permit(101)
    progress.finish(101)
    assert progress.mark() == Mark(7, 103, 105, (), (104,))


@settings(max_examples=100)
@given(st.data())
def test_a_reader_of_any_mark_knows_what_left(data: st.DataObject) -> None:
    """Play random orders of events; after each, classify every delivery as recovery would."""
    progress = ChunkProgress(1, total=COUNT, sending_through=0)
    waiting: list[int] = list(range(1, COUNT + 1))
    taken: list[int] = []
    flying: list[int] = []
    permitted_ever: set[int] = set()
    finished: set[int] = set()
    while waiting or taken or flying:
        moves = [name for name, able in _able(waiting, taken, flying) if able]
        move = data.draw(st.sampled_from(moves))
        if move == "take":
            taken.append(waiting.pop(0))
            progress.take(taken[-1])
        elif move == "permit":
            flying.append(taken.pop(data.draw(st.integers(0, len(taken) - 1))))
            permitted_ever.add(flying[-1])
            progress.permit(flying[-1])
        elif move == "refuse":
            finished.add(gone := taken.pop(data.draw(st.integers(0, len(taken) - 1))))
            progress.finish(gone)
        else:
            finished.add(gone := flying.pop(data.draw(st.integers(0, len(flying) - 1))))
            progress.finish(gone)
        mark = progress.mark()
        assert len(mark.in_flight) <= LINES
        assert set(mark.in_flight) == set(flying)
        for delivery_id in range(1, COUNT + 1):
            left_nothing = delivery_id > mark.sending_through or delivery_id in mark.held_back
            if delivery_id in permitted_ever:
                assert not left_nothing, "a body that may have left is never taken for untouched"
            if delivery_id not in permitted_ever | finished:
                assert left_nothing, "a message that was never permitted is never taken for sent"
            if delivery_id <= mark.done_through:
                assert delivery_id in finished
    assert progress.is_complete


def _able(waiting: list[int], taken: list[int], flying: list[int]) -> list[tuple[str, bool]]:
    return [
        ("take", bool(waiting) and len(taken) < LINES),
        ("permit", bool(taken) and len(flying) < LINES),
        ("refuse", bool(taken)),
        ("finish", bool(flying)),
    ]
