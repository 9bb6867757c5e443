"""Rows of an Excel workbook (.xlsx), first sheet that has any, as the texts a CSV of it would hold."""

import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, Final

from python_calamine import CalamineError, CalamineWorkbook

from crm.imports.limits import MAX_EXPANSION, MAX_FIELD_CHARACTERS, MAX_SHEET_BYTES, UnreadableFileError
from crm.imports.records import ROWS_IN_BLOCK, Block, BrokenRow
from crm.imports.source import Source, check_header

_PIECE: Final = 1 << 20
_LONGEST_RUN: Final = 4 << 20
# The parser's table has a place of so many bytes for every cell between the first and the last, also where none is.
_PLACE_BYTES: Final = 32
_PLACE: Final = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]{0,3})(\d{1,10})""")
# Cells of the first 26 columns and 999,999 rows fit in any case: only of a part that has others all are looked at.
_FAR_PLACE: Final = re.compile(rb"""r\s*=\s*["'](?:[A-Za-z]{2,3}\d|[A-Za-z]?\d{7})""")
# A text that many cells share stands once in the file, and once for each of them in the parser's table.
_SHARED_TEXTS: Final = "xl/sharedStrings.xml"
_SHARED_TEXT: Final = re.compile(rb"<(?:\w+:)?si[\s/>]")
_SHARING_CELL: Final = re.compile(rb"""\st\s*=\s*["']s["'](?:[^>]*>\s*<(?:\w+:)?v[^>]*>\s*(\d{1,9}))?""")
_SHORTEST_CELL: Final = 16
# What makes a workbook one of OpenDocument, or a binary one; the parser would take those too.
_OTHER_KINDS: Final = frozenset({"content.xml", "xl/workbook.bin"})


class SheetTable:
    """The rows of a workbook's first sheet that is not empty; iterate ``blocks()`` once."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.broken: list[BrokenRow] = []
        self.bytes_read = 0
        _refuse_bombs(source)
        self._rows, self._row = _open_rows(source), 0
        self.header = check_header(self._first_filled())

    def _first_filled(self) -> list[str]:
        for cells in self._rows:
            self._row += 1
            texts = [_as_text(cell) for cell in cells]
            if any(texts):
                return texts
        return []

    def blocks(self) -> Iterator[Block]:
        """The rows after the header, in order."""
        size = self.source.path.stat().st_size
        rows: list[list[str]] = []
        for cells in self._rows:
            texts = [_as_text(cell) for cell in cells]
            self._row += 1
            rows.append(self._checked(texts))
            if len(rows) >= ROWS_IN_BLOCK:
                yield Block(self._row - len(rows) + 1, len(rows), None, rows)
                rows = []
        self.bytes_read = size
        if rows:
            yield Block(self._row - len(rows) + 1, len(rows), None, rows)

    def _checked(self, texts: list[str]) -> list[str]:
        while texts and not texts[-1]:
            texts.pop()
        if texts and max(map(len, texts)) > MAX_FIELD_CHARACTERS:
            self.broken.append(BrokenRow(self._row, "row_too_large", " ".join(texts)[:200]))
            return []
        return texts


def _refuse_bombs(source: Source) -> None:
    """Unpack every part once, counting, before a parser that holds all of it in memory does."""
    limit = min(MAX_SHEET_BYTES, max(64 << 20, source.path.stat().st_size * MAX_EXPANSION))
    try:
        with zipfile.ZipFile(source.path) as archive:
            if not _OTHER_KINDS.isdisjoint(archive.namelist()):
                raise UnreadableFileError("other_workbook", "This is a workbook of another kind; save it as .xlsx or CSV.")
            for part in archive.infolist():
                limit -= _measure(archive, part, limit)
            _refuse_shared_bombs(archive)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        if isinstance(error, UnreadableFileError):
            raise
        raise UnreadableFileError("workbook_damaged", "The workbook is damaged or protected by a password.") from error


def _measure(archive: zipfile.ZipFile, part: zipfile.ZipInfo, limit: int) -> int:
    """The bytes of a part; refuses more than the limit, and cells so far apart that the parser's table would be larger still."""
    size, is_far = 0, False
    for new, text in _texts(archive, part):
        size += new
        is_far = is_far or _FAR_PLACE.search(text) is not None
        if size > limit:
            raise _too_large()
    if is_far and _table_bytes(archive, part) > MAX_SHEET_BYTES:
        raise _too_large()
    return size


