"""The last look at a message before it leaves: line ends, line lengths, transfer encoding."""

from __future__ import annotations

import re
from base64 import encodebytes
from collections.abc import Mapping
from typing import Any

MAX_LINE_OCTETS = 998
# Literal lines are broken here, which leaves room for what is printed into them.
BREAK_AT = 600
_EIGHT_BIT = b"Content-Transfer-Encoding: 8bit\r\n\r\n"
_BASE64 = b"Content-Transfer-Encoding: base64\r\n\r\n"
_LINE_END = re.compile(rb"\r\n|\r|\n")


def is_plain(context: Mapping[str, Any]) -> bool:
    """Whether the values hold nothing but printable text and numbers, one level deep.

    Then the message's line ends are those of its template, and need not be looked at.
    """
    for namespace in context.values():
        for value in namespace.values():
            kind = type(value)
            if kind is str:
                if not value.isprintable():
                    return False
            elif kind is not int and kind is not float and kind is not bool:
                return False
    return True


def needs_mending(wire: bytes) -> bool:
    """Whether data brought in what 8-bit mail may not carry: bare line ends, NUL, overlong lines."""
    ends = wire.count(b"\r\n")
    bare = wire.count(b"\n") != ends or wire.count(b"\r") != ends
    return bare or b"\0" in wire or has_long_line(wire)


def has_long_line(wire: bytes) -> bool:
    """Whether a line exceeds the limit; hops from line end to line end rather than read them all."""
    position, size = 0, len(wire)
    while size - position > MAX_LINE_OCTETS:
        # The line end's two octets are not counted in the limit.
        end = wire.rfind(b"\n", position, position + MAX_LINE_OCTETS + 2)
        if end < 0:
            return True
        position = end + 1
    return False


def mend(wire: bytes, boundary: bytes) -> bytes:
    """The same message with sound line ends, as base64 where a line stays too long."""
    wire = _LINE_END.sub(b"\r\n", wire.replace(b"\0", b""))
    return to_seven_bit(wire, boundary) if needs_mending(wire) else wire


def to_seven_bit(wire: bytes, boundary: bytes) -> bytes:
    """The same message with its parts in base64, for servers without 8BITMIME and for long lines."""
    delimiter = b"\r\n--" + boundary
    head, *parts = wire.split(delimiter)
    encoded = [head]
    for part in parts:
        fields, found, body = part.partition(_EIGHT_BIT)
        if not found:
            encoded.append(part)
            continue
        lines = encodebytes(body).rstrip(b"\n").replace(b"\n", b"\r\n")
        encoded.append(fields + _BASE64 + lines)
    return delimiter.join(encoded)


def break_long_lines(text: str, *, html: bool) -> str:
    """Text with CRLF line ends and no line that nears the limit, broken where nobody sees it."""
    lines = re.split(r"\r\n|\r|\n", text)
    return "\r\n".join(piece for line in lines for piece in _break_line(line, html=html))


def _break_line(line: str, *, html: bool) -> list[str]:
    pieces: list[str] = []
    while len(line.encode("utf-8", "replace")) > BREAK_AT:
        # Three octets to a character at the most, four to an emoji: still within the limit.
        window = line[: BREAK_AT if line.isascii() else BREAK_AT // 3]
        at = window.rfind(" ")
        if at > 0:
            pieces.append(line[:at])
            line = line[at + 1 :]
            continue
        at = window.rfind(">") if html else -1
        if at <= 0:
            break
        pieces.append(line[:at])
        line = line[at:]
    return [*pieces, line]
