"""The fields and events that the current organization's rules may speak of, registered ones and its own attributes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from zoneinfo import ZoneInfo

from django.db.models import Expression

from accounts.queries import current_organization
from crm.models import AttributeDefinition, AttributeType
from segmentation.expressions import JsonBoolean, JsonDate, JsonNumber, JsonText
from segmentation.fields import (
    ATTRIBUTE_PREFIX,
    CUSTOM,
    Choices,
    EventProperty,
    Label,
    SegmentEvent,
    SegmentField,
    registered_events,
    registered_fields,
)
from segmentation.references import References
from segmentation.rules import Clock, EventWord, FieldWord, Vocabulary
from segmentation.rules.operators import ValueType

_ATTRIBUTES: dict[str, tuple[ValueType, type[Expression]]] = {
    AttributeType.TEXT: (ValueType.TEXT, JsonText),
    AttributeType.NUMBER: (ValueType.NUMBER, JsonNumber),
    AttributeType.BOOLEAN: (ValueType.BOOLEAN, JsonBoolean),
    AttributeType.DATE: (ValueType.DATE, JsonDate),
    AttributeType.CHOICE: (ValueType.CHOICE, JsonText),
}


class Words:
    """Fields, events, segments, currency and time zone of the organization of the scope; read once, when first asked for.

    Args:
        editing: the segment whose rules are read, which they must not refer back to.
    """

    def __init__(self, editing: int | None = None) -> None:
        self.references = References(editing)
        self._choices: dict[Choices, Sequence[tuple[str, Label]]] = {}

    @cached_property
    def conventions(self) -> "Conventions":
        """Its time zone and its money."""
        organization = current_organization()
        return Conventions(ZoneInfo(organization.time_zone), organization.currency, organization.money_unit)

    @cached_property
    def _attributes(self) -> dict[str, SegmentField]:
        return {ATTRIBUTE_PREFIX + definition.key: _attribute_field(definition) for definition in AttributeDefinition.objects.all()}

    def field(self, key: str) -> SegmentField | None:
        """The field with this key, registered or an attribute."""
        if key.startswith(ATTRIBUTE_PREFIX):
            return self._attributes.get(key)
        return registered_fields().get(key)

    def fields(self) -> list[SegmentField]:
        """Every field, the organization's attributes last."""
        return [*registered_fields().values(), *self._attributes.values()]

    def event(self, kind: str) -> SegmentEvent | None:
        """The registered event of this kind; ``None`` for one of the organization's own."""
        return registered_events().get(kind)

    def choices(self, of: SegmentField | EventProperty, *values: object) -> Sequence[tuple[str, Label]]:
        """What is offered for a field or a property that has choices, and which of these values exist beyond it."""
        assert of.choices is not None, of.key
        if of.choices not in self._choices:
            self._choices[of.choices] = of.choices()
        offered = self._choices[of.choices]
        beyond = of.beyond if isinstance(of, EventProperty) else None
        missing = {str(value) for value in values} - {value for value, _label in offered} if beyond else set()
        return [*offered, *beyond(sorted(missing))] if beyond and missing else offered

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The same for the pure rules."""
        events = {
            kind: EventWord({item.key: item.type for item in event.properties}, is_open=event.rows is None)
            for kind, event in registered_events().items()
        }
        return Vocabulary(_FieldWords(self), events, self.references.standing)


@dataclass(frozen=True, slots=True)
class Conventions:
    """How the organization counts time and money."""

    zone: ZoneInfo
    currency: str
    money_unit: str

    @classmethod
    def plain(cls) -> "Conventions":
        """For values that are neither money nor moments."""
        return cls(ZoneInfo("UTC"), "", "")


class _FieldWords(Mapping[str, FieldWord]):
    # Choices of a field may cost a query, so a word is made when a rule speaks it.
    def __init__(self, words: Words) -> None:
        self._words = words

    def __getitem__(self, key: str) -> FieldWord:
        if (field := self._words.field(key)) is None:
            raise KeyError(key)
        choices = frozenset(value for value, _label in self._words.choices(field)) if field.choices else None
        return FieldWord(field.type, choices, field.always_known)

    def __iter__(self) -> Iterator[str]:
        return (field.key for field in self._words.fields())

    def __len__(self) -> int:
        return len(self._words.fields())


def _attribute_field(definition: AttributeDefinition) -> SegmentField:
    kind, expression = _ATTRIBUTES[definition.type]
    key, offered = definition.key, [(choice, choice) for choice in definition.choices]

    def value(clock: Clock) -> Expression:
        return expression("attributes", key)

    return SegmentField(
        ATTRIBUTE_PREFIX + key,
        definition.label,
        kind,
        CUSTOM,
        value,
        choices=(lambda: offered) if definition.type == AttributeType.CHOICE else None,
    )
