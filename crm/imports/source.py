"""What lies in an uploaded file: its packing, its encoding, its delimiter, its header."""

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

from charset_normalizer import from_bytes

from crm.imports.limits import (
    FREE_EXPANSION_BYTES,
    MAX_COLUMNS,
    MAX_EXPANSION,
    MAX_FIELD_CHARACTERS,
    MAX_UNPACKED_BYTES,
    UnreadableFileError,
)

SAMPLE_BYTES: Final = 256 * 1024
DELIMITERS: Final = (",", ";", "\t", "|")
_BOMS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
# Pages that statistics can tell from each other because nearly all their letters lie above ASCII. Among those that
# share most letters with English (cp1250 and cp1252 above all) short samples mislead, and the Western page is by far
# the commoner file; the person importing can always say otherwise.
_FOREIGN_PAGES: Final = ("cp1256", "cp1251", "koi8_r", "cp1253", "cp1255", "shift_jis", "gb18030", "big5", "euc_kr", "euc_jp")
_FOREIGN_SHARE: Final = 0.3


@dataclass(frozen=True, slots=True)
class Source:
    """How a file is to be read; ``guessed`` names what was detected rather than told."""

    path: Path
    format: str  # csv or xlsx
    packed: bool
    encoding: str
    delimiter: str
    guessed: frozenset[str]


class _BoundedReader(io.RawIOBase):
    """A stream that refuses to unpack more than a file of rows ever would; closing it closes what it reads."""

    def __init__(self, stream: BinaryIO, packed_bytes: int) -> None:
        self._stream = stream
        self._limit = min(MAX_UNPACKED_BYTES, max(FREE_EXPANSION_BYTES, packed_bytes * MAX_EXPANSION))
        self._seen = 0

    def close(self) -> None:
        self._stream.close()
        super().close()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            data = self._stream.read(len(buffer))
        except (EOFError, OSError, zlib.error) as error:
            raise UnreadableFileError("packing_damaged", "The packed file is damaged or cut off.") from error
        self._seen += len(data)
        if self._seen > self._limit:
            raise UnreadableFileError("too_large", "The file unpacks to more than an import accepts.")
        buffer[: len(data)] = data
        return len(data)


def open_bytes(source: Source) -> BinaryIO:
    """The unpacked bytes of a text file."""
    return _open(source.path, packed=source.packed)


def _open(path: Path, *, packed: bool) -> BinaryIO:
    size = path.stat().st_size
    stream: BinaryIO = cast(BinaryIO, gzip.open(path)) if packed else path.open("rb")  # noqa: SIM115 - the reader owns it
    return cast(BinaryIO, io.BufferedReader(_BoundedReader(stream, size if packed else MAX_UNPACKED_BYTES), 1 << 20))


def inspect(path: Path, *, encoding: str = "", delimiter: str = "") -> Source:
    """Find out how to read ``path``; what is told is believed.

    Raises:
        UnreadableFileError: empty, of another format, or not decodable.
    """
    with path.open("rb") as file:
        start = file.read(8)
    if not start:
        raise UnreadableFileError("empty", "The file is empty.")
    if start.startswith(b"PK\x03\x04"):
        return Source(path, "xlsx", False, "", "", frozenset())
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        raise UnreadableFileError("old_excel", "This is an old Excel workbook (.xls); save it as .xlsx or CSV.")
    if start.startswith(b"%PDF"):
        raise UnreadableFileError("not_a_table", "This is a PDF, not a table; export it as CSV or .xlsx.")
    packed = start.startswith(b"\x1f\x8b")
    with _open(path, packed=packed) as stream:
        sample = stream.read(SAMPLE_BYTES)
    if not sample.removeprefix(b"\xef\xbb\xbf").strip():
        raise UnreadableFileError("empty", "The file is empty.")
    if sample.lstrip()[:11].upper() == b"BEGIN:VCARD":
        raise UnreadableFileError("vcard", "This is a vCard file; export the contacts as CSV or .xlsx.")
    guessed = frozenset(name for name, told in (("encoding", encoding), ("delimiter", delimiter)) if not told)
    encoding = _told_encoding(encoding) if encoding else detect_encoding(sample)
    text = decode_sample(sample, encoding)
    delimiter = _told_delimiter(delimiter) if delimiter else detect_delimiter(text)
    return Source(path, "csv", packed, encoding, delimiter, guessed)


