"""Reading the value of a condition: each shape of operand has one reader."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from crm.normalisation.names import clean_text
from segmentation.rules.moments import LONGEST, Day, Direction, Duration, RelativeDay, Unit
from segmentation.rules.operators import Operand
from segmentation.rules.problems import gettext_noop as _
from segmentation.rules.report import Reader
from segmentation.rules.tree import Scalar, Value

MAX_TEXT = 200
MAX_LIST = 500
MAX_NUMBER = 10**15
ISO_LENGTH = len("2026-01-31")
# Further off lies no record, and the ends of the calendar have no day before or after them.
FIRST_YEAR, LAST_YEAR = 1800, 2200
_ONE_OF = {
    Operand.TEXTS: Operand.TEXT,
    Operand.CHOICES: Operand.CHOICE,
    Operand.SCALARS: Operand.SCALAR,
    Operand.NUMBERS: Operand.NUMBER,
}


def read_operand(reader: Reader, path: str, operand: Operand, raw: Any, choices: frozenset[str] | None = None) -> Value:
    """The value of ``raw``; faults are told to the reader and give ``None``."""
    match operand:
        case Operand.TEXTS | Operand.CHOICES | Operand.SCALARS | Operand.NUMBERS:
            return _list(reader, path, raw, lambda place, item: _item(reader, place, _ONE_OF[operand], item, choices))
        case Operand.REFERENCES:
            return _list(reader, path, raw, lambda place, item: _reference(reader, place, item, choices))
        case Operand.TEXT:
            # Typed text is kept as customers' names and towns are kept.
            return _text(reader, path, clean_text(raw) if isinstance(raw, str) else raw)
        case Operand.CHOICE:
            return _choice(reader, path, raw, choices)
        case Operand.SCALAR:
            return _scalar(reader, path, raw)
        case Operand.NUMBER | Operand.WHOLE:
            return _number(reader, path, raw, whole=operand is Operand.WHOLE)
        case Operand.NUMBER_RANGE | Operand.WHOLE_RANGE:
            return _pair(reader, path, raw, lambda place, item: _number(reader, place, item, whole=operand is Operand.WHOLE_RANGE))
        case Operand.BOOLEAN:
            return raw if isinstance(raw, bool) else reader.tell(path, "not_boolean", _("Give true or false."))
        case Operand.DAY:
            return read_day(reader, path, raw)
        case Operand.DAY_RANGE:
            return _pair(reader, path, raw, lambda place, item: read_day(reader, place, item))
        case _:
            return _duration_operand(reader, path, raw, operand)


def _duration_operand(reader: Reader, path: str, raw: Any, operand: Operand) -> Duration | None:
    if operand is Operand.YEARLY:
        duration = read_duration(reader, path, raw, frozenset([Unit.DAYS]))
        if duration and duration.amount > 366:
            return reader.tell(path, "too_long", _("Give at most %(most)s days."), most=366)
        return duration
    return read_duration(reader, path, raw, frozenset(Unit) if operand is Operand.DURATION else frozenset(Unit) - {Unit.HOURS})


def read_duration(reader: Reader, path: str, raw: Any, units: frozenset[Unit], least: int = 1) -> Duration | None:
    """``{"days": 30}``."""
    offered = ", ".join(unit for unit in Unit if unit in units)
    if not isinstance(raw, dict) or len(raw) != 1 or next(iter(raw)) not in units:
        return reader.tell(path, "not_duration", _('Give a duration such as {"days": 30}; units: %(units)s.'), units=offered)
    unit = Unit(next(iter(raw)))
    place, amount = f"{path}.{unit}", raw[unit]
    if isinstance(amount, bool) or not isinstance(amount, int):
        return reader.tell(place, "not_whole", _("Give a whole number."))
    if not least <= amount <= LONGEST[unit]:
        return reader.tell(place, "out_of_range", _("Give a number from %(least)s to %(most)s."), least=least, most=LONGEST[unit])
    return Duration(amount, unit)


def read_day(reader: Reader, path: str, raw: Any) -> Day | None:
    """``"2011-04-01"``, ``{"ago": {"days": 30}}`` or ``{"ahead": {"weeks": 1}}``."""
    if isinstance(raw, dict) and len(raw) == 1 and next(iter(raw)) in list(Direction):
        direction = Direction(next(iter(raw)))
        duration = read_duration(reader, f"{path}.{direction}", raw[direction], frozenset(Unit) - {Unit.HOURS}, least=0)
        return RelativeDay(duration, direction) if duration else None
    if isinstance(raw, str) and len(raw) == ISO_LENGTH:
        try:
            day = date.fromisoformat(raw)
        except ValueError:
            pass
        else:
            if reader.is_stored or FIRST_YEAR <= day.year <= LAST_YEAR:
                return day
            return reader.tell(path, "day_range", _("Give a day of the years %(first)s to %(last)s."), first=FIRST_YEAR, last=LAST_YEAR)
    return reader.tell(path, "not_day", _('Give a day such as "2026-01-31" or {"ago": {"days": 30}}.'))


def _item(reader: Reader, path: str, operand: Operand, raw: Any, choices: frozenset[str] | None) -> Scalar | None:
    value = read_operand(reader, path, operand, raw, choices)
    return value if isinstance(value, str | bool | int | Decimal) else None


def _scalar(reader: Reader, path: str, raw: Any) -> Scalar | None:
    if isinstance(raw, bool):
        return raw
    return _number(reader, path, raw, whole=False) if isinstance(raw, int | float) else _text(reader, path, raw)


def _choice(reader: Reader, path: str, raw: Any, choices: frozenset[str] | None) -> str | None:
    if isinstance(raw, str) and choices is not None and raw not in choices:
        offered = ", ".join(sorted(choices)[:20])
        return reader.tell(path, "unknown_choice", _("“%(value)s” is not one of: %(choices)s."), value=raw[:60], choices=offered)
    return _text(reader, path, raw)


def _text(reader: Reader, path: str, raw: Any) -> str | None:
    if not isinstance(raw, str):
        return reader.tell(path, "not_text", _("Give a text."))
    if not 1 <= len(raw) <= MAX_TEXT:
        return reader.tell(path, "text_length", _("Give a text of 1 to %(most)s characters."), most=MAX_TEXT)
    if any(letter == "\x00" or "\ud800" <= letter <= "\udfff" for letter in raw):
        return reader.tell(path, "text_control", _("The text contains a character that cannot be kept."))
    return raw


def _number(reader: Reader, path: str, raw: Any, *, whole: bool) -> int | Decimal | None:
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return reader.tell(path, "not_whole" if whole else "not_number", _("Give a whole number.") if whole else _("Give a number."))
    if abs(raw) > MAX_NUMBER or math.isnan(raw):
        return reader.tell(path, "number_size", _("The number is too large."))
    if isinstance(raw, int):
        return raw
    if whole:
        return reader.tell(path, "not_whole", _("Give a whole number."))
    return Decimal(str(raw))


def _reference(reader: Reader, path: str, raw: Any, choices: frozenset[str] | None) -> int | None:
    if isinstance(raw, bool) or not isinstance(raw, int):
        return reader.tell(path, "not_whole", _("Give a whole number."))
    if not 0 < raw < 2**63 or (choices is not None and str(raw) not in choices):
        return reader.tell(path, "unknown_choice", _("There is no choice with the number %(value)s."), value=str(raw)[:20])
    return raw


def _list(reader: Reader, path: str, raw: Any, read: Callable[[str, Any], Scalar | None]) -> tuple[Scalar, ...] | None:
    if not isinstance(raw, list) or not raw:
        return reader.tell(path, "not_list", _("Give a list with at least one value."))
    if len(raw) > MAX_LIST:
        return reader.tell(path, "too_long", _("Give at most %(most)s values."), most=MAX_LIST)
    values = [read(f"{path}[{index}]", item) for index, item in enumerate(raw)]
    return tuple(value for value in values if value is not None)


def _pair(reader: Reader, path: str, raw: Any, read: Callable[[str, Any], Any]) -> tuple[Any, ...] | None:
    if not isinstance(raw, list) or len(raw) != 2:
        return reader.tell(path, "not_pair", _("Give a list of two values: from and to."))
    first, last = read(f"{path}[0]", raw[0]), read(f"{path}[1]", raw[1])
    if first is None or last is None:
        return None
    if type(first) is type(last) and not isinstance(first, RelativeDay) and first > last:
        return reader.tell(path, "reversed", _("The first value is greater than the second."))
    return first, last
