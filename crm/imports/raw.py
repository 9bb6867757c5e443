"""Rejected rows as they stood in the file, for those that were found out only in the database."""

from pathlib import Path
from typing import Final

from crm.imports.rows import raw_text
from crm.imports.running import Run
from crm.imports.tables import cut_rows, open_table
from crm.models import ImportFinding

BATCH: Final = 5_000


def fill_raw(run: Run, path: Path, *, encoding: str, delimiter: str) -> None:
    """Read the file once more for the rows that are wanted, if any."""
    wanted = list(ImportFinding.objects.filter(job_id=run.job_id, is_rejected=True, raw="").order_by("row").values_list("row", flat=True))
    if not wanted:
        return
    rest = iter([*wanted, None])
    row = next(rest)
    found: list[tuple[int, str]] = []
    table = open_table(path, encoding=encoding, delimiter=delimiter)
    for block in table.blocks():
        if row is None:
            break
        if row >= block.first_row + block.count:
            continue
        rows = cut_rows(block, table.source.delimiter)
        while row is not None and row < block.first_row + block.count:
            found.append((row, raw_text(rows[row - block.first_row], table.source.delimiter)))
            row = next(rest)
        if len(found) >= BATCH:
            _write(run, found)
            found = []
    _write(run, found)


def _write(run: Run, found: list[tuple[int, str]]) -> None:
    run.execute(
        "update crm_importfinding as f set raw = new.raw from unnest(%s::bigint[], %s::text[]) as new (row, raw)"
        " where f.organization_id = %s and f.job_id = %s and f.row = new.row and f.raw = '' and f.is_rejected",
        [[row for row, _ in found], [raw.replace("\0", "\u2400") for _, raw in found], run.organization_id, run.job_id],
    )
