"""Which segments refer to which, so that no rules go around in a circle and no segment in use is deleted."""

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any

from segmentation.models import Segment, SegmentKind
from segmentation.rules.vocabulary import Reference

MAX_STEPS = 5
SegmentUse = Callable[[int], Iterable[str]]
_uses: list[SegmentUse] = []


def register_segment_use(use: SegmentUse) -> None:
    """Let an app above name what of it mentions a segment in rules of its own; such a segment is not deleted."""
    _uses.append(use)


def uses_elsewhere(segment_id: int) -> list[str]:
    """Names of what mentions a segment outside of segments."""
    return sorted({name for use in _uses for name in use(segment_id)})


class References:
    """The references between the segments of the organization, read with one query when first needed."""

    def __init__(self, editing: int | None = None) -> None:
        self.editing = editing

    @cached_property
    def _graph(self) -> dict[int, set[int]]:
        rows = Segment.objects.values_list("pk", "kind", "rules")
        return {key: set(mentioned(rules)) if kind == SegmentKind.DYNAMIC else set() for key, kind, rules in rows}

    @cached_property
    def names(self) -> dict[int, str]:
        """What the segments are called."""
        return dict(Segment.objects.values_list("pk", "name"))

    def standing(self, segment_id: int) -> Reference:
        """Whether the rules that are read may mention this segment."""
        if segment_id not in self._graph:
            return Reference.UNKNOWN
        seen, edge = set[int](), {segment_id}
        for step in range(MAX_STEPS):
            if self.editing in edge:
                return Reference.CIRCULAR
            seen |= edge
            edge = set().union(*(self._graph.get(key, set()) for key in edge))
            if not edge:
                return Reference.USABLE if step + self._steps_above < MAX_STEPS else Reference.TOO_DEEP
        return Reference.CIRCULAR if self.editing in edge or edge & seen else Reference.TOO_DEEP

    @cached_property
    def _steps_above(self) -> int:
        """Through how many steps others lead to the segment whose rules are read."""
        edge = {self.editing}
        for steps in range(MAX_STEPS):
            edge = {key for key, others in self._graph.items() if others & edge}
            if not edge:
                return steps
        return MAX_STEPS

    def users_of(self, segment_id: int) -> list[int]:
        """Segments whose rules mention this one."""
        return sorted(key for key, others in self._graph.items() if segment_id in others)


def mentioned(rules: Any) -> Iterator[int]:
    """Ids of segments in stored rules, whatever else is wrong with them."""
    waiting = [rules]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            waiting.extend(node.get(mode) for mode in ("all", "any", "none"))
            if isinstance(segment_id := node.get("segment"), int):
                yield segment_id
