"""Rows of a text file in blocks, each with the number its first row has in a spreadsheet (the header is row 1).

A block is either plain text (no quotes in it: every line is a row, cut at the delimiter) or parsed rows. Plain blocks
are the fast lane: they are only counted here and cut elsewhere, many thousand rows at a time. Whatever holds a quote
goes through the csv module, the one judge of where a quoted row ends.
"""

import codecs
import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from crm.imports.limits import MAX_BROKEN_QUOTES, MAX_FIELD_CHARACTERS, MAX_RECORD_CHARACTERS, UnreadableFileError
from crm.imports.source import Source, check_header, iterate, open_bytes

PIECE_BYTES: Final = 1 << 16
MAX_LINE_CHARACTERS: Final = 8 << 20
ROWS_IN_BLOCK: Final = 5_000
NUL_SIGN: Final = "\u2400"


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive rows: either ``text`` (lines without quotes) or ``rows``."""

    first_row: int
    count: int
    text: str | None
    rows: list[list[str]] | None


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row that cannot be cut into cells."""

    row: int
    code: str
    raw: str


class TextTable:
    """The rows of a delimited text file; iterate ``blocks()`` once. ``broken`` fills while it is read."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.broken: list[BrokenRow] = []
        self.bytes_read = 0
        self._broken_quotes = 0
        self._row = 0
        self._pending: deque[str] = deque()
        self._chunks = self._read_chunks()
        self.header = check_header(next(self._parsed_rows(), []))

    def blocks(self) -> Iterator[Block]:
        """The rows after the header, in order."""
        while True:
            if self._pending:
                yield from self._parsed_blocks()
            chunk = next(self._chunks, None)
            if chunk is None:
                return
            if '"' in chunk or "\0" in chunk:
                self._pending.extend(_kept_lines(chunk))
            else:
                yield self._plain_block(chunk)

    def _plain_block(self, chunk: str) -> Block:
        count = chunk.count("\n") + (not chunk.endswith("\n"))
        first = self._row + 1
        self._row += count
        return Block(first, count, chunk, None)

    def _parsed_blocks(self) -> Iterator[Block]:
        """Parse what is pending; a row begun in it may draw further chunks, which then are parsed too."""
        first, rows = self._row + 1, []
        for cells in self._parsed_rows():
            rows.append(cells)
            if len(rows) >= ROWS_IN_BLOCK:
                yield Block(first, len(rows), None, rows)
                first, rows = self._row + 1, []
            if not self._pending:
                break
        if rows:
            yield Block(first, len(rows), None, rows)

    def _parsed_rows(self) -> Iterator[list[str]]:
        csv.field_size_limit(MAX_FIELD_CHARACTERS)
        drawn: list[str] = []
        reader = self._reader(drawn)
        while True:
            drawn.clear()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                code = "row_too_large" if len(drawn) == 1 else "quote_open"
            else:
                code = self._fault(drawn)
            if code:
                # What was drawn too much is pending again, which a reader that came to the end would not see.
                cells, reader = self._refuse(code, drawn), self._reader(drawn)
            self._row += 1
            yield cells

    def _reader(self, drawn: list[str]) -> Iterator[list[str]]:
        return csv.reader(self._draw(drawn), delimiter=self.source.delimiter)

    def _fault(self, drawn: list[str]) -> str:
        if len(drawn) > 1 and not self._pending and _is_open(drawn, self.source.delimiter):
            return "quote_open"
        return "nul" if any("\0" in line for line in drawn) else ""

    def _draw(self, drawn: list[str]) -> Iterator[str]:
        size = 0
        while True:
            if not self._pending:
                chunk = next(self._chunks, None)
                if chunk is None:
                    return
                self._pending.extend(_kept_lines(chunk))
            line = self._pending.popleft()
            size = len(line) if not drawn else size + len(line)
            drawn.append(line)
            if size > MAX_RECORD_CHARACTERS:
                raise csv.Error("record too large")
            yield line.replace("\0", NUL_SIGN)

    def _refuse(self, code: str, drawn: list[str]) -> list[str]:
        """Keep the first line as a broken row and read on behind it."""
        self.broken.append(BrokenRow(self._row + 1, code, drawn[0].rstrip("\n").replace("\0", NUL_SIGN)))
        self._pending.extendleft(reversed(drawn[1:] if code == "quote_open" else []))
        self._broken_quotes += code == "quote_open"
        if self._broken_quotes > MAX_BROKEN_QUOTES:
            raise UnreadableFileError(
                "quotes",
                "Quotation marks are opened and never closed in %(count)s rows; the file is not regular CSV.",
                count=MAX_BROKEN_QUOTES,
            )
        return []

    def _read_chunks(self) -> Iterator[str]:
        """The text in chunks that end with a line, every line end written \\n."""
        decoder = codecs.getincrementaldecoder(self.source.encoding)(errors="strict")
        rest = ""
        with open_bytes(self.source) as stream:
            for piece in iterate(stream, PIECE_BYTES):
                self.bytes_read += len(piece)
                text = rest + self._decode(decoder, piece)
                cut = text.rfind("\n") + 1 or _last_lone_return(text)
                rest = text[cut:]
                if len(rest) > MAX_LINE_CHARACTERS:
                    raise UnreadableFileError("row_too_large", "The file has a row of more than 8 million characters.")
                if cut:
                    yield _plain_ends(text[:cut])
        rest += self._decode(decoder, b"", final=True)
        if rest:
            yield _plain_ends(rest)

    def _decode(self, decoder: codecs.IncrementalDecoder, piece: bytes, *, final: bool = False) -> str:
        try:
            return decoder.decode(piece, final)
        except UnicodeDecodeError as error:
            raise UnreadableFileError(
                "encoding",
                "The file cannot be read as %(encoding)s (near byte %(byte)s); choose another encoding.",
                encoding=self.source.encoding,
                byte=self.bytes_read - len(piece) + error.start,
            ) from error


def _kept_lines(chunk: str) -> list[str]:
    """The lines of a chunk with their ends; str.splitlines would also cut at U+2028 and the like."""
    lines = chunk.split("\n")
    kept = [f"{line}\n" for line in lines[:-1]]
    return [*kept, lines[-1]] if lines[-1] else kept


def _plain_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _last_lone_return(text: str) -> int:
    # A \r at the very end may be the first half of \r\n.
    return text.rfind("\r", 0, len(text) - 1) + 1


def _is_open(drawn: list[str], delimiter: str) -> bool:
    """Whether the row is still inside quotes at its end: then a further line would be taken into it."""
    rows = csv.reader([*drawn, "\n", "\n"], delimiter=delimiter)
    return next(rows, []) != next(csv.reader(drawn, delimiter=delimiter), [])
