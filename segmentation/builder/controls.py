"""From rules to the controls of the builder's form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from segmentation.builder.inputs import Input, Option, Subject, show_value
from segmentation.builder.reading import ROOT, declared_property, property_subject
from segmentation.fields import SegmentEvent, registered_events
from segmentation.rules import Problem
from segmentation.rules.operators import Operand, property_operators
from segmentation.rules.parsing import MAX_DEPTH
from segmentation.rules.vocabulary import FieldWord
from segmentation.words import Words

MODES = {"all": gettext_lazy("All of these"), "any": gettext_lazy("At least one of these"), "none": gettext_lazy("None of these")}
OPERATOR_LABELS: Mapping[str, Any] = {
    "is": gettext_lazy("is"), "is_not": gettext_lazy("is not"), "any_of": gettext_lazy("is one of"), "none_of": gettext_lazy("is none of"),
    "contains": gettext_lazy("contains"), "not_contains": gettext_lazy("does not contain"), "starts_with": gettext_lazy("starts with"),
    "ends_with": gettext_lazy("ends with"), "known": gettext_lazy("is known"), "unknown": gettext_lazy("is not known"),
    "equals": gettext_lazy("exactly"), "not_equals": gettext_lazy("other than"), "at_least": gettext_lazy("at least"),
    "at_most": gettext_lazy("at most"), "more_than": gettext_lazy("more than"), "less_than": gettext_lazy("less than"),
    "between": gettext_lazy("between"), "before": pgettext_lazy("comparison of dates", "before"), "since": gettext_lazy("on or after"), "on": gettext_lazy("on"),
    "in_last": gettext_lazy("in the last"), "not_in_last": gettext_lazy("not in the last"), "in_next": gettext_lazy("in the next"),
    "anniversary_in_next": gettext_lazy("comes round in the next"), "has_any": gettext_lazy("include any of"),
    "has_all": gettext_lazy("include all of"), "has_none": gettext_lazy("include none of"), "exactly": gettext_lazy("exactly"),
    "in": gettext_lazy("is in"), "not_in": gettext_lazy("is not in"),
}  # fmt: skip
WHENS = {
    "ever": gettext_lazy("at any time"), "last": gettext_lazy("in the last"), "between": gettext_lazy("between"),
    "from": gettext_lazy("since"), "to": gettext_lazy("until"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filter:
    """One line "with category is Hair" under an event."""

    name: str
    inputs: tuple[Input, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Builder:
    """A node of the form: a group with its children, or a condition with its inputs."""

    name: str
    number: str
    is_group: bool
    inputs: tuple[Input, ...]
    children: tuple[Builder, ...] = ()
    filters: tuple[Filter, ...] = ()
    problems: tuple[str, ...] = ()
    may_nest: bool = False
    is_root: bool = False
    is_event: bool = False
    subjects: tuple[tuple[str, tuple[Option, ...]], ...] = field(default=())
    focused: bool = False


def build(rules: dict[str, Any], words: Words, problems: tuple[Problem, ...] = (), focus: str = "") -> Builder:
    """The builder for rules, with the faults at the nodes they belong to; ``focus`` names the node worked on next."""
    return _Drawing(words, problems, focus).node(ROOT, "", rules, depth=1, number="")


class _Drawing:
    def __init__(self, words: Words, problems: tuple[Problem, ...], focus: str) -> None:
        self.words = words
        self.problems = problems
        self.focus = focus

    def node(self, name: str, path: str, rules: dict[str, Any], depth: int, number: str) -> Builder:
        for mode in MODES:
            if mode in rules:
                return self._group(name, path, mode, rules[mode], depth, number)
        if "event" in rules:
            return self._event(name, path, rules, number)
        if "segment" in rules:
            return self._segment(name, path, rules, number)
        return self._field(name, path, rules, number)

    def _group(self, name: str, path: str, mode: str, children: list[Any], depth: int, number: str) -> Builder:
        place = f"{path}.{mode}" if path else mode
        drawn = tuple(
            self.node(f"{name}-{index}", f"{place}[{index}]", child, depth + 1, f"{number}.{index + 1}" if number else str(index + 1))
            for index, child in enumerate(children)
        )
        chosen = _select(f"{name}.mode", _("Which conditions have to hold"), MODES, mode)
        own = {path, place, f"{path}.{mode}"}
        return Builder(
            name, number, True, (chosen,), drawn, problems=self._told(lambda at: at in own), may_nest=depth + 1 < MAX_DEPTH,
            is_root=name == ROOT, focused=self.focus == name,
        )  # fmt: skip

    def _field(self, name: str, path: str, rules: dict[str, Any], number: str) -> Builder:
        field = self.words.field(str(rules.get("field")))
        if field is None:
            return self._condition(name, path, number, "", ())
        operators = FieldWord(field.type, None, field.always_known).operators
        operator = rules.get("op") if rules.get("op") in operators else next(iter(operators))
        subject = Subject(field.type, self.words.conventions, self.words.choices(field) if field.choices else None)
        inputs = show_value(f"{name}.value", operators[str(operator)], subject, rules.get("value"))
        return self._condition(name, path, number, f"field:{field.key}", (_operator(name, operators, str(operator)), *inputs))

    def _segment(self, name: str, path: str, rules: dict[str, Any], number: str) -> Builder:
        names = self.words.references.names
        offered = {str(key): label for key, label in names.items() if key != self.words.references.editing}
        inputs = (
            _select(f"{name}.op", _("Membership"), {key: OPERATOR_LABELS[key] for key in ("in", "not_in")}, str(rules.get("op", "in"))),
            _select(f"{name}.segment", _("Segment"), {"": _("Choose a segment"), **offered}, str(rules["segment"])),
        )
        return self._condition(name, path, number, "segment:", inputs)

    def _event(self, name: str, path: str, rules: dict[str, Any], number: str) -> Builder:
        kind, count = str(rules["event"]), rules.get("count") or {"op": "at_least", "value": 1}
        event = self.words.event(kind)
        subject = Subject(None, self.words.conventions)
        own_kind = () if event else (Input("text", f"{name}.kind", _("Kind of event"), kind, hint=_("Such as “quiz.finished”.")),)
        counts = {key: OPERATOR_LABELS[key] for key in ("at_least", "at_most", "exactly")}
        inputs = (
            *own_kind,
            _select(f"{name}.count.op", _("How often"), counts, str(count.get("op"))),
            *(_relabelled(one, _("Number of times")) for one in show_value(f"{name}.count", Operand.NUMBER, subject, count.get("value"))),
            *self._window(name, rules.get("when"), subject),
        )
        filters = tuple(
            self._filter(f"{name}.f{index}", f"{path}.where[{index}]", wanted, event) for index, wanted in enumerate(rules.get("where", []))
        )
        return self._condition(name, path, number, f"event:{kind if event else ''}", inputs, filters, is_event=True)

    def _window(self, name: str, window: Any, subject: Subject) -> tuple[Input, ...]:
        window = window if isinstance(window, dict) else {}
        chosen = "last" if "last" in window else "between" if {"from", "to"} <= set(window) else next(iter(window), "ever")
        when = _select(f"{name}.when", _("When"), WHENS, chosen, redraws=True)
        if chosen == "last":
            return (when, *show_value(f"{name}.last", Operand.DURATION, subject, window["last"]))
        ends = {"between": ("from", "to"), "from": ("from",), "to": ("to",)}.get(chosen, ())
        return (when, *(one for end in ends for one in show_value(f"{name}.{end}", Operand.DAY, subject, window[end])))

    def _filter(self, name: str, path: str, wanted: dict[str, Any], event: SegmentEvent | None) -> Filter:
        key = str(wanted.get("property", ""))
        declared = declared_property(event, key)
        operators = property_operators(declared.type if declared else None)
        operator = str(wanted.get("op")) if wanted.get("op") in operators else next(iter(operators))
        if event and event.properties and (declared or not key):
            chosen = _select(f"{name}.property", _("Property"), {item.key: item.label for item in event.properties}, key, redraws=True)
        else:
            chosen = Input("text", f"{name}.property", _("Property"), key)
        subject = property_subject(declared, self.words, wanted.get("value"))
        values = show_value(f"{name}.value", operators[operator], subject, wanted.get("value"))
        told = self._told(lambda at: at == path or at.startswith(f"{path}."))
        return Filter(name, (chosen, _operator(name, operators, operator), *values), told)

    def _condition(
        self, name: str, path: str, number: str, subject: str, inputs: tuple[Input, ...], filters: tuple[Filter, ...] = (), *,
        is_event: bool = False,
    ) -> Builder:  # fmt: skip
        told = self._told(lambda at: (at == path or at.startswith(f"{path}.")) and not at.startswith(f"{path}.where["))
        return Builder(
            name, number, False, inputs, filters=filters, problems=told, is_event=is_event,
            subjects=self._subjects(subject), focused=self.focus == name,
        )  # fmt: skip

    def _subjects(self, chosen: str) -> tuple[tuple[str, tuple[Option, ...]], ...]:
        groups: dict[str, list[Option]] = {}
        for one in self.words.fields():
            groups.setdefault(str(one.group), []).append(_option(f"field:{one.key}", str(one.label), chosen))
        happenings = [_option(f"event:{kind}", str(event.label), chosen) for kind, event in registered_events().items()]
        groups[_("What happened")] = [*happenings, _option("event:", _("Another event…"), chosen)]
        groups[_("Segments")] = [_option("segment:", _("Another segment"), chosen)]
        return tuple((label, tuple(options)) for label, options in groups.items())

    def _told(self, belongs: Any) -> tuple[str, ...]:
        return tuple(_(problem.message) % dict(problem.params) for problem in self.problems if belongs(problem.path))


def _option(value: str, label: str, chosen: str) -> Option:
    return Option(value, label[:1].upper() + label[1:], value == chosen)


def _operator(name: str, operators: Mapping[str, Operand], chosen: str) -> Input:
    return _select(f"{name}.op", _("Comparison"), {key: OPERATOR_LABELS[key] for key in operators}, chosen, redraws=True)


def _select(name: str, label: str, choices: Mapping[str, Any], chosen: str, *, redraws: bool = False) -> Input:
    options = tuple(Option(key, str(text), key == chosen) for key, text in choices.items())
    return Input("select", name, label, options=options, redraws=redraws)


def _relabelled(one: Input, label: str) -> Input:
    return Input(one.kind, one.name, label, one.value, one.options, one.html, one.redraws, one.hint)