def decode_sample(sample: bytes, encoding: str) -> str:
    """The sample as text; a character cut at its end is forgiven."""
    return (
        sample.decode(encoding, errors="replace" if len(sample) >= SAMPLE_BYTES else "strict")
        if _decodes(sample, encoding)
        else _refuse_encoding(encoding)
    )


def _decodes(sample: bytes, encoding: str) -> bool:
    try:
        sample.decode(encoding)
    except UnicodeDecodeError as error:
        return len(sample) >= SAMPLE_BYTES and error.start >= len(sample) - 4
    except (LookupError, ValueError):
        return False
    return True


def _refuse_encoding(encoding: str) -> str:
    raise UnreadableFileError("encoding", "The file cannot be read as %(encoding)s; choose its encoding.", encoding=encoding)


def _told_encoding(encoding: str) -> str:
    try:
        "".encode(encoding)
    except LookupError as error:
        raise UnreadableFileError("encoding", "There is no encoding called %(encoding)s.", encoding=encoding) from error
    return encoding


def _told_delimiter(delimiter: str) -> str:
    named = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}.get(delimiter.lower(), delimiter)
    if len(named) != 1 or named in '"\r\n\0' or named.isalnum():
        raise UnreadableFileError("delimiter", "The delimiter has to be one character, such as , or ; or tab.")
    return named


def detect_encoding(sample: bytes) -> str:
    """The encoding of a sample: a byte-order mark, else UTF-8 if it fits, else the likeliest legacy page."""
    for mark, encoding in _BOMS:
        if sample.startswith(mark):
            return encoding
    if _decodes(sample, "utf-8"):
        return "utf-8"
    zeros = (sample[0::2].count(0), sample[1::2].count(0))
    if max(zeros) > len(sample) // 5 and min(zeros) < max(zeros) // 4:
        return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    high = sum(byte >= 0x80 for byte in sample)
    letters = high + sum(chr(byte).isalpha() for byte in sample if byte < 0x80)
    if high > _FOREIGN_SHARE * letters:
        best = from_bytes(sample, cp_isolation=list(_FOREIGN_PAGES)).best()
        if best is not None and _decodes(sample, best.encoding):
            return best.encoding
    return "cp1252" if _decodes(sample, "cp1252") else "latin-1"


def detect_delimiter(text: str) -> str:
    """The delimiter that cuts most rows of the sample into as many cells as the header."""
    lines = [line for line in text.splitlines()[:200] if line.strip()][:100]
    scores = {delimiter: _agreement(lines, delimiter) for delimiter in DELIMITERS}
    best = max(DELIMITERS, key=lambda delimiter: scores[delimiter])
    return best if scores[best] > (0.0, 0) else ","


def _agreement(lines: list[str], delimiter: str) -> tuple[float, int]:
    try:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter)]
    except csv.Error:
        return (0.0, 0)
    if not widths or widths[0] < 2:
        return (0.0, 0)
    return (Counter(widths)[widths[0]] / len(widths) + 0.001, widths[0])


def check_header(cells: list[str]) -> list[str]:
    """The header's cells, trimmed; an unnamed column is called by its number, and a name that comes again gets one.

    Raises:
        UnreadableFileError: no header, too many columns.
    """
    if not any(cell.strip() for cell in cells):
        raise UnreadableFileError("no_header", "The first row has to hold the names of the columns.")
    if len(cells) > MAX_COLUMNS:
        raise UnreadableFileError("too_many_columns", "The file has more than %(limit)s columns.", limit=MAX_COLUMNS)
    if max(map(len, cells)) > MAX_FIELD_CHARACTERS:
        raise UnreadableFileError("no_header", "The first row has to hold the names of the columns.")
    names = [
        " ".join(cell.replace("\0", "").replace("\ufeff", "").split())[:120] or f"column {number}" for number, cell in enumerate(cells, 1)
    ]
    while len(names) > 1 and names[-1] == f"column {len(names)}":
        names.pop()
    return _distinct(names)


def _distinct(names: list[str]) -> list[str]:
    taken = set(names)
    told: list[str] = []
    for name in names:
        number, own = 2, name
        while own in told or (own != name and own in taken):
            number, own = number + 1, f"{name} ({number})"
        told.append(own)
    return told


def iterate(stream: BinaryIO, size: int = 1 << 20) -> Iterator[bytes]:
    """The stream in pieces."""
    while piece := stream.read(size):
        yield piece
