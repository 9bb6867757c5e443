"""Bodies: JSON that is bounded in size and depth and holds only what can be stored, and uploads."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import IO, Any

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.exceptions import ErrorDetail, ParseError, ValidationError
from rest_framework.parsers import BaseParser, MultiPartParser

from accounts.api.errors import BodyTooLarge
from accounts.formats import format_number

MAX_DEPTH = 32
MAX_INTEGER = 2**63 - 1
MAX_NODES = 200_000


class StrictJSONParser(BaseParser):
    """Parses JSON and refuses what the database or a later step could choke on, naming the place."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise BodyTooLarge(_("The request may have at most %(most)s bytes.") % {"most": limit})
        try:
            value = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
        except RecursionError as error:
            raise ParseError(_("The JSON is nested too deeply.")) from error
        except ValueError as error:
            raise ParseError(_("This is not valid JSON: %(why)s") % {"why": str(error)[:200]}) from error
        check_storable(value)
        return value


class UploadParser(MultiPartParser):
    """Files with fields; how large is known before a byte is read."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        length = (parser_context or {})["request"].META.get("CONTENT_LENGTH") or "0"
        if not length.isdigit() or int(length) > settings.API_MAX_UPLOAD_BYTES:
            raise BodyTooLarge(_("The request may have at most %(most)s bytes.") % {"most": settings.API_MAX_UPLOAD_BYTES})
        try:
            return super().parse(stream, media_type, parser_context)
        except (ValueError, LookupError) as error:
            raise ParseError(_("The form cannot be read.")) from error


def check_storable(value: Any) -> None:
    """Refuse depth, amount, numbers and characters that cannot be kept.

    Raises:
        ValidationError: at the place of the first one.
    """
    for count, (node, place) in enumerate(_walk(value)):
        if count > MAX_NODES:
            raise ValidationError(_("The JSON holds too many values."), code="too_many_values")
        if len(place) > MAX_DEPTH:
            raise _at(place[:4], _("Nested deeper than %(most)s levels.") % {"most": format_number(MAX_DEPTH)}, "too_deep")
        if reason := _unstorable(node):
            raise _at(place, *reason)


def _walk(value: Any) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    stack: list[tuple[Any, tuple[Any, ...]]] = [(value, ())]
    while stack:
        node, place = stack.pop()
        yield node, place
        if isinstance(node, dict):
            yield from ((key, place) for key in node)
            stack.extend((inner, (*place, key)) for key, inner in node.items())
        elif isinstance(node, list):
            stack.extend((inner, (*place, index)) for index, inner in enumerate(node))


def _unstorable(node: Any) -> tuple[str, str] | None:
    if isinstance(node, str):
        if "\x00" in node:
            return _("Text cannot hold the character NUL."), "null_characters_not_allowed"
        if any("\ud800" <= char <= "\udfff" for char in node):
            return _("Text cannot hold half of a surrogate pair."), "surrogate_characters_not_allowed"
    elif (isinstance(node, int) and not -MAX_INTEGER - 1 <= node <= MAX_INTEGER) or (isinstance(node, float) and not math.isfinite(node)):
        return _("The number is too large."), "max_value"
    return None


def _at(place: tuple[Any, ...], message: str, code: str) -> ValidationError:
    detail: Any = [ErrorDetail(message, code=code)]
    for part in reversed(place):
        # A key that cannot be shown (it holds what is refused) is left out of the path.
        detail = {part if not isinstance(part, str) or _unstorable(part) is None else "?": detail}
    return ValidationError(detail)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
