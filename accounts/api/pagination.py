"""Pages that stay put while rows are added: a cursor holds the last row's place in the order, not a number of rows."""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError as ModelValidationError
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from rest_framework.exceptions import ErrorDetail
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from accounts.api.errors import ParameterError
from accounts.api.parsing import MAX_INTEGER
from accounts.formats import format_number

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
MAX_CURSOR = 400


class KeysetPagination(BasePagination):
    """Orders by the view's ``ordering``: one or two fields in one direction, the last of them unique."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.request, self.ordering = request, tuple(view.ordering)
        limit = _limit(request)
        cursor = request.query_params.get("cursor")
        backwards, values = _decoded(cursor, self.ordering, queryset) if cursor else (False, None)
        ordering = [_flipped(name) for name in self.ordering] if backwards else self.ordering
        rows = list(_after(queryset, ordering, values).order_by(*ordering)[: limit + 1])
        more, rows = len(rows) > limit, rows[:limit]
        if backwards:
            rows.reverse()
        self.next = self._link(rows[-1], backwards=False) if rows and (more or backwards) else None
        self.previous = self._link(rows[0], backwards=True) if rows and (values is not None if not backwards else more) else None
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self.next, "previous": self.previous, "results": data})

    def _link(self, row: Any, *, backwards: bool) -> str:
        url = remove_query_param(self.request.build_absolute_uri(), "cursor")
        return str(replace_query_param(url, "cursor", _encoded(row, self.ordering, backwards)))

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
        return [
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "description": "Where to go on: taken from `next` or `previous`.",
                "schema": {"type": "string", "maxLength": MAX_CURSOR},
            },
            {"name": "limit", "in": "query", "required": False, "description": "How many results at most.", "schema": limit},
        ]


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MAX_LIMIT):
        message = _("Give a number between 1 and %(most)s.") % {"most": format_number(MAX_LIMIT)}
        raise ParameterError({"limit": [ErrorDetail(message, code="invalid_limit")]})
    return int(text)


def _after(queryset: QuerySet[Any], ordering: Sequence[str], values: list[Any] | None) -> QuerySet[Any]:
    if values is None:
        return queryset
    than = "lt" if ordering[0].startswith("-") else "gt"
    names = [name.lstrip("-") for name in ordering]
    if len(names) == 1:
        return queryset.filter(**{f"{names[0]}__{than}": values[0]})
    first, last = names
    # The first condition alone lets the index be entered at the right place.
    return queryset.filter(Q(**{f"{first}__{than}": values[0]}) | Q(**{f"{last}__{than}": values[1]}), **{f"{first}__{than}e": values[0]})


def _flipped(name: str) -> str:
    return name[1:] if name.startswith("-") else f"-{name}"


def _encoded(row: Any, ordering: Sequence[str], backwards: bool) -> str:
    values = [getattr(row, name.lstrip("-")) for name in ordering]
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps([",".join(ordering), int(backwards), plain]).encode()).decode().rstrip("=")


def _decoded(cursor: str, ordering: Sequence[str], queryset: QuerySet[Any]) -> tuple[bool, list[Any]]:
    try:
        if len(cursor) > MAX_CURSOR:
            raise ValueError("too long")
        raw = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        order, backwards, plain = json.loads(raw)
        names = [name.lstrip("-") for name in ordering]
        if order != ",".join(ordering) or backwards not in (0, 1) or len(plain) != len(names):
            raise ValueError("made for another list")
        return bool(backwards), [_value(queryset, name, value) for name, value in zip(names, plain, strict=True)]
    except (ValueError, TypeError, RecursionError, OverflowError, binascii.Error, ModelValidationError) as error:
        message = _("The cursor is not one that was given out for this list.")
        raise ParameterError({"cursor": [ErrorDetail(message, code="invalid_cursor")]}) from error


def _value(queryset: QuerySet[Any], name: str, plain: Any) -> Any:
    value = queryset.model._meta.get_field(name).to_python(plain)
    if (isinstance(value, int) and abs(value) > MAX_INTEGER) or (isinstance(value, str) and "\x00" in value):
        raise ValueError("out of range")
    if value is None or (isinstance(value, datetime) and value.tzinfo is None):
        raise ValueError("incomplete")
    return value
