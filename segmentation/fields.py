"""The socket for conditions: fields and events that rules may speak of (docs: how to add a segment field).

An app registers its own in a module ``segment_fields``, which is found by itself; the rules, their schema, the builder and the sentences follow.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Expression, F, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from segmentation.rules import Clock
from segmentation.rules.operators import ValueType

Label = str | Promise
Choices = Callable[[], Sequence[tuple[str, Label]]]


@dataclass(frozen=True, slots=True)
class SegmentField:
    """A value of a customer that rules can compare.

    ``expression`` gives it as an ORM expression over ``Customer``; empty text and NULL both mean unknown. A field whose
    value is never unknown says ``always_known`` and loses the operators that ask for it.
    """

    key: str
    label: Label
    type: ValueType
    group: Label
    expression: Callable[[Clock], Expression | F]
    choices: Choices | None = None
    always_known: bool = False


@dataclass(frozen=True, slots=True)
class EventProperty:
    """A property of an event that the builder offers; ``path`` is its column where the event is not in the log.

    ``beyond`` gives the labels of values that are none of the ``choices`` and exist all the same, where those are too many to offer.
    """

    key: str
    label: Label
    type: ValueType
    path: str = ""
    choices: Choices | None = None
    beyond: Callable[[Sequence[str]], Sequence[tuple[str, Label]]] | None = None


@dataclass(frozen=True, slots=True)
class SegmentEvent:
    """A kind of event in words.

    ``counted`` gives its word for a number of them ("visit", "visits"). Without ``rows`` it is read from the event log. With it, it is read from the rows it gives, such as a ledger: then
    ``customer`` and ``moment`` name their columns, and only the properties that are named here exist.
    """

    kind: str
    label: Label
    counted: Callable[[int], str]
    properties: tuple[EventProperty, ...] = ()
    rows: Callable[[], QuerySet[Any]] | None = None
    customer: str = "customer_id"
    moment: str = "occurred_at"


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything that was registered, in the order of registration."""

    fields: dict[str, SegmentField] = field(default_factory=dict)
    events: dict[str, SegmentEvent] = field(default_factory=dict)


_registry = Registry()
ATTRIBUTE_PREFIX = "attribute."


def register_field(new: SegmentField) -> None:
    """Offer a field to rules.

    Raises:
        ValueError: the key is taken, or reserved.
    """
    if new.key in _registry.fields or new.key.startswith((ATTRIBUTE_PREFIX, "consent")):
        raise ValueError(f"segment field {new.key!r} is taken")
    _registry.fields[new.key] = new


def register_event(new: SegmentEvent) -> None:
    """Offer a kind of event to rules.

    Raises:
        ValueError: the kind is taken.
    """
    if new.kind in _registry.events:
        raise ValueError(f"segment event {new.kind!r} is taken")
    _registry.events[new.kind] = new


def registered_fields() -> Mapping[str, SegmentField]:
    """The fields of every organization, by their keys."""
    return _registry.fields


def registered_events() -> Mapping[str, SegmentEvent]:
    """The events that have words, by their kinds."""
    return _registry.events


PROFILE: Label = _("Profile")
ADDRESS: Label = _("Address")
BEHAVIOUR: Label = _("Visits and purchases")
ENGAGEMENT: Label = _("Messages")
CUSTOM: Label = _("Custom attributes")
