"""JSON documents read into frozen dataclasses by their annotations: every fault with its path, the schema, and back.

A dataclass is an object of its fields; ``X | None`` may be null, ``tuple[X, ...]`` is a list, an enumeration one of its
words. ``Annotated`` gives numbers and texts their limits. A dataclass may have a method ``faults`` that says what is
wrong with its fields together.
"""

import re
import types
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from segmentation.rules.problems import Problem
from segmentation.rules.problems import gettext_noop as _
from segmentation.rules.report import MAX_PROBLEMS, Reader

Schema = dict[str, Any]
Kind = Any  # an annotation
T = TypeVar("T")
MAX_ITEMS = 200


class DocumentError(ValueError):
    """A document that cannot be used; ``problems`` names each fault with the path to its node."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within limits."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Text:
    """A text of so many characters, or of a pattern."""

    most: int
    least: int = 0
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Tree:
    """A rule tree of segments or null; its inside is read where the fields of customers are known."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an object as a whole: the field to mend, a code and a message."""

    field: str
    code: str
    message: str


def read_document(kind: type[T], raw: Any) -> T:
    """Read a document.

    Raises:
        DocumentError: with every fault and the path to its node.
    """
    reader = Reader()
    document = _read(reader, "", kind, raw)
    if reader.problems:
        raise DocumentError(reader.problems)
    assert isinstance(document, kind)
    return document


def write_document(value: Any) -> Any:
    """What a document is read from, every field named."""
    if is_dataclass(value):
        return {field.name: write_document(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [write_document(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, StrEnum) else value


def document_schema(kind: type) -> Schema:
    """The JSON schema of a document."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": kind.__name__, **_schema(kind)}


@cache
def _kinds(kind: type) -> dict[str, tuple[Kind, bool]]:
    """The annotation of each field, and whether it has to be there."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: (hints[field.name], field.default is MISSING and field.default_factory is MISSING) for field in fields(kind)}


def _read(reader: Reader, path: str, kind: Kind, raw: Any) -> Any:
    origin: Any = get_origin(kind)
    if origin in (Union, types.UnionType):
        return None if raw is None else _read(reader, path, _without_none(kind), raw)
    if origin is tuple:
        return _read_list(reader, path, get_args(kind)[0], raw)
    if origin is Annotated:
        return _read_limited(reader, path, get_args(kind)[1], raw)
    if is_dataclass(kind):
        return _read_object(reader, path, kind, raw)
    if kind is bool:
        return raw if isinstance(raw, bool) else reader.tell(path, "not_boolean", _("Give true or false."))
    if kind is datetime:
        return _read_moment(reader, path, raw)
    return _read_word(reader, path, kind, raw)


def _read_object(reader: Reader, path: str, kind: Kind, raw: Any) -> Any:
    if not isinstance(raw, dict):
        return reader.tell(path, "not_object", _("Give an object."))
    known = _kinds(kind)
    found_before = len(reader.problems)
    for name in raw:
        if name not in known:
            reader.tell(_at(path, str(name)[:40]), "unknown_key", _("This key is not known here. Keys: %(keys)s."), keys=", ".join(known))
    for name, (_kind, is_needed) in known.items():
        if is_needed and name not in raw:
            reader.tell(_at(path, name), "missing", _("This key is missing."))
    values = {name: _read(reader, _at(path, name), known[name][0], value) for name, value in raw.items() if name in known}
    if len(reader.problems) > found_before or found_before == MAX_PROBLEMS:
        return None
    read = kind(**values)
    for fault in read.faults() if hasattr(read, "faults") else ():
        reader.tell(_at(path, fault.field), fault.code, fault.message)
    return read


def _read_list(reader: Reader, path: str, kind: Kind, raw: Any) -> Any:
    if not isinstance(raw, list):
        return reader.tell(path, "not_list", _("Give a list."))
    if len(raw) > MAX_ITEMS:
        return reader.tell(path, "too_long", _("Give at most %(most)s values."), most=MAX_ITEMS)
    return tuple(_read(reader, f"{path}[{index}]", kind, item) for index, item in enumerate(raw))


def _read_limited(reader: Reader, path: str, limit: Whole | Text | Tree, raw: Any) -> Any:
    match limit:
        case Whole():
            if isinstance(raw, bool) or not isinstance(raw, int):
                return reader.tell(path, "not_whole", _("Give a whole number."))
            if not limit.least <= raw <= limit.most:
                message = _("Give a number from %(least)s to %(most)s.")
                return reader.tell(path, "out_of_range", message, least=limit.least, most=limit.most)
            return raw
        case Tree():
            return raw if raw is None or isinstance(raw, dict) else reader.tell(path, "not_object", _("Give an object."))
    if not isinstance(raw, str):
        return reader.tell(path, "not_text", _("Give a text."))
    if not limit.least <= len(raw) <= limit.most:
        message = _("Give a text of %(least)s to %(most)s characters.")
        return reader.tell(path, "text_length", message, least=limit.least, most=limit.most)
    if any(letter == "\x00" or "\ud800" <= letter <= "\udfff" for letter in raw):
        return reader.tell(path, "text_control", _("The text contains a character that cannot be kept."))
    if limit.pattern and not re.fullmatch(limit.pattern, raw):
        return reader.tell(path, "text_pattern", _("The text does not fit the pattern %(pattern)s."), pattern=limit.pattern)
    return raw


def _read_moment(reader: Reader, path: str, raw: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(raw) if isinstance(raw, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        return reader.tell(path, "not_moment", _("Give a moment with its time zone, such as 2026-01-31T00:00:00+00:00."))
    return moment


def _read_word(reader: Reader, path: str, kind: Kind, raw: Any) -> Any:
    if isinstance(raw, str) and raw in list(kind):
        return kind(raw)
    return reader.tell(path, "unknown_choice", _("“%(value)s” is not one of: %(choices)s."), value=str(raw)[:60], choices=", ".join(kind))


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _without_none(kind: Kind) -> Kind:
    return next(part for part in get_args(kind) if part is not types.NoneType)


def _schema(kind: Kind) -> Schema:
    origin: Any = get_origin(kind)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(_without_none(kind)), {"type": "null"}]}
    if origin is tuple:
        return {"type": "array", "items": _schema(get_args(kind)[0]), "maxItems": MAX_ITEMS}
    if origin is Annotated:
        return _limit_schema(get_args(kind)[1])
    if is_dataclass(kind):
        known = _kinds(kind)  # type: ignore[arg-type]  # a class, not an instance
        return {
            "type": "object",
            "properties": {name: _schema(of) for name, (of, _needed) in known.items()},
            "required": [name for name, (_of, is_needed) in known.items() if is_needed],
            "additionalProperties": False,
        }
    if kind is bool:
        return {"type": "boolean"}
    return {"type": "string", "format": "date-time"} if kind is datetime else {"enum": [str(word) for word in kind]}


def _limit_schema(limit: Whole | Text | Tree) -> Schema:
    match limit:
        case Whole():
            return {"type": "integer", "minimum": limit.least, "maximum": limit.most}
        case Tree():
            return {"type": ["object", "null"], "description": "A rule tree as of segments."}
        case Text():
            pattern = {"pattern": f"^{limit.pattern}$"} if limit.pattern else {}
            return {"type": "string", "minLength": limit.least, "maxLength": limit.most, **pattern}
