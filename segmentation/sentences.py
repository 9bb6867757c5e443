"""Rules read back as a sentence in the reader's language: "Spent at least $500.00 and no purchase in the last 30 days"."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext, pgettext

from accounts.formats import format_day, format_moment, format_money, format_number
from segmentation.fields import EventProperty, SegmentField
from segmentation.rules import EventCondition, FieldCondition, Group, Mode, Node, SegmentCondition
from segmentation.rules.moments import Direction, Duration, RelativeDay, Unit
from segmentation.rules.operators import ValueType
from segmentation.rules.tree import Count, PropertyFilter, Window
from segmentation.words import Words

PHRASES = {
    "is": gettext_noop("%(field)s is %(value)s"),
    "is_not": gettext_noop("%(field)s is not %(value)s"),
    "any_of": gettext_noop("%(field)s is %(value)s"),
    "none_of": gettext_noop("%(field)s is not %(value)s"),
    "contains": gettext_noop("%(field)s contains %(value)s"),
    "not_contains": gettext_noop("%(field)s does not contain %(value)s"),
    "starts_with": gettext_noop("%(field)s starts with %(value)s"),
    "ends_with": gettext_noop("%(field)s ends with %(value)s"),
    "known": gettext_noop("%(field)s is known"),
    "unknown": gettext_noop("%(field)s is not known"),
    "equals": gettext_noop("%(field)s exactly %(value)s"),
    "not_equals": gettext_noop("%(field)s other than %(value)s"),
    "at_least": gettext_noop("%(field)s at least %(value)s"),
    "at_most": gettext_noop("%(field)s at most %(value)s"),
    "more_than": gettext_noop("%(field)s more than %(value)s"),
    "less_than": gettext_noop("%(field)s less than %(value)s"),
    "between": gettext_noop("%(field)s from %(first)s to %(last)s"),
    "before": gettext_noop("%(field)s before %(value)s"),
    "since": gettext_noop("%(field)s on or after %(value)s"),
    "on": gettext_noop("%(field)s on %(value)s"),
    "in_last": gettext_noop("%(field)s in the last %(value)s"),
    "not_in_last": gettext_noop("%(field)s not in the last %(value)s"),
    "in_next": gettext_noop("%(field)s in the next %(value)s"),
    "anniversary_in_next": gettext_noop("%(field)s comes round in the next %(value)s"),
    "has_any": gettext_noop("%(field)s include %(value)s"),
    "has_all": gettext_noop("%(field)s include %(value)s"),
    "has_none": gettext_noop("%(field)s do not include %(value)s"),
}

# Within "purchase with …", where a verb would be one too many.
DETAIL_PHRASES = {
    **PHRASES,
    "is": gettext_noop("%(field)s %(value)s"),
    "any_of": gettext_noop("%(field)s %(value)s"),
    "is_not": gettext_noop("%(field)s other than %(value)s"),
    "none_of": gettext_noop("%(field)s other than %(value)s"),
    "contains": gettext_noop("%(field)s containing %(value)s"),
    "known": gettext_noop("%(field)s known"),
    "unknown": gettext_noop("%(field)s not known"),
}


class Narrator:
    """Reads the rules of one organization aloud."""

    def __init__(self, words: Words) -> None:
        self.words = words

    def sentence(self, node: Node) -> str:
        """The whole tree, with a capital at its beginning."""
        text = self._node(node, nested=False)
        return text[:1].upper() + text[1:]

    def condition(self, leaf: FieldCondition | EventCondition | SegmentCondition) -> str:
        """One condition, as it stands within a sentence."""
        match leaf:
            case FieldCondition():
                return self._field(leaf)
            case EventCondition():
                return self._event(leaf, leaf.count)
            case SegmentCondition():
                name = self.words.references.names.get(leaf.segment_id, f"#{leaf.segment_id}")
                return (_("in segment “%(name)s”") if leaf.is_member else _("not in segment “%(name)s”")) % {"name": name}

    def value(self, field: SegmentField | EventProperty, value: Any) -> str:
        """A value of a field in words."""
        match value:
            case None | "" | []:
                return _("not known")
            case bool():
                return _("yes") if value else _("no")
            case datetime():
                return format_moment(value)
            case date():
                return format_day(value)
            case list() | tuple():
                return ", ".join(self.value(field, item) for item in value)
            case _ if field.choices is not None:
                return str(dict(self.words.choices(field, value)).get(str(value), value))
            case int() | float() | str():
                pass
        if field.type is ValueType.MONEY and not isinstance(value, str):
            return format_money(round(value), self.words.conventions.currency, self.words.conventions.money_unit)
        return value if isinstance(value, str) else format_number(value)

    def _node(self, node: Node, *, nested: bool) -> str:
        if not isinstance(node, Group):
            return self.condition(node)
        if node.mode is Mode.NONE:
            return _and(self._negated(child) for child in node.children)
        parts = [self._node(child, nested=len(node.children) > 1) for child in node.children]
        joined = _and(parts) if node.mode is Mode.ALL else _or(parts)
        return f"({joined})" if nested and len(parts) > 1 else joined

    def _negated(self, node: Node) -> str:
        if isinstance(node, EventCondition) and node.count.operator == "at_least":
            return self._event(node, Count("at_most", node.count.value - 1))
        if isinstance(node, SegmentCondition):
            return self.condition(SegmentCondition(node.segment_id, not node.is_member))
        return _("not (%(condition)s)") % {"condition": self._node(node, nested=False)}

    def _field(self, leaf: FieldCondition) -> str:
        field = self.words.field(leaf.field)
        if field is None:
            return leaf.field
        return _(PHRASES[leaf.operator]) % {"field": field.label, **self._operand(field, leaf.operator, leaf.value)}

    def _operand(self, field: SegmentField | EventProperty, operator: str, value: Any) -> dict[str, str]:
        if operator == "between":
            first, last = (self._one(field, item) for item in value)
            return {"first": first, "last": last}
        if isinstance(value, tuple):
            join = _and if operator == "has_all" else _or
            return {"value": join(self._one(field, item) for item in value)}
        return {"value": "" if value is None else self._one(field, value)}

    def _one(self, field: SegmentField | EventProperty, value: Any) -> str:
        match value:
            case Duration():
                return duration_text(value)
            case RelativeDay():
                return relative_day_text(value)
            case _:
                return self.value(field, value)

    def _event(self, leaf: EventCondition, count: Count) -> str:
        event = self.words.event(leaf.kind)
        noun = event.counted(count.value) if event else _("“%(kind)s”") % {"kind": leaf.kind}
        number = format_number(count.value)
        match count.operator:
            case "at_most" | "exactly" if count.value == 0:
                text = _("no %(events)s") % {"events": event.counted(1) if event else noun}
            case "at_most":
                text = _("at most %(number)s %(events)s") % {"number": number, "events": noun}
            case "exactly":
                text = _("exactly %(number)s %(events)s") % {"number": number, "events": noun}
            case _:
                text = _("at least %(number)s %(events)s") % {"number": number, "events": noun}
        if leaf.filters:
            filters = _and(self._filter(wanted, leaf.kind) for wanted in leaf.filters)
            text = _("%(events)s with %(conditions)s") % {"events": text, "conditions": filters}
        window = window_text(leaf.window)
        return _("%(events)s %(window)s") % {"events": text, "window": window} if window else text

    def _filter(self, wanted: PropertyFilter, kind: str) -> str:
        event = self.words.event(kind)
        declared = next((item for item in event.properties if item.key == wanted.property), None) if event else None
        declared = declared or EventProperty(wanted.property, wanted.property, ValueType.TEXT)
        return _(DETAIL_PHRASES[wanted.operator]) % {"field": declared.label, **self._operand(declared, wanted.operator, wanted.value)}


def duration_text(duration: Duration) -> str:
    """``30 days``; one of them is said without its number: "in the last day"."""
    amount, number = duration.amount, {"number": format_number(duration.amount)}
    match duration.unit:
        case Unit.HOURS:
            return ngettext("%(number)s hour", "%(number)s hours", amount) % number
        case Unit.DAYS:
            return ngettext("%(number)s day", "%(number)s days", amount) % number
        case Unit.WEEKS:
            return ngettext("%(number)s week", "%(number)s weeks", amount) % number
        case Unit.MONTHS:
            return ngettext("%(number)s month", "%(number)s months", amount) % number
        case Unit.YEARS:
            return ngettext("%(number)s year", "%(number)s years", amount) % number


def relative_day_text(day: RelativeDay) -> str:
    """``30 days ago``, ``today``."""
    if day.duration.amount == 0:
        return _("today")
    text = _("%(duration)s ago") if day.direction is Direction.AGO else _("%(duration)s from today")
    return text % {"duration": duration_text(day.duration)}


def window_text(window: Window | None) -> str:
    """``in the last 90 days``; nothing for all time."""
    if window is None:
        return ""
    if window.last is not None:
        return _("in the last %(duration)s") % {"duration": duration_text(window.last)}
    first, last = _day(window.first_day), _day(window.last_day)
    if first and last:
        return _("from %(first)s to %(last)s") % {"first": first, "last": last}
    return _("since %(day)s") % {"day": first} if first else _("until %(day)s") % {"day": last}


def _day(day: date | RelativeDay | None) -> str:
    if day is None:
        return ""
    return relative_day_text(day) if isinstance(day, RelativeDay) else format_day(day)


def _and(parts: Iterable[str]) -> str:
    return pgettext("between conditions", " and ").join(parts)


def _or(parts: Iterable[str]) -> str:
    return pgettext("between conditions", " or ").join(parts)