def _refuse_shared_bombs(archive: zipfile.ZipFile) -> None:
    """Add up the texts that cells share, as often as they are shared, where a sheet has room for too many of them."""
    if _SHARED_TEXTS not in archive.namelist():
        return
    sizes = _shared_sizes(archive)
    for part in archive.infolist():
        if (
            part.file_size // _SHORTEST_CELL * max(sizes, default=0) > MAX_SHEET_BYTES
            and _shared_bytes(archive, part, sizes) > MAX_SHEET_BYTES
        ):
            raise _too_large()


def _shared_sizes(archive: zipfile.ZipFile) -> list[int]:
    """The bytes of each shared text with its tags."""
    starts, passed = list[int](), 0
    for new, text in _texts(archive, archive.getinfo(_SHARED_TEXTS)):
        passed += new
        starts += [passed - len(text) + found.start() for found in _SHARED_TEXT.finditer(text)]
    starts = sorted(set(starts))  # one that began before a cut is found on both sides of it
    return [end - start for start, end in pairwise([*starts, passed])] if starts else []


def _shared_bytes(archive: zipfile.ZipFile, part: zipfile.ZipInfo, sizes: list[int]) -> int:
    """What the shared texts of a sheet take; a cell whose text is not plainly named has the longest."""
    total, longest = 0, max(sizes)
    for _, text in _texts(archive, part):
        for number in _SHARING_CELL.findall(text):
            total += longest if not number else sizes[int(number)] if int(number) < len(sizes) else 0
    return total


def _texts(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> Iterator[tuple[int, bytes]]:
    """A part in pieces with how much of each is new: a tag that is cut in two stands whole in the next."""
    rest = b""
    with archive.open(part) as stream:
        while piece := stream.read(_PIECE):
            text = rest + piece
            yield len(piece), text
            rest = text[max(0, text.rfind(b"<")) :]
            if len(rest) > _LONGEST_RUN:
                raise _too_large()


def _table_bytes(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> int:
    """What the parser's table of a sheet takes."""
    rows = columns = 0
    for _, text in _texts(archive, part):
        for letters, digits in set(_PLACE.findall(text)):
            rows, columns = max(rows, int(digits)), max(columns, _column_number(letters))
    return rows * columns * _PLACE_BYTES


def _too_large() -> UnreadableFileError:
    return UnreadableFileError("too_large", "The workbook unpacks to more than an import accepts.")


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - ord("@")
    return number


def _open_rows(source: Source) -> Iterator[list[Any]]:
    """All rows of the first sheet that has any, from the sheet's first row on."""
    try:
        workbook = CalamineWorkbook.from_path(str(source.path))
        for name in workbook.sheet_names:
            sheet = workbook.get_sheet_by_name(name)
            if sheet.start is not None:
                return iter(sheet.iter_rows())
    except (CalamineError, OSError, ValueError) as error:
        raise UnreadableFileError("workbook_damaged", "The workbook cannot be read.") from error
    raise UnreadableFileError("empty", "The workbook is empty.")


def _as_text(cell: Any) -> str:
    match cell:
        case str():
            return cell.replace("\0", "")
        case bool():
            return "true" if cell else "false"
        case float():
            return str(int(cell)) if cell.is_integer() and abs(cell) < 10**15 else repr(cell)
        case datetime():
            return cell.date().isoformat() if cell.time() == time() else cell.isoformat(sep=" ")
        case date() | time():
            return cell.isoformat()
        case timedelta():
            return str(cell)
        case None:
            return ""
        case _:
            return str(cell)
