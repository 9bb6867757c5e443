"""From JSON to a rule tree, or to every fault in it with its path."""

from __future__ import annotations

from typing import Any

from segmentation.rules.moments import Unit
from segmentation.rules.operands import read_day, read_duration, read_operand
from segmentation.rules.operators import COUNT_OPERATORS, Operand, property_operators
from segmentation.rules.problems import RulesError
from segmentation.rules.problems import gettext_noop as _
from segmentation.rules.report import Reader, T
from segmentation.rules.tree import (
    Count,
    EventCondition,
    FieldCondition,
    Group,
    Mode,
    Node,
    PropertyFilter,
    SegmentCondition,
    Window,
)
from segmentation.rules.vocabulary import EventWord, Reference, Vocabulary

MAX_DEPTH = 6
MAX_NODES = 100
MAX_FILTERS = 10
MAX_COUNT = 1_000_000
MAX_KIND = 60
MODES = frozenset(Mode)
REFERENCE_MESSAGES = {
    Reference.UNKNOWN: _("There is no segment with the number %(number)s."),
    Reference.CIRCULAR: _("Segment %(number)s refers back to this one."),
    Reference.TOO_DEEP: _("Segment %(number)s refers to others through too many steps."),
}
FORMS = MODES | {"field", "event", "segment"}


def parse_rules(raw: Any, vocabulary: Vocabulary, *, is_stored: bool = False) -> Group:
    """Read rules, new ones or such as were accepted before.

    Raises:
        RulesError: with every fault and the path to its node.
    """
    parser = _Parser(vocabulary, is_stored=is_stored)
    node = parser.node("", raw, depth=1)
    if not parser.problems and not isinstance(node, Group):
        parser.tell("", "no_group", _("The rules have to begin with a group: all, any or none."))
    if parser.problems or not isinstance(node, Group):
        raise RulesError(parser.problems)
    return node


