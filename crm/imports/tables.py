"""One door to the rows of any file that can be imported."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

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
    """The rows of a block as cells; of a plain block every line is cut at the delimiter."""
    if block.rows is not None:
        return block.rows
    lines = (block.text or "").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return [line.split(delimiter) if line else [] for line in lines]


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
