"""What is known of imports: who waits, how far one is, what its mapping would make of the first rows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.formats import format_number
from crm.imports.fields import ImportKind, Mapping
from crm.imports.limits import UnreadableFileError
from crm.imports.normaliser import rules_of
from crm.imports.plan import Plan
from crm.imports.tables import Table, first_rows, open_table
from crm.models import ImportFinding, ImportJob, ImportJobState
from crm.refusals import told

CHANGES = ("created", "updated", "consents", "sales", "refunds", "customers_created", "customers_completed")
RUNNING = (ImportJobState.QUEUED, ImportJobState.READING, ImportJobState.COMPARING, ImportJobState.WRITING)


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """How far an import is."""

    state: str
    state_words: str
    percent: int
    rows: int
    counts: dict[str, int]
    error: str
    is_over: bool
    remaining: timedelta | None


def waiting_imports() -> list[int]:
    """Ids of imports that are not over, oldest first, in the organization of the scope."""
    return list(ImportJob.objects.filter(state__in=RUNNING).order_by("id").values_list("id", flat=True))


def import_progress(job: ImportJob, *, now: datetime) -> ImportProgress:
    """How far ``job`` is at ``now``."""
    remaining = None
    if not job.is_over and job.started_at is not None and job.progress > 0.05:
        remaining = (now - job.started_at) / job.progress * (1 - job.progress)
    return ImportProgress(
        state=job.state,
        state_words=job.get_state_display(),
        percent=int(job.progress * 100),
        rows=job.row_count,
        counts=job.counts,
        error=job.refusal,
        is_over=job.is_over,
        remaining=remaining,
    )


def refused_words(error: UnreadableFileError) -> str:
    """Why a file was not taken, in the reader's language."""
    return told(error.code, error.message, error.parameters)


def summary_lines(job: ImportJob) -> list[str]:
    """What became of the rows, in sentences."""
    counts = job.counts
    if job.state == ImportJobState.FAILED:
        return [job.refusal]
    lines = [
        ngettext("%(count)s row read.", "%(count)s rows read.", counts.get("read", 0)) % {"count": format_number(counts.get("read", 0))}
    ]
    lines += _customer_lines(counts) if job.kind == ImportKind.CUSTOMERS else _purchase_lines(counts)
    if counts.get("rejected"):
        lines.append(_("%(count)s rows rejected; each is kept with its reason.") % {"count": format_number(counts["rejected"])})
    if job.is_dry_run:
        lines.append(_("This was a rehearsal: nothing was changed."))
    elif not any(counts.get(name) for name in CHANGES):
        lines.append(_("Nothing changed: everything in the file was known already."))
    return lines


def _customer_lines(counts: dict[str, int]) -> list[str]:
    said = [
        ("created", _("%(count)s customers created.")),
        ("updated", _("%(count)s customers updated.")),
        ("unchanged", _("%(count)s customers were known like this already.")),
        ("repeated", _("%(count)s rows name somebody of an earlier row and were taken with it.")),
        ("consents", _("%(count)s consents recorded.")),
    ]
    return [words % {"count": format_number(counts[name])} for name, words in said if counts.get(name)]


def _purchase_lines(counts: dict[str, int]) -> list[str]:
    said = [
        ("sales", _("%(count)s sales recorded.")),
        ("refunds", _("%(count)s refunds recorded.")),
        ("lines", _("%(count)s lines recorded.")),
        ("unchanged", _("%(count)s receipts were known already.")),
        ("repeated", _("%(count)s lines stand twice in the file; they were counted each time.")),
        ("anonymous_lines", _("%(count)s lines name nobody and are anonymous sales.")),
        ("customers_created", _("%(count)s customers created.")),
        ("customers_completed", _("%(count)s customers got the e-mail address they lacked.")),
    ]
    return [words % {"count": format_number(counts[name])} for name, words in said if counts.get(name)]


@dataclass(frozen=True, slots=True)
class Preview:
    """The first rows of a file and what would become of them."""

    header: list[str]
    rows: list[tuple[int, list[str]]]
    mapping: Mapping
    findings: list[ImportFinding]


def preview_import(job: ImportJob, *, count: int = 5) -> Preview:
    """The first rows of a kept file as its plan reads them."""
    plan = Plan.from_json(job.plan["plan"])
    path = Path(job.file.path)
    rows = first_rows(_open(job, path), count)
    findings = [found for block in islice(_open(job, path).blocks(), 1) for found in rules_of(plan).block(block).findings]
    told = [
        ImportFinding(row=f.row, is_rejected=f.rejected, code=f.code, message=f.message, parameters=f.parameters) for f in findings[:20]
    ]
    return Preview(job.plan["header"], rows, Mapping(plan.columns), told)


def _open(job: ImportJob, path: Path) -> Table:
    return open_table(path, encoding=job.encoding, delimiter=job.delimiter)
