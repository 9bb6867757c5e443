"""What rules may speak of: the fields and events of an organization, as far as pure rules need to know them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from segmentation.rules.operators import OPERATORS, PRESENCE, Operand, ValueType


@dataclass(frozen=True, slots=True)
class FieldWord:
    """A field: its type and, where it has a fixed set of them, its values."""

    type: ValueType
    choices: frozenset[str] | None = None
    always_known: bool = False

    @property
    def operators(self) -> dict[str, Operand]:
        """What the field can be compared by; one that is always known cannot be asked whether it is."""
        return {name: operand for name, operand in OPERATORS[self.type].items() if not (self.always_known and name in PRESENCE)}


@dataclass(frozen=True, slots=True)
class EventWord:
    """A kind of event with its declared properties; an open one may have others too."""

    properties: Mapping[str, ValueType] = field(default_factory=dict)
    is_open: bool = True


class Reference(Enum):
    """Whether rules may mention a segment."""

    USABLE = "usable"
    UNKNOWN = "unknown"
    CIRCULAR = "circular"
    TOO_DEEP = "too_deep"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of one organization. Kinds of events that are not listed are events of its own."""

    fields: Mapping[str, FieldWord]
    events: Mapping[str, EventWord] = field(default_factory=dict)
    segments: Callable[[int], Reference] = lambda segment_id: Reference.USABLE

    def event(self, kind: str) -> EventWord:
        return self.events.get(kind, EventWord())
