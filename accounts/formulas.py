"""Cells that no spreadsheet runs as a formula, and the way back."""

from datetime import date, datetime
from typing import Any, Final

_RUNS: Final = ("=", "+", "-", "@", "\t", "\r", "|", "%")
_PLAIN_NUMBER: Final = frozenset("0123456789.")


def safe_cell(value: Any) -> str:
    """The value as text; what would start a formula is held back by an apostrophe, numbers and phones are not.

    Text that could be taken for one held back gets another, so that `restored_cell` gives every text back as it was.
    """
    if value is None:
        return ""
    if isinstance(value, datetime | date):
        return value.isoformat()
    text = str(value)
    if text.lstrip("'")[:1] in _RUNS and not (text[:1] in "+-" and set(text[1:]) <= _PLAIN_NUMBER and len(text) > 1):
        return f"'{text}"
    return text


def restored_cell(cell: str) -> str:
    """The text that `safe_cell` made this cell of."""
    return cell[1:] if cell[:1] == "'" and cell.lstrip("'")[:1] in _RUNS else cell
