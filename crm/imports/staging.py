# ruff: noqa: S608 - the names put into statements are those of our own tables and columns
"""Rows of a file into the staging table, and what was found on the way into the findings."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.db import connection
from psycopg.types.json import Jsonb

from crm.imports import purchase_rows
from crm.imports.customer_rows import staged_columns
from crm.imports.fields import ImportKind
from crm.imports.limits import MAX_KEPT_RAW
from crm.imports.normaliser import normalised
from crm.imports.plan import Plan
from crm.imports.records import BrokenRow
from crm.imports.rows import Finding, NormalisedBlock
from crm.imports.running import Run
from crm.imports.tables import Table

FINDINGS_HELD: Final = 5_000
LARGE_FILE_BYTES: Final = 4 << 20
BROKEN_MESSAGES: Final = {
    "quote_open": "A quotation mark is opened and never closed.",
    "row_too_large": "The row is longer than a row of customers can be.",
    "nul": "The row holds NUL characters, as in a damaged or binary file.",
}


class Staging:
    """Fills the staging table of a run; ``taken``, ``blank`` and ``rejected`` count its rows, ``repeats`` knows which may name one person."""

    def __init__(self, run: Run, table: Table, *, file_bytes: int) -> None:
        from crm.imports.repeats import Repeats  # here: it loads numpy, which takes a tenth of a second that only imports need

        self.run, self.table, self.file_bytes = run, table, max(file_bytes, 1)
        self.taken = self.blank = self.rejected = self.noted = 0
        self.repeats = Repeats()
        self._held: list[Finding] = []
        self._broken_seen = 0

    def fill(self) -> None:
        """Read the whole file; inside a tenant scope, in its transaction."""
        run = self.run
        run.fetch("select crm_open_import_staging(%s, %s)", [run.job_id, str(run.plan.kind)])
        processes = run.workers if self.file_bytes > LARGE_FILE_BYTES else 0
        blocks = normalised(self.table.blocks(), run.plan, processes=processes)
        while self._copy_some(blocks):
            self._keep_findings()
        self._keep_findings()
        run.fetch("select crm_seal_import_staging(%s)", [run.job_id])

    def _copy_some(self, blocks: Iterator[NormalisedBlock]) -> bool:
        """COPY until enough findings are held (they cannot be written while COPY runs); False at the end of the file."""
        columns = ("row_no", *_columns(self.run.plan))
        with connection.cursor() as cursor, cursor.copy(f"copy {self.run.table} ({', '.join(columns)}) from stdin") as copy:
            for block in blocks:
                if block.copy:
                    copy.write(block.copy)
                self._count(block)
                if len(self._held) >= FINDINGS_HELD:
                    return True
        return False

    def _count(self, block: NormalisedBlock) -> None:
        self.taken += block.taken
        self.blank += block.blank
        if block.prints:
            self.repeats.add(block.prints)
        self._held += block.findings
        broken, self._broken_seen = self.table.broken[self._broken_seen :], len(self.table.broken)
        self._held += map(_broken, broken)
        self.blank -= len(broken)  # a broken row comes by as an empty one
        rows = self.taken + self.rejected + sum(finding.rejected for finding in self._held)
        self.run.progress.tell(0.5 * min(self.table.bytes_read / self.file_bytes, 1.0), rows)

    def _keep_findings(self) -> None:
        self._held += map(_broken, self.table.broken[self._broken_seen :])
        self.blank -= len(self.table.broken) - self._broken_seen
        self._broken_seen = len(self.table.broken)
        rejected = sum(finding.rejected for finding in self._held)
        self.rejected += rejected
        self.noted += len(self._held) - rejected
        keep_findings(self.run, self._held)
        self._held = []


def _columns(plan: Plan) -> Sequence[str]:
    return staged_columns(plan) if plan.kind is ImportKind.CUSTOMERS else purchase_rows.STAGED


def keep_findings(run: Run, findings: list[Finding]) -> None:
    """Write findings of the run; many at once, for there may be as many as rows."""
    for start in range(0, len(findings), FINDINGS_HELD):
        some = [
            (found.row, found.rejected, found.code, found.message[:500], found.field, _storable(found.raw), found.parameters)
            for found in findings[start : start + FINDINGS_HELD]
        ]
        run.execute(_KEEP, [run.organization_id, run.job_id, Jsonb(some)])


# One document: seven arrays of as many cells take twice as long to be written down and read.
_KEEP: Final = """
insert into crm_importfinding (organization_id, job_id, row, is_rejected, code, message, field, raw, parameters)
select %s, %s, (new->>0)::bigint, (new->>1)::boolean, new->>2, new->>3, new->>4, new->>5, new->6 from jsonb_array_elements(%s) as new
"""


def drop_staging(run: Run) -> None:
    """Remove the staging table."""
    run.fetch("select crm_drop_import_staging(%s)", [run.job_id])


def staged_count(run: Run) -> int | None:
    """How many rows are staged; None when the table is gone, and 0 after a crash of the server, as it is not logged."""
    if run.fetch("select to_regclass(%s)", [run.table])[0][0] is None:
        return None
    count: Any = run.fetch(f"select count(*) from {run.table}")[0][0]
    return int(count)


def _broken(row: BrokenRow) -> Finding:
    return Finding(row.row, True, row.code, BROKEN_MESSAGES[row.code], "", row.raw)


def _storable(text: str) -> str:
    return text.replace("\0", "\u2400")[:MAX_KEPT_RAW].encode("utf-8", "replace").decode()
