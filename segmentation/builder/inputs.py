"""Values of conditions as form inputs, and back: one pair of functions per shape of operand."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from accounts.currencies import currency_exponent
from accounts.fields import DayField, DayInput
from crm.normalisation.amounts import parse_decimal
from crm.normalisation.errors import NormalisationError
from segmentation.rules.moments import Direction, Unit
from segmentation.rules.operators import Operand, ValueType
from segmentation.words import Conventions

MAX_TYPED = 40  # characters of a number
COMMAS = re.compile(r"[,،؛;\n]")
# One of several values: in quotes, so that it may hold a separator, or up to the next separator.
ITEM = re.compile(r'\s*("(?:[^"\\]|\\.)*")\s*(?=[,،؛;\n]|$)|([^,،؛;\n]+)')
LISTS = (Operand.TEXTS, Operand.CHOICES, Operand.SCALARS, Operand.NUMBERS, Operand.REFERENCES)
PAIRS = {Operand.NUMBER_RANGE: Operand.NUMBER, Operand.WHOLE_RANGE: Operand.WHOLE, Operand.DAY_RANGE: Operand.DAY}
NUMBERS = (Operand.NUMBER, Operand.NUMBERS, Operand.WHOLE, Operand.REFERENCES)
DURATIONS = (Operand.DURATION, Operand.DAYS, Operand.YEARLY)


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    label: str
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Input:
    """One control. ``kind``: text, number, select, multiple or day; ``redraws``: others depend on it."""

    kind: str
    name: str
    label: str
    value: str = ""
    options: tuple[Option, ...] = ()
    html: SafeString | str = ""
    redraws: bool = False
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a condition compares: its type, its choices where it has any, and how the organization writes money."""

    type: ValueType | None
    conventions: Conventions
    choices: Sequence[tuple[str, Any]] | None = None


def read_value(post: QueryDict, name: str, operand: Operand, subject: Subject) -> Any:
    """What was typed, as the value of a rule; what cannot be read stays text."""
    if operand in PAIRS:
        return [read_value(post, f"{name}.{end}", PAIRS[operand], subject) for end in ("first", "last")]
    if operand in DURATIONS:
        return _read_duration(post, name)
    if operand is Operand.DAY:
        return _read_day(post, name)
    if operand is Operand.BOOLEAN:
        return {"true": True, "false": False}.get(post.get(name, ""), "")
    if operand in LISTS:
        typed = post.getlist(name) if subject.choices is not None else _split(post.get(name, ""))
        return [_read_item(text.strip(), operand, subject) for text in typed if text.strip()]
    return _read_one(post.get(name, "").strip(), operand, subject)


def _split(text: str) -> list[str]:
    return [quoted or plain for quoted, plain in ITEM.findall(text)]


def _read_item(text: str, operand: Operand, subject: Subject) -> Any:
    if operand is Operand.TEXTS and subject.choices is None and len(text) > 1 and text[0] == text[-1] == '"':
        value = _read_scalar(text)
        return value if isinstance(value, str) else text
    return _read_one(text, operand, subject)


def _show_item(value: Any, operand: Operand, subject: Subject) -> str:
    text = _show_one(value, operand, subject)
    is_torn = bool(COMMAS.search(text)) or (operand is Operand.TEXTS and text.startswith('"'))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) and is_torn else text


def _read_one(text: str, operand: Operand, subject: Subject) -> Any:
    if operand in (Operand.SCALAR, Operand.SCALARS):
        return _read_scalar(text)
    if operand not in NUMBERS or len(text) > MAX_TYPED:
        return text
    try:
        value = parse_decimal(text)
    except NormalisationError:
        return text
    if subject.type is ValueType.MONEY:
        value = value.scaleb(minor_digits(subject.conventions))
    return int(value) if value == value.to_integral_value() else float(value)


def _read_scalar(text: str) -> Any:
    # A number is meant as one; who means the text "5" writes it in quotes.
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, str | bool | int | float) else text


def _read_duration(post: QueryDict, name: str) -> dict[str, Any]:
    subject = Subject(ValueType.NUMBER, Conventions.plain())
    return {post.get(f"{name}.unit", "days"): _read_one(post.get(f"{name}.amount", "").strip(), Operand.NUMBER, subject)}


def _read_day(post: QueryDict, name: str) -> Any:
    kind = post.get(f"{name}.kind", "")
    if kind in list(Direction):
        return {kind: _read_duration(post, name)}
    typed = post.get(f"{name}.date", "").strip()
    try:
        day = DayField(required=False).clean(typed)
    except ValidationError:
        return typed
    return day.isoformat() if day else ""


