"""Which operators a type of value has, and what each of them compares with."""

from enum import StrEnum


class ValueType(StrEnum):
    """The type of a field's value."""

    TEXT = "text"
    CHOICE = "choice"
    NUMBER = "number"
    MONEY = "money"  # in minor units of the organization's currency
    BOOLEAN = "boolean"
    MOMENT = "moment"  # a date and time
    DATE = "date"
    TAGS = "tags"
    REFERENCE = "reference"  # the id of a row that the field offers as a choice


class Operand(StrEnum):
    """The shape of what a value is compared with."""

    NOTHING = "nothing"
    TEXT = "text"
    TEXTS = "texts"
    CHOICE = "choice"
    CHOICES = "choices"
    SCALAR = "scalar"  # a text, a number or true or false
    SCALARS = "scalars"
    NUMBER = "number"
    NUMBERS = "numbers"
    NUMBER_RANGE = "number_range"
    WHOLE = "whole"
    WHOLE_RANGE = "whole_range"
    BOOLEAN = "boolean"
    DAY = "day"
    DAY_RANGE = "day_range"
    DURATION = "duration"
    DAYS = "days"  # a duration without hours
    YEARLY = "yearly"  # a number of days within a year
    REFERENCES = "references"


PRESENCE = {"known": Operand.NOTHING, "unknown": Operand.NOTHING}


def _ordered(one: Operand, two: Operand) -> dict[str, Operand]:
    return {
        "equals": one,
        "not_equals": one,
        "at_least": one,
        "at_most": one,
        "more_than": one,
        "less_than": one,
        "between": two,
        **PRESENCE,
    }


def _dated(duration: Operand) -> dict[str, Operand]:
    return {
        "in_last": duration,
        "not_in_last": duration,
        "in_next": duration,
        "before": Operand.DAY,
        "since": Operand.DAY,
        "on": Operand.DAY,
        "between": Operand.DAY_RANGE,
        **PRESENCE,
    }


OPERATORS: dict[ValueType, dict[str, Operand]] = {
    ValueType.TEXT: {
        "is": Operand.TEXT,
        "is_not": Operand.TEXT,
        "any_of": Operand.TEXTS,
        "none_of": Operand.TEXTS,
        "contains": Operand.TEXT,
        "not_contains": Operand.TEXT,
        "starts_with": Operand.TEXT,
        "ends_with": Operand.TEXT,
        **PRESENCE,
    },
    ValueType.CHOICE: {
        "is": Operand.CHOICE,
        "is_not": Operand.CHOICE,
        "any_of": Operand.CHOICES,
        "none_of": Operand.CHOICES,
        **PRESENCE,
    },
    ValueType.NUMBER: _ordered(Operand.NUMBER, Operand.NUMBER_RANGE),
    ValueType.MONEY: _ordered(Operand.WHOLE, Operand.WHOLE_RANGE),
    ValueType.BOOLEAN: {"is": Operand.BOOLEAN, **PRESENCE},
    ValueType.MOMENT: _dated(Operand.DURATION),
    ValueType.DATE: {**_dated(Operand.DAYS), "anniversary_in_next": Operand.YEARLY},
    ValueType.TAGS: {"has_any": Operand.TEXTS, "has_all": Operand.TEXTS, "has_none": Operand.TEXTS, **PRESENCE},
    ValueType.REFERENCE: {"any_of": Operand.REFERENCES, "none_of": Operand.REFERENCES, **PRESENCE},
}

# Operators that hold for an unknown value too: "city is not Paris" includes those whose city nobody knows.
COMPLEMENTS: dict[str, str] = {
    "is_not": "is",
    "none_of": "any_of",
    "not_contains": "contains",
    "not_equals": "equals",
    "not_in_last": "in_last",
    "has_none": "has_any",
    "unknown": "known",
}

COUNT_OPERATORS = ("at_least", "at_most", "exactly")

_SIZES = {"at_least": Operand.NUMBER, "at_most": Operand.NUMBER, "more_than": Operand.NUMBER, "less_than": Operand.NUMBER}


def _equality(one: Operand, many: Operand) -> dict[str, Operand]:
    return {"is": one, "is_not": one, "any_of": many, "none_of": many}


_NUMERIC_PROPERTY = {**_equality(Operand.NUMBER, Operand.NUMBERS), **_SIZES, **PRESENCE}
_TEXT_PROPERTY = {**_equality(Operand.TEXT, Operand.TEXTS), "contains": Operand.TEXT, **PRESENCE}
# Events may be anybody's: where a property is not declared, the value in the rule says what type is meant.
_OPEN_PROPERTY = {**_equality(Operand.SCALAR, Operand.SCALARS), "contains": Operand.TEXT, **_SIZES, **PRESENCE}


def property_operators(declared: ValueType | None) -> dict[str, Operand]:
    """What a property of an event can be compared by; ``None`` for one that nobody declared."""
    if declared is None:
        return _OPEN_PROPERTY
    numeric = declared in (ValueType.NUMBER, ValueType.MONEY, ValueType.REFERENCE)
    return _NUMERIC_PROPERTY if numeric else _TEXT_PROPERTY
