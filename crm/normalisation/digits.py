"""Digits of other scripts become the ten Latin ones."""

import unicodedata
from typing import Final

# Every decimal digit of the basic plane that is not already 0-9 (Persian, Arabic, full-width, Devanagari …).
_LATIN: Final[dict[int, str]] = {
    point: str(unicodedata.decimal(chr(point))) for point in range(0x80, 0x10000) if unicodedata.decimal(chr(point), None) is not None
}
_PERSIAN: Final[dict[int, str]] = {ord("0") + digit: chr(0x06F0 + digit) for digit in range(10)}


def latin_digits(text: str) -> str:
    """``text`` with the digits of every script written as 0-9; all else is left as it is."""
    return text if text.isascii() else text.translate(_LATIN)


def persian_digits(text: str) -> str:
    """``text`` with 0-9 written as Persian digits, for reading only (never for codes or addresses)."""
    return text.translate(_PERSIAN)
