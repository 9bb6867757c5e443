"""From the posted form to rules."""

from __future__ import annotations

from typing import Any

from django.http import QueryDict

from segmentation.builder.inputs import Subject, read_value
from segmentation.fields import EventProperty, SegmentEvent
from segmentation.rules.operators import COUNT_OPERATORS, Operand, property_operators
from segmentation.rules.parsing import MAX_DEPTH, MAX_FILTERS, MAX_NODES
from segmentation.rules.vocabulary import FieldWord
from segmentation.words import Words

ROOT = "r"
MAX_DIGITS = 18
Rules = dict[str, Any]


def read_form(post: QueryDict, words: Words) -> Rules:
    """The rules as the form has them, half-finished conditions included."""
    if f"{ROOT}.mode" not in post:
        return {"all": [new_condition()]}
    return _Form(post, words).node(ROOT, depth=1)


def new_condition() -> Rules:
    """What a new condition begins as."""
    return {"field": "visit_count", "op": "at_least", "value": None}


class _Form:
    def __init__(self, post: QueryDict, words: Words) -> None:
        self.post = post
        self.words = words
        self.nodes_left = MAX_NODES + 1  # one too many is read, so that it is told

    def node(self, name: str, depth: int) -> Rules:
        self.nodes_left -= 1
        mode = self.post.get(f"{name}.mode")
        if mode in ("all", "any", "none") and depth <= MAX_DEPTH:
            size = range(self._number(f"{name}.size", MAX_NODES))
            return {mode: [self.node(f"{name}-{index}", depth + 1) for index in size if self.nodes_left > 0]}
        kind, _colon, key = self.post.get(f"{name}.subject", "").partition(":")
        if kind == "event":
            return self._event(name, key or self.post.get(f"{name}.kind", "").strip())
        if kind == "segment":
            number = self.post.get(f"{name}.segment", "")
            known = number.isascii() and number.isdecimal() and len(number) <= MAX_DIGITS
            return {"segment": int(number) if known else number, "op": self.post.get(f"{name}.op", "in")}
        return self._field(name, key)

    def _number(self, name: str, most: int) -> int:
        text = self.post.get(name, "0")
        return min(int(text), most) if text.isascii() and text.isdecimal() and len(text) < 6 else 0

    def _field(self, name: str, key: str) -> Rules:
        field = self.words.field(key)
        if field is None:
            return new_condition()
        operators = FieldWord(field.type, None, field.always_known).operators
        operator = self._operator(name, operators)
        subject = Subject(field.type, self.words.conventions, self.words.choices(field) if field.choices else None)
        return {"field": key, "op": operator, **self._value(f"{name}.value", operators[operator], subject)}

    def _operator(self, name: str, operators: dict[str, Operand]) -> str:
        wanted = self.post.get(f"{name}.op", "")
        return wanted if wanted in operators else next(iter(operators))

    def _value(self, name: str, operand: Operand, subject: Subject) -> Rules:
        return {} if operand is Operand.NOTHING else {"value": read_value(self.post, name, operand, subject)}

    def _event(self, name: str, kind: str) -> Rules:
        operator = self.post.get(f"{name}.count.op", "at_least")
        subject = Subject(None, self.words.conventions)
        value = read_value(self.post, f"{name}.count", Operand.NUMBER, subject) if f"{name}.count" in self.post else 1
        rule: Rules = {"event": kind, "count": {"op": operator if operator in COUNT_OPERATORS else "at_least", "value": value}}
        if window := self._window(name):
            rule["when"] = window
        event = self.words.event(kind)
        filters = [self._filter(f"{name}.f{index}", event) for index in range(self._number(f"{name}.filters", MAX_FILTERS))]
        return {**rule, "where": filters} if filters else rule

    def _window(self, name: str) -> Rules:
        subject = Subject(None, self.words.conventions)
        match self.post.get(f"{name}.when", "ever"):
            case "last":
                return {"last": read_value(self.post, f"{name}.last", Operand.DURATION, subject)}
            case "between":
                first, last = (read_value(self.post, f"{name}.{end}", Operand.DAY, subject) for end in ("from", "to"))
                return {"from": first, "to": last}
            case "from" | "to" as end:
                return {end: read_value(self.post, f"{name}.{end}", Operand.DAY, subject)}
            case _:
                return {}

    def _filter(self, name: str, event: SegmentEvent | None) -> Rules:
        key = self.post.get(f"{name}.property", "").strip()
        declared = declared_property(event, key)
        operators = property_operators(declared.type if declared else None)
        operator = self._operator(name, operators)
        return {
            "property": key,
            "op": operator,
            **self._value(f"{name}.value", operators[operator], property_subject(declared, self.words)),
        }


def declared_property(event: SegmentEvent | None, key: str) -> EventProperty | None:
    """The property of an event, where it was declared."""
    return next((item for item in event.properties if item.key == key), None) if event else None


def property_subject(declared: EventProperty | None, words: Words, value: Any = None) -> Subject:
    """What comparing a property with this value is about."""
    if declared is None:
        return Subject(None, words.conventions)
    values = value if isinstance(value, list) else [value]
    return Subject(declared.type, words.conventions, words.choices(declared, *values) if declared.choices else None)