def show_value(name: str, operand: Operand, subject: Subject, value: Any) -> tuple[Input, ...]:
    """The inputs for a value; ``None`` where there is none yet."""
    if operand is Operand.NOTHING:
        return ()
    if operand in PAIRS:
        first, last = value if isinstance(value, list) and len(value) == 2 else (None, None)
        return (
            *_labelled(show_value(f"{name}.first", PAIRS[operand], subject, first), _("From")),
            *_labelled(show_value(f"{name}.last", PAIRS[operand], subject, last), _("To")),
        )
    if operand in DURATIONS:
        return _show_duration(name, value, hours=operand is Operand.DURATION, days_only=operand is Operand.YEARLY)
    if operand is Operand.DAY:
        return _show_day(name, value)
    if operand is Operand.BOOLEAN:
        answers = [("true", _("yes")), ("false", _("no"))]
        return (_select(name, _("Value"), answers, [json.dumps(value)] if isinstance(value, bool) else []),)
    if subject.choices is not None:
        return (_show_choices(name, operand, subject.choices, value),)
    if operand in LISTS:
        texts = [_show_item(item, operand, subject) for item in value] if isinstance(value, list) else []
        hint = _("Separate several by commas; one that has a comma goes in quotes.")
        return (Input("text", name, _("Values"), ", ".join(texts), hint=hint),)
    kind = "number" if operand in NUMBERS else "text"
    hint = subject.conventions.currency if subject.type is ValueType.MONEY else ""
    return (Input(kind, name, _("Value"), _show_one(value, operand, subject), hint=hint),)


def _labelled(inputs: tuple[Input, ...], label: str) -> tuple[Input, ...]:
    return tuple(replace(one, label=f"{label}: {one.label}") for one in inputs)


def _show_one(value: Any, operand: Operand, subject: Subject) -> str:
    if value is None:
        return ""
    if operand in (Operand.SCALAR, Operand.SCALARS):
        ambiguous = not isinstance(value, str) or not isinstance(_read_scalar(value), str)
        return json.dumps(value, ensure_ascii=False) if ambiguous else value
    if isinstance(value, int | float) and not isinstance(value, bool) and subject.type is ValueType.MONEY:
        return format(Decimal(str(value)).scaleb(-minor_digits(subject.conventions)).normalize(), "f")
    return str(value)


def _show_choices(name: str, operand: Operand, choices: Sequence[tuple[str, Any]], value: Any) -> Input:
    if operand in LISTS:
        return replace(_select(name, _("Values"), choices, map(str, value) if isinstance(value, list) else []), kind="multiple")
    return _select(name, _("Value"), choices, [] if value is None else [str(value)])


def _show_duration(name: str, value: Any, *, hours: bool = False, days_only: bool = False) -> tuple[Input, ...]:
    unit, amount = next(iter(value.items())) if isinstance(value, dict) and value else ("days", None)
    units = [(key, label) for key, label in _units().items() if key == Unit.DAYS or not days_only]
    units = [(key, label) for key, label in units if hours or key != Unit.HOURS]
    return (
        Input("number", f"{name}.amount", _("How many"), "" if amount is None else str(amount)),
        _select(f"{name}.unit", _("Unit"), units, [unit]),
    )


def _units() -> Mapping[str, str]:
    return {Unit.HOURS: _("hours"), Unit.DAYS: _("days"), Unit.WEEKS: _("weeks"), Unit.MONTHS: _("months"), Unit.YEARS: _("years")}


def _show_day(name: str, value: Any) -> tuple[Input, ...]:
    direction = next((one for one in Direction if isinstance(value, dict) and one in value), None)
    kinds = [("date", _("on the date")), (Direction.AGO, _("ago")), (Direction.AHEAD, _("from today"))]
    kind = replace(_select(f"{name}.kind", _("Kind of day"), kinds, [direction or "date"]), redraws=True)
    if direction is not None and isinstance(value, dict):
        return (*_show_duration(name, value[direction]), kind)
    return (kind, Input("day", f"{name}.date", _("Date"), html=_day_widget(f"{name}.date", value)))


def _day_widget(name: str, value: Any) -> SafeString:
    shown: Any = value
    if isinstance(value, str):
        try:
            shown = date.fromisoformat(value)
        except ValueError:
            shown = value
    attributes = {"id": input_id(name), "class": "input", "aria-label": _("Date")}
    return DayInput().render(name, shown or None, attributes)


def _select(name: str, label: str, choices: Any, chosen: Any) -> Input:
    wanted = set(chosen)
    return Input("select", name, label, options=tuple(Option(str(key), str(text), str(key) in wanted) for key, text in choices))


def minor_digits(conventions: Conventions) -> int:
    """How many digits lie between what is typed and minor units: cents, or rials typed as tomans."""
    tomans = conventions.currency == "IRR" and conventions.money_unit == "toman"
    return 1 if tomans else currency_exponent(conventions.currency)


def input_id(name: str) -> str:
    """The id of an input, which names of nodes are not fit for."""
    return "i-" + re.sub(r"[^a-z0-9]+", "-", name)
