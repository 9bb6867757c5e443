"""The JSON schema of rules, for the API and for whoever writes rules by program."""

from typing import Any

from segmentation.fields import SegmentField, registered_fields
from segmentation.rules.moments import LONGEST, Unit
from segmentation.rules.operands import MAX_LIST, MAX_NUMBER, MAX_TEXT
from segmentation.rules.operators import COUNT_OPERATORS, Operand, ValueType, property_operators
from segmentation.rules.parsing import MAX_COUNT, MAX_DEPTH, MAX_FILTERS, MAX_KIND, MAX_NODES
from segmentation.rules.vocabulary import FieldWord
from segmentation.words import Words

Schema = dict[str, Any]
SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"


def rules_schema(words: Words | None = None) -> Schema:
    """The schema with the registered fields; inside an organization's scope, pass its words to have its attributes too."""
    offered = registered_fields().values() if words is None else words.fields()
    return {
        "$schema": SCHEMA_ID,
        "title": "Segment rules",
        "description": f"A tree of conditions: at most {MAX_DEPTH} levels and {MAX_NODES} nodes. The root is a group.",
        "$ref": "#/$defs/group",
        "$defs": {
            "group": {"oneOf": [_group(mode) for mode in ("all", "any", "none")]},
            "node": {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in ("group", "field", "event", "segment")]},
            "field": {"oneOf": [shape for field in offered for shape in _field(field)]},
            "event": _event(),
            "segment": _object(
                {"segment": {"type": "integer", "minimum": 1}, "op": {"enum": ["in", "not_in"], "default": "in"}}, ["segment"]
            ),
            "property": {"oneOf": _property()},
            "duration": _durations(frozenset(Unit)),
            "days": _durations(frozenset(Unit) - {Unit.HOURS}),
            "day": {
                "oneOf": [
                    {"type": "string", "format": "date", "pattern": "^(1[89][0-9]{2}|2[01][0-9]{2}|2200)-"},
                    _relative("ago"),
                    _relative("ahead"),
                ]
            },
        },
    }


def _object(properties: Schema, required: list[str]) -> Schema:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _group(mode: str) -> Schema:
    return _object({mode: {"type": "array", "items": {"$ref": "#/$defs/node"}, "minItems": 1, "maxItems": MAX_NODES}}, [mode])


def _field(field: SegmentField) -> list[Schema]:
    """One schema per shape of value, so that each operator asks for its own."""
    # References to rows are known only to an organization, and change; the rules themselves are checked against them.
    choices = frozenset(value for value, _label in field.choices()) if field.choices and field.type is ValueType.CHOICE else None
    shapes: dict[Operand, list[str]] = {}
    for name, operand in FieldWord(field.type, choices, field.always_known).operators.items():
        shapes.setdefault(operand, []).append(name)
    return [_comparison({"field": {"const": field.key}}, names, operand, choices) for operand, names in shapes.items()]


def _property() -> list[Schema]:
    shapes: dict[Operand, list[str]] = {}
    for name, operand in property_operators(None).items():
        shapes.setdefault(operand, []).append(name)
    subject = {"property": {"type": "string", "minLength": 1, "maxLength": MAX_KIND}}
    return [_comparison(subject, names, operand, None) for operand, names in shapes.items()]


def _comparison(subject: Schema, operators: list[str], operand: Operand, choices: frozenset[str] | None) -> Schema:
    properties, required = {**subject, "op": {"enum": operators}}, [*subject, "op"]
    if operand is Operand.NOTHING:
        return _object(properties, required)
    return _object({**properties, "value": _value(operand, choices)}, [*required, "value"])


def _value(operand: Operand, choices: frozenset[str] | None) -> Schema:
    text: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT}
    number: Schema = {"type": "number", "minimum": -MAX_NUMBER, "maximum": MAX_NUMBER}
    whole: Schema = {**number, "type": "integer"}
    choice: Schema = {"enum": sorted(choices)} if choices else text
    scalar: Schema = {"anyOf": [text, number, {"type": "boolean"}]}
    day, reference = {"$ref": "#/$defs/day"}, {"type": "integer", "minimum": 1}
    shapes: dict[Operand, Schema] = {
        Operand.TEXT: text, Operand.TEXTS: _list(text), Operand.CHOICE: choice, Operand.CHOICES: _list(choice),
        Operand.SCALAR: scalar, Operand.SCALARS: _list(scalar), Operand.NUMBER: number, Operand.NUMBERS: _list(number),
        Operand.NUMBER_RANGE: _pair(number), Operand.WHOLE: whole, Operand.WHOLE_RANGE: _pair(whole), Operand.BOOLEAN: {"type": "boolean"},
        Operand.DAY: day, Operand.DAY_RANGE: _pair(day), Operand.DURATION: {"$ref": "#/$defs/duration"},
        Operand.DAYS: {"$ref": "#/$defs/days"}, Operand.REFERENCES: _list(reference),
        Operand.YEARLY: _object({"days": {"type": "integer", "minimum": 1, "maximum": 366}}, ["days"]),
    }  # fmt: skip
    return shapes[operand]


def _list(item: Schema) -> Schema:
    return {"type": "array", "items": item, "minItems": 1, "maxItems": MAX_LIST}


def _pair(item: Schema) -> Schema:
    return {"type": "array", "items": item, "minItems": 2, "maxItems": 2}


def _durations(units: frozenset[Unit], least: int = 1) -> Schema:
    return {
        "oneOf": [
            _object({unit: {"type": "integer", "minimum": least, "maximum": LONGEST[unit]}}, [unit]) for unit in Unit if unit in units
        ]
    }


def _relative(direction: str) -> Schema:
    return _object({direction: _durations(frozenset(Unit) - {Unit.HOURS}, least=0)}, [direction])


def _event() -> Schema:
    day = {"$ref": "#/$defs/day"}
    count = _object(
        {"op": {"enum": list(COUNT_OPERATORS)}, "value": {"type": "integer", "minimum": 0, "maximum": MAX_COUNT}}, ["op", "value"]
    )
    window = {"oneOf": [
        _object({"last": {"$ref": "#/$defs/duration"}}, ["last"]),
        {**_object({"from": day, "to": day}, []), "minProperties": 1},
    ]}  # fmt: skip
    filters = {"type": "array", "items": {"$ref": "#/$defs/property"}, "minItems": 1, "maxItems": MAX_FILTERS}
    kind = {"type": "string", "minLength": 1, "maxLength": MAX_KIND}
    return _object({"event": kind, "count": count, "when": window, "where": filters}, ["event"])
