"""A rule tree as data: what ``parse_rules`` makes of JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from segmentation.rules.moments import Day, Duration

Number = int | Decimal
Scalar = str | bool | int | Decimal
Value = Scalar | Day | Duration | tuple[Scalar, ...] | tuple[Day, ...] | None


class Mode(StrEnum):
    """How a group joins its conditions."""

    ALL = "all"
    ANY = "any"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Group:
    mode: Mode
    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class FieldCondition:
    """``field`` compared with ``value``."""

    field: str
    operator: str
    value: Value = None


@dataclass(frozen=True, slots=True)
class Count:
    operator: str
    value: int


@dataclass(frozen=True, slots=True)
class Window:
    """When events count: the last so long, or between days (both included, either may be open)."""

    last: Duration | None = None
    first_day: Day | None = None
    last_day: Day | None = None


@dataclass(frozen=True, slots=True)
class PropertyFilter:
    """Only events whose property compares so count."""

    property: str
    operator: str
    value: Value = None


@dataclass(frozen=True, slots=True)
class EventCondition:
    """So many events of a kind in a window; without a window, all until now."""

    kind: str
    count: Count = Count("at_least", 1)
    window: Window | None = None
    filters: tuple[PropertyFilter, ...] = ()

    @property
    def holds_for_none(self) -> bool:
        """Whether a customer without any such event meets the condition."""
        return self.count.operator == "at_most" or (self.count.operator == "exactly" and self.count.value == 0)


@dataclass(frozen=True, slots=True)
class SegmentCondition:
    """Being, or not being, in another segment."""

    segment_id: int
    is_member: bool = True


Node = Group | FieldCondition | EventCondition | SegmentCondition


def conditions(node: Node) -> Iterator[FieldCondition | EventCondition | SegmentCondition]:
    """The leaves of a tree, in reading order."""
    if isinstance(node, Group):
        for child in node.children:
            yield from conditions(child)
    else:
        yield node


def referenced_segments(node: Node) -> set[int]:
    """Ids of the segments that a tree mentions."""
    return {leaf.segment_id for leaf in conditions(node) if isinstance(leaf, SegmentCondition)}
