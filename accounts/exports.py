"""Tables as files for spreadsheets."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import chain
from typing import Any, BinaryIO, Final

import xlsxwriter  # type: ignore[import-untyped]
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.utils.translation import gettext as _

from accounts.formulas import safe_cell

MOST_SHEET_ROWS: Final = 2**20


class TableFormat(StrEnum):
    """What a table can be downloaded as; the value is the ending of the file's name."""

    CSV = "csv"
    XLSX = "xlsx"

    @property
    def content_type(self) -> str:
        sheet = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        return sheet if self is TableFormat.XLSX else "text/csv; charset=utf-8"


def write_table(out: BinaryIO, table_format: TableFormat, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Write the rows one after the other, and answer how many there were.

    Raises:
        ValidationError: more rows than a sheet holds.
    """
    cells = chain([header], (map(safe_cell, row) for row in rows))
    return (_write_sheet if table_format is TableFormat.XLSX else _write_csv)(out, cells) - 1


def _write_csv(out: BinaryIO, rows: Iterator[Iterable[str]]) -> int:
    # The mark at the start tells spreadsheets that it is UTF-8.
    text = io.TextIOWrapper(out, encoding="utf-8-sig", newline="")
    writer, count = csv.writer(text), 0
    for count, row in enumerate(rows, 1):  # noqa: B007 - the number of the last row
        writer.writerow(row)
    text.detach()
    return count


def _write_sheet(out: BinaryIO, rows: Iterator[Iterable[str]]) -> int:
    count = 0
    with xlsxwriter.Workbook(out, {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        for count, row in enumerate(rows, 1):
            if count > MOST_SHEET_ROWS:
                raise ValidationError(_("A sheet holds no more than 1,048,575 rows and its header. Choose CSV."))
            for column, cell in enumerate(row):
                if cell:
                    sheet.write_string(count - 1, column, cell)
    return count


def csv_response(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> HttpResponse:
    """A small download of the rows, made whole."""
    response = HttpResponse(content_type=TableFormat.CSV.content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    write_table(response, TableFormat.CSV, header, rows)  # type: ignore[arg-type]  # a response is written to like a file
    return response