class _Parser(Reader):
    def __init__(self, vocabulary: Vocabulary, *, is_stored: bool) -> None:
        super().__init__(is_stored=is_stored)
        self.vocabulary = vocabulary
        self.node_count = 0

    def node(self, path: str, raw: Any, depth: int) -> Node | None:
        self.node_count += 1
        if self.node_count > MAX_NODES:
            if self.node_count == MAX_NODES + 1:
                self.tell(path, "too_many_nodes", _("There are more than %(most)s conditions and groups."), most=MAX_NODES)
            return None
        if depth > MAX_DEPTH:
            return self.tell(path, "too_deep", _("Groups are nested more than %(most)s deep."), most=MAX_DEPTH)
        if not isinstance(raw, dict):
            return self.tell(path, "not_object", _("Give an object: a group or a condition."))
        forms = [key for key in raw if key in FORMS]
        if len(forms) != 1:
            return self.tell(path, "unclear_node", _("Give exactly one of: all, any, none, field, event, segment."))
        form = forms[0]
        if form in MODES:
            return self._group(path, raw, Mode(form), depth)
        return {"field": self._field, "event": self._event, "segment": self._segment}[form](path, raw)

    def _group(self, path: str, raw: dict[str, Any], mode: Mode, depth: int) -> Group | None:
        self._only(path, raw, {mode})
        place = _join(path, mode)
        children = raw[mode]
        if not isinstance(children, list) or not children:
            return self.tell(place, "empty_group", _("Give a list with at least one condition."))
        nodes = []
        for index, child in enumerate(children):
            if self.node_count > MAX_NODES:
                break
            nodes.append(self.node(f"{place}[{index}]", child, depth + 1))
        return Group(mode, tuple(node for node in nodes if node is not None))

    def _field(self, path: str, raw: dict[str, Any]) -> FieldCondition | None:
        key, operator = raw["field"], raw.get("op")
        if isinstance(key, str) and (key == "consent" or key.startswith("consent.")):
            return self.tell(
                _join(path, "field"),
                "consent",
                _(
                    "Consent does not choose customers: it is checked for each person at the moment of sending, and shown beside the customers here."
                ),
            )
        word = self.vocabulary.fields.get(key) if isinstance(key, str) else None
        if word is None:
            return self.tell(_join(path, "field"), "unknown_field", _("There is no field “%(name)s”."), name=str(key)[:60])
        operand = self._operand(path, operator, word.operators)
        if operand is None or not isinstance(operator, str):
            return None
        self._only(path, raw, {"field", "op", "value"})
        return FieldCondition(key, operator, self._value(path, raw, operand, word.choices))

    def _event(self, path: str, raw: dict[str, Any]) -> EventCondition | None:
        self._only(path, raw, {"event", "count", "when", "where"})
        kind = raw["event"]
        if not isinstance(kind, str) or not 1 <= len(kind) <= MAX_KIND or not kind.isprintable():
            return self.tell(_join(path, "event"), "not_kind", _("Give the kind of an event, such as “visit.completed”."))
        count = self._count(_join(path, "count"), raw["count"]) if "count" in raw else Count("at_least", 1)
        window = self._window(_join(path, "when"), raw["when"]) if "when" in raw else None
        filters = self._filters(_join(path, "where"), raw["where"], self.vocabulary.event(kind)) if "where" in raw else ()
        return EventCondition(kind, count, window, filters) if count is not None else None

    def _segment(self, path: str, raw: dict[str, Any]) -> SegmentCondition | None:
        self._only(path, raw, {"segment", "op"})
        number, operator = raw["segment"], raw.get("op", "in")
        if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 2**63:
            return self.tell(_join(path, "segment"), "not_segment", _("Give the number of a segment."))
        if (standing := self.vocabulary.segments(number)) is not Reference.USABLE:
            return self.tell(_join(path, "segment"), f"segment_{standing.value}", REFERENCE_MESSAGES[standing], number=number)
        if operator not in ("in", "not_in"):
            return self._unknown_operator(path, operator, ("in", "not_in"))
        return SegmentCondition(number, operator == "in")

    def _count(self, path: str, raw: Any) -> Count | None:
        if not isinstance(raw, dict):
            return self.tell(path, "not_count", _('Give a count such as {"op": "at_least", "value": 3}.'))
        self._only(path, raw, {"op", "value"})
        operator, value = raw.get("op"), raw.get("value")
        if operator not in COUNT_OPERATORS:
            return self._unknown_operator(path, operator, COUNT_OPERATORS)
        if isinstance(value, bool) or not isinstance(value, int):
            return self.tell(_join(path, "value"), "not_whole", _("Give a whole number."))
        least = 1 if operator == "at_least" else 0
        if not least <= value <= MAX_COUNT:
            return self.tell(
                _join(path, "value"), "out_of_range", _("Give a number from %(least)s to %(most)s."), least=least, most=MAX_COUNT
            )
        return Count(operator, value)

    def _window(self, path: str, raw: Any) -> Window | None:
        if not isinstance(raw, dict) or not raw or ("last" in raw and len(raw) > 1):
            return self.tell(path, "not_window", _('Give {"last": {"days": 90}}, or "from" and "to" with days.'))
        self._only(path, raw, {"last", "from", "to"})
        if "last" in raw:
            return Window(last=read_duration(self, f"{path}.last", raw["last"], frozenset(Unit)))
        first = read_day(self, f"{path}.from", raw["from"]) if "from" in raw else None
        last = read_day(self, f"{path}.to", raw["to"]) if "to" in raw else None
        if first is not None and type(first) is type(last) and isinstance(raw["from"], str) and raw["from"] > raw["to"]:
            return self.tell(path, "reversed", _("The first value is greater than the second."))
        return Window(first_day=first, last_day=last)

    def _filters(self, path: str, raw: Any, word: EventWord) -> tuple[PropertyFilter, ...]:
        if not isinstance(raw, list) or not 1 <= len(raw) <= MAX_FILTERS:
            self.tell(path, "not_filters", _("Give a list of 1 to %(most)s conditions on properties."), most=MAX_FILTERS)
            return ()
        found = [self._filter(f"{path}[{index}]", item, word) for index, item in enumerate(raw)]
        return tuple(item for item in found if item is not None)

    def _filter(self, path: str, raw: Any, word: EventWord) -> PropertyFilter | None:
        if not isinstance(raw, dict):
            return self.tell(path, "not_object", _('Give an object with "property", "op" and "value".'))
        self._only(path, raw, {"property", "op", "value"})
        name, operator = raw.get("property"), raw.get("op")
        if not isinstance(name, str) or not 1 <= len(name) <= MAX_KIND or not name.isprintable():
            return self.tell(_join(path, "property"), "not_property", _("Give the name of a property."))
        if not word.is_open and name not in word.properties:
            return self.tell(_join(path, "property"), "unknown_property", _("This event has no property “%(name)s”."), name=name)
        operand = self._operand(path, operator, property_operators(word.properties.get(name)))
        if operand is None or not isinstance(operator, str):
            return None
        return PropertyFilter(name, operator, self._value(path, raw, operand, None))

    def _operand(self, path: str, operator: Any, operators: dict[str, Operand]) -> Operand | None:
        if not isinstance(operator, str) or operator not in operators:
            return self._unknown_operator(path, operator, tuple(operators))
        return operators[operator]

    def _unknown_operator(self, path: str, operator: Any, offered: tuple[str, ...]) -> T | None:
        return self.tell(
            _join(path, "op"),
            "unknown_operator",
            _("“%(name)s” cannot be used here; use one of: %(offered)s."),
            name=str(operator)[:60],
            offered=", ".join(offered),
        )

    def _value(self, path: str, raw: dict[str, Any], operand: Operand, choices: frozenset[str] | None) -> Any:
        place = _join(path, "value")
        if operand is Operand.NOTHING:
            return self.tell(place, "no_value", _("This comparison takes no value.")) if "value" in raw else None
        if "value" not in raw:
            return self.tell(place, "missing_value", _("Give a value to compare with."))
        return read_operand(self, place, operand, raw["value"], choices)

    def _only(self, path: str, raw: dict[str, Any], known: set[str]) -> None:
        for key in raw:
            if key not in known:
                self.tell(_join(path, str(key)[:60]), "unknown_key", _("This is not known here."))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
