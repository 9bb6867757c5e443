"""What both kinds of rows share: cells squared to the header, columns read by rules, findings kept with their row."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as member
from typing import Any, Final, cast

from crm.imports.cells import NULL, Problem, Rule
from crm.imports.limits import MAX_KEPT_RAW
from crm.imports.prints import Prints
from crm.imports.records import Block
from crm.imports.tables import cut_columns, cut_rows

_TOO_MANY: Final = "The row has %(cells)s cells, the header %(width)s; it cannot be told which belong where."


@dataclass(frozen=True, slots=True)
class Finding:
    """A row that was rejected, or taken with something left out."""

    row: int
    rejected: bool
    code: str
    message: str
    field: str
    raw: str
    parameters: dict[str, Any] = member(default_factory=dict)


@dataclass(slots=True)
class NormalisedBlock:
    """The rows of a block as COPY takes them, with what was found on the way."""

    copy: bytes = b""
    taken: int = 0
    blank: int = 0
    findings: list[Finding] = member(default_factory=list)
    prints: Prints | None = None  # of rows that name people


class Square:
    """The columns of the rows of a block that are not blank, each as wide as the header, and the numbers of the rows."""

    def __init__(self, block: Block, width: int, delimiter: str) -> None:
        self.width, self.delimiter = width, delimiter
        self.findings: list[Finding] = []
        self.blank = 0
        self.numbers: Sequence[int] = range(block.first_row, block.first_row + block.count)
        self._columns = cut_columns(block, width, delimiter) or self._square(cut_rows(block, delimiter))

    def _square(self, rows: list[list[str]]) -> list[Sequence[str]]:
        squared = [
            (number, cells if len(cells) == self.width else self._squared(number, cells))
            for number, cells in zip(self.numbers, rows, strict=True)
        ]
        self.numbers = [number for number, cells in squared if cells is not None]
        return list(zip(*(cells for _, cells in squared if cells is not None), strict=True)) or [()] * self.width

    def _squared(self, number: int, cells: list[str]) -> list[str] | None:
        if not any(cell and not cell.isspace() for cell in cells):
            self.blank += 1
            return None
        if any(cell.strip() for cell in cells[self.width :]):
            counts = {"cells": len(cells), "width": self.width}
            self.findings.append(Finding(number, True, "too_many_cells", _TOO_MANY, "", raw_text(cells, self.delimiter), counts))
            return None
        return [*cells[: self.width], *[""] * (self.width - len(cells))]

    def drop_blank(self) -> None:
        """Leave out rows whose cells are all there but empty."""
        full = [position for position, cells in enumerate(self.rows()) if any(map(str.strip, cells))]
        blank = len(self.numbers) - len(full)
        if blank:
            self.blank += blank
            self.numbers = [self.numbers[position] for position in full]
            self._columns = [[column[position] for position in full] for column in self._columns]

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The rows, each cell after cell."""
        return zip(*self._columns, strict=True)

    def row(self, position: int) -> list[str]:
        """One row."""
        return [column[position] for column in self._columns]

    def column(self, indexes: tuple[int, ...]) -> Sequence[str]:
        """One column; of several the first cell that is not blank in each row."""
        if len(indexes) == 1:
            return self._columns[indexes[0]]
        several = zip(*(self._columns[index] for index in indexes), strict=True)
        return [next((cell for cell in cells if cell.strip()), "") for cells in several]


class ColumnReader:
    """Reads the columns of one square and gathers which positions are rejected and why."""

    def __init__(self, square: Square) -> None:
        self.square = square
        self.rejected: dict[int, Finding | None] = {}  # None: a blank row, of which nothing is said
        self.notes: list[tuple[int, Finding]] = []

    def read(self, field_name: str, rule: Rule, column: Sequence[str]) -> list[str]:
        """The column as COPY takes it."""
        before = rule.seen
        values = rule.column(column)
        if rule.seen != before:
            for position, value in enumerate(values):
                if isinstance(value, Problem):
                    self.note(position, value, field_name)
                    values[position] = value.value
        return cast(list[str], values)  # no problem is left in it

    def made_emails(self, rule: Rule, template: str, columns: Mapping[str, Sequence[str]]) -> Sequence[str]:
        """The column of addresses; where a template asks for it, a row without one gets it from its customer number."""
        emails = columns["email"]
        if not template:
            return emails
        made = [
            template.replace("{id}", number) if email == NULL and number != NULL else ""
            for email, number in zip(emails, columns["external_id"], strict=True)
        ]
        new = self.read("email", rule, made)
        return [kept if kept != NULL else email for kept, email in zip(new, emails, strict=True)]

    def note(self, position: int, problem: Problem, field_name: str) -> None:
        """Keep a problem with the row at ``position``; the first that rejects it counts."""
        finding = Finding(
            self.square.numbers[position],
            problem.rejects,
            problem.code,
            problem.message,
            field_name,
            raw_text(self.square.row(position), self.square.delimiter),
            problem.parameters,
        )
        if problem.rejects:
            self.rejected.setdefault(position, finding)
        else:
            self.notes.append((position, finding))

    def block(self, columns: list[Sequence[str]]) -> NormalisedBlock:
        """The rows that are not rejected, in COPY's text format, the row number first."""
        lines = list(map("\t".join, zip(map(str, self.square.numbers), *columns, strict=True)))
        for position in sorted(self.rejected, reverse=True):
            del lines[position]
        findings = [
            *self.square.findings,
            *filter(None, self.rejected.values()),
            *(finding for position, finding in self.notes if position not in self.rejected),
        ]
        copy = "\n".join([*lines, ""]).encode()
        return NormalisedBlock(copy, len(lines), self.square.blank, sorted(findings, key=lambda finding: finding.row))


def raw_text(cells: list[str], delimiter: str) -> str:
    """A row as it would stand in the file."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="").writerow(cells)
    return out.getvalue()[:MAX_KEPT_RAW]
