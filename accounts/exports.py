"""CSV for spreadsheets, with no cell that a spreadsheet would run as a formula."""

import csv
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final

from django.http import HttpResponse

_RUNS: Final = ("=", "+", "-", "@", "\t", "\r", "|", "%")
_PLAIN_NUMBER: Final = frozenset("0123456789.")


def safe_cell(value: Any) -> str:
    """The value as text; what would start a formula is held back by an apostrophe, numbers and phones are not."""
    if value is None:
        return ""
    if isinstance(value, datetime | date):
        return value.isoformat()
    text = str(value)
    if text[:1] in _RUNS and not (text[:1] in "+-" and set(text[1:]) <= _PLAIN_NUMBER and len(text) > 1):
        return f"'{text}"
    return text


def csv_response(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> HttpResponse:
    """A download of the rows; the mark at its start tells spreadsheets that it is UTF-8.

    It is made whole, because the tenant scope ends with the request, before a stream would be read.
    """
    response = HttpResponse("\ufeff", content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    writer = csv.writer(response)
    writer.writerow(header)
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    return response
