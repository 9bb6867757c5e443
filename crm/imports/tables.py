"""One door to the rows of any file that can be imported."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from accounts.formulas import restored_cell
from crm.imports.records import Block, BrokenRow, TextTable
from crm.imports.sheets import SheetTable
from crm.imports.source import Source, inspect


class Table(Protocol):
    """A header and its rows, read once from start to end."""

    source: Source
    header: list[str]
    broken: list[BrokenRow]
    bytes_read: int

    def blocks(self) -> Iterator[Block]: ...


def open_table(path: Path, *, encoding: str = "", delimiter: str = "") -> Table:
    """The table in ``path``, its format detected.

    Raises:
        UnreadableFileError: nothing that can be imported.
    """
    return open_source(inspect(path, encoding=encoding, delimiter=delimiter))


def open_source(source: Source) -> Table:
    """The table of an inspected file."""
    return SheetTable(source) if source.format == "xlsx" else TextTable(source)


def cut_rows(block: Block, delimiter: str) -> list[list[str]]:
    """The rows of a block as cells; of a plain block every line is cut at the delimiter. What an export held back is restored."""
    if block.rows is not None:
        held_back = any(cell[:1] == "'" for cells in block.rows for cell in cells)
        return _restored(block.rows) if held_back else block.rows
    text = block.text or ""
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    rows = [line.split(delimiter) if line else [] for line in lines]
    return _restored(rows) if _holds_back(text, delimiter) else rows


def _holds_back(text: str, delimiter: str) -> bool:
    """Whether a cell of the lines may begin as one that an export held back; one sign is found many times as fast as two."""
    return "'" in text and any(before[-1:] in ("", delimiter, "\n") for before in text.split("'")[:-1])


def _restored(rows: list[list[str]]) -> list[list[str]]:
    return [[restored_cell(cell) for cell in cells] for cells in rows]


def cut_columns(block: Block, width: int, delimiter: str) -> list[Sequence[str]] | None:
    """The columns of a plain block whose rows are all as wide as the header; None of any other block.

    None too where an export may have held cells back: `cut_rows` restores them.
    """
    if block.text is None or _holds_back(block.text, delimiter):
        return None
    # With a delimiter before and behind it every line end becomes a cell of its own, at an equal distance if rows are.
    lines = block.text if block.text.endswith("\n") else f"{block.text}\n"
    cells = lines.replace("\n", f"{delimiter}\n{delimiter}").split(delimiter)[:-1]
    if len(cells) != block.count * (width + 1) or cells[width :: width + 1].count("\n") != block.count:
        return None
    return [cells[index :: width + 1] for index in range(width)]


def first_rows(table: Table, count: int) -> list[tuple[int, list[str]]]:
    """The first rows that are not blank, with their numbers, for a preview."""
    found: list[tuple[int, list[str]]] = []
    for block in table.blocks():
        for number, cells in enumerate(cut_rows(block, table.source.delimiter), block.first_row):
            if any(cell.strip() for cell in cells):
                found.append((number, cells))
                if len(found) >= count:
                    return found
    return found
