"""Imports begun, prepared and run. Reading decides nothing that writing has not yet made sure of: see `crm.imports.writing`."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

from django.core.files import File
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F
from django.utils import timezone

from accounts.audit import Actor, record_audit
from accounts.models import Location
from accounts.queries import current_organization
from accounts.tenancy import current_organization_id, tenant
from crm.events import NewEvent, record_event
from crm.imports import purchases
from crm.imports.bells import ring_for_import
from crm.imports.comparing import compare_customers
from crm.imports.date_order import guess_date_order
from crm.imports.fields import ATTRIBUTE, ImportKind, Mapping, fold_header, missing_fields, told_mapping
from crm.imports.limits import UnreadableFileError
from crm.imports.plan import AttributeRule, Plan
from crm.imports.queries import CHANGES
from crm.imports.raw import fill_raw
from crm.imports.running import Progress, Run, end_with_its_process
from crm.imports.staging import Staging, drop_staging, staged_count
from crm.imports.tables import Table, first_rows, open_table
from crm.imports.writing import Chunk, open_chunks, write_chunk
from crm.models import AttributeDefinition, AttributeType, ImportChunk, ImportFinding, ImportJob, ImportJobState
from crm.normalisation.amounts import DateOrder
from crm.statistics import MANY_ROWS, refresh_statistics

EMAIL_TEMPLATE: Final = re.compile(r"[A-Za-z0-9._+\-]*\{id\}[A-Za-z0-9._+\-]*@[A-Za-z0-9.\-]+")
PREVIEW_ROWS: Final = 200
MOST_READINGS: Final = 5


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the person importing says about a file; all of it can be left to detection."""

    encoding: str = ""
    delimiter: str = ""
    columns: dict[str, list[str]] = field(default_factory=dict)
    date_order: str = ""
    email_template: str = ""
    is_dry_run: bool = False
    guess_columns: bool = True


def start_import(
    *,
    kind: ImportKind,
    file: BinaryIO | File[bytes],
    file_name: str,
    actor: Actor,
    now: datetime,
    options: ImportOptions | None = None,
    is_draft: bool = False,
    ring: bool = True,
) -> ImportJob:
    """Keep a file to be imported into the organization of the scope, and ask a worker to run it.

    Args:
        is_draft: keep it without queueing it, so that its columns can be looked at first (`choose_columns`).
        ring: ask a worker; without it the caller runs it (`run_import`).

    Raises:
        UnreadableFileError: nothing that can be imported, or a column or option that does not fit; nothing is kept.
    """
    options = options or ImportOptions()
    job = ImportJob(
        kind=str(kind),
        file_name=Path(file_name).name[:200],
        is_dry_run=options.is_dry_run,
        options=asdict(options),
        state=ImportJobState.DRAFT if is_draft else ImportJobState.QUEUED,
    )
    job.actor, job.created_at = actor, now
    job.file.save(_kept_name(file_name), File(file), save=False)
    try:
        _prepare(job, options, is_draft=is_draft)
    except BaseException:
        job.file.delete(save=False)
        raise
    job.save()
    if ring and not is_draft:
        _ring(job)
    return job


def _ring(job: ImportJob) -> None:
    organization_id, job_id = current_organization_id(), job.pk
    transaction.on_commit(lambda: ring_for_import(organization_id, job_id))


@transaction.atomic
def choose_columns(*, job: ImportJob, options: ImportOptions, actor: Actor) -> ImportJob:
    """Settle how a drafted import is read and queue it.

    Raises:
        UnreadableFileError: the choices do not fit the file.
    """
    job = ImportJob.objects.select_for_update().get(pk=job.pk)
    if job.state != ImportJobState.DRAFT:
        return job
    job.options, job.is_dry_run = asdict(options), options.is_dry_run
    _prepare(job, options, is_draft=False)
    job.state, job.actor = ImportJobState.QUEUED, actor
    job.save()
    _ring(job)
    return job


def repeat_import(*, job: ImportJob, actor: Actor, now: datetime) -> ImportJob:
    """Import the file of a rehearsal in earnest, read in the same way."""
    options = replace(ImportOptions(**job.options), is_dry_run=False)
    with Path(job.file.path).open("rb") as file:
        return start_import(kind=ImportKind(job.kind), file=file, file_name=job.file_name, actor=actor, now=now, options=options)


def _kept_name(file_name: str) -> str:
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(file_name).name)[-80:].strip(".-")
    return stem or "file"


def _prepare(job: ImportJob, options: ImportOptions, *, is_draft: bool) -> None:
    """Look at the file as it will be read, and keep the plan."""
    table = open_table(Path(job.file.path), encoding=options.encoding, delimiter=options.delimiter)
    mapping = choose_mapping(ImportKind(job.kind), table, options)
    if not is_draft and (missing := missing_fields(ImportKind(job.kind), mapping)):
        raise UnreadableFileError("columns", missing)
    if options.email_template and (fault := _template_fault(options.email_template, mapping)):
        raise UnreadableFileError("email_template", fault)
    job.file_bytes, job.encoding, job.delimiter = job.file.size, table.source.encoding, table.source.delimiter
    job.plan = {"header": table.header, "plan": make_plan(ImportKind(job.kind), table, mapping, options, today=job.created_at).as_json()}


def _template_fault(template: str, mapping: Mapping) -> str:
    if not EMAIL_TEMPLATE.fullmatch(template):
        return "The address pattern has to look like customer-{id}@example.test."
    if "external_id" not in mapping.columns:
        return "No column holds a customer number to make addresses from; say which one is external_id."
    return ""


def choose_mapping(kind: ImportKind, table: Table, options: ImportOptions) -> Mapping:
    """The columns as they are guessed and told."""
    attributes = frozenset(AttributeDefinition.objects.values_list("key", flat=True))
    return told_mapping(kind, table.header, options.columns, attributes, guess=options.guess_columns)


def make_plan(kind: ImportKind, table: Table, mapping: Mapping, options: ImportOptions, *, today: datetime) -> Plan:
    """Everything the rules need, for the organization of the scope."""
    organization = current_organization()
    rows = [
        cells
        for _, cells in first_rows(
            open_table(table.source.path, encoding=table.source.encoding, delimiter=table.source.delimiter), PREVIEW_ROWS
        )
    ]
    attributes = {row.key: AttributeRule(row.type, tuple(row.choices)) for row in AttributeDefinition.objects.all()}
    dated = ["birthday", "purchased_at", *(f"{ATTRIBUTE}{key}" for key, rule in attributes.items() if rule.type == AttributeType.DATE)]
    dates = [index for name in dated for index in mapping.columns.get(name, ())]
    order = DateOrder(options.date_order) if options.date_order else guess_date_order(rows, dates, organization.region)
    return Plan(
        kind=kind,
        width=len(table.header),
        columns=mapping.columns,
        delimiter=table.source.delimiter or ",",
        region=organization.region,
        currency=organization.currency,
        time_zone=organization.time_zone,
        today=today.date(),
        date_order=order,
        email_template=options.email_template,
        attributes=attributes,
        locations={fold_header(name): row.pk for row in Location.objects.order_by("-pk") for name in (row.slug, row.name)},
    )


def run_import(
    *,
    organization_id: int,
    job_id: int,
    workers: int = 2,
    wait: bool = True,
    listener: Callable[[float, int], None] | None = None,
) -> ImportJob | None:
    """Run an import to its end, or go on with one that was killed. Imports of one organization run one at a time.

    Args:
        workers: how many connections and processes may work at a large file.
        wait: for another import of the organization to end; else None is answered and nothing happens.
    """
    with _one_at_a_time(organization_id, wait=wait) as mine:
        if not mine:
            return None
        with tenant(organization_id):
            job = ImportJob.objects.get(pk=job_id)
        if job.is_over or job.state == ImportJobState.DRAFT:
            return job
        progress = Progress(organization_id, job_id)
        if listener is not None:
            progress.listen(listener)
        run = Run(organization_id, job_id, Plan.from_json(job.plan["plan"]), job.started_at or timezone.now(), workers, progress)
        try:
            with progress.shown():
                _take_steps(job, run)
        except UnreadableFileError as error:
            _fail(run, error.message, error.parameters)
        except (OperationalError, InterfaceError):
            raise  # the database is away or was restarted: the sweep goes on with it later
        except Exception as error:
            _fail(run, f"{type(error).__name__}: {error}"[:500])
            raise
    with tenant(organization_id):
        return ImportJob.objects.get(pk=job_id)


@contextmanager
def _one_at_a_time(organization_id: int, *, wait: bool) -> Iterator[bool]:
    """Hold the organization's import lock on this connection; it ends with the connection, so with a killed process."""
    key = f"crm.import:{organization_id}"
    function = "pg_advisory_lock" if wait else "pg_try_advisory_lock"
    end_with_its_process(connection)
    with connection.cursor() as cursor:
        cursor.execute(f"select {function}(hashtextextended(%s, 0))", [key])
        mine = wait or bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine and not connection.needs_rollback and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", [key])


def _take_steps(job: ImportJob, run: Run) -> None:
    run.counts = dict(job.counts)
    with tenant(run.organization_id):
        staged = staged_count(run)
    if job.state != ImportJobState.WRITING or staged != job.counts.get("staged"):
        repeated = _read(job, run)
        _compare(job, run, repeated)
    if job.is_dry_run:
        _finish(run)
        return
    _write_chunks(run)
    if run.counts["read"] >= MANY_ROWS:
        refresh_statistics()
    _finish(run)


def _enter(run: Run, state: ImportJobState, **more: Any) -> None:
    ImportJob.objects.filter(pk=run.job_id).update(state=state, counts=run.counts, started_at=run.now, **more)


def _enter_reading(job: ImportJob, run: Run) -> None:
    """Count the attempt before it begins: a file whose reading ends its process would be tried for ever."""
    if job.readings >= MOST_READINGS:
        raise UnreadableFileError("broke_off", "Reading the file broke off %(count)s times; cut it into smaller ones.", count=MOST_READINGS)
    _enter(run, ImportJobState.READING, readings=F("readings") + 1)


def _read(job: ImportJob, run: Run) -> list[int]:
    """Fill the staging table; answers which rows may name a person that another row names too."""
    with tenant(run.organization_id):
        _enter_reading(job, run)
    options = ImportOptions(**job.options)
    with tenant(run.organization_id):
        ImportFinding.objects.filter(job_id=run.job_id).delete()
        table = open_table(Path(job.file.path), encoding=job.encoding or options.encoding, delimiter=job.delimiter or options.delimiter)
        staging = Staging(run, table, file_bytes=job.file_bytes)
        staging.fill()
        run.counts = {"read": staging.taken + staging.rejected, "staged": staging.taken, "blank": staging.blank}
    return staging.repeats.rows()


def _compare(job: ImportJob, run: Run, repeated: list[int]) -> None:
    with tenant(run.organization_id):
        _enter(run, ImportJobState.COMPARING)
    run.progress.tell(0.5, run.counts["read"])
    with tenant(run.organization_id):
        if run.plan.kind is ImportKind.CUSTOMERS:
            compare_customers(run, repeated)
        else:
            purchases.compare_purchases(run)
        fill_raw(run, Path(job.file.path), encoding=job.encoding, delimiter=job.delimiter)
        if job.is_dry_run:
            run.counts |= _rehearse(run)
        _enter(run, ImportJobState.WRITING)
    run.progress.tell(0.6, run.counts["read"])


def _rehearse(run: Run) -> dict[str, int]:
    """What writing would do, by doing it and taking it back."""
    with transaction.atomic():
        counts = _sum([_writer(run)(run, chunk) for chunk in _open_chunks(run)])
        transaction.set_rollback(True)
    return counts


def _writer(run: Run) -> Callable[[Run, Chunk], dict[str, int]]:
    return write_chunk if run.plan.kind is ImportKind.CUSTOMERS else purchases.write_purchases


def _open_chunks(run: Run) -> list[Chunk]:
    return open_chunks(run) if run.plan.kind is ImportKind.CUSTOMERS else purchases.open_receipts(run)


def _write_chunks(run: Run) -> None:
    """Write what is not written yet, telling how far it is."""
    write = _writer(run)
    with tenant(run.organization_id):
        run.wait_for_writers()
        chunks = _open_chunks(run)

    def write_one(chunk: Chunk) -> dict[str, int]:
        run.write()
        return write(run, chunk)

    for done, _counts in enumerate(run.side_by_side(write_one, chunks), 1):
        run.progress.tell(0.6 + 0.4 * done / len(chunks), run.counts["read"])


def _finish(run: Run) -> None:
    """Close the books of an import: its counts, one audit entry, one event if anything changed."""
    with tenant(run.organization_id):
        job = ImportJob.objects.select_for_update().get(pk=run.job_id)
        if not job.is_dry_run:
            fill_raw(run, Path(job.file.path), encoding=job.encoding, delimiter=job.delimiter)  # of rows refused while writing
            run.counts |= _sum(list(ImportChunk.objects.filter(job=job).values_list("counts", flat=True)))
        run.counts["rejected"] = ImportFinding.objects.filter(job=job, is_rejected=True).count()
        run.counts["noted"] = ImportFinding.objects.filter(job=job, is_rejected=False).count()
        job.counts, job.row_count, job.progress = run.counts, run.counts["read"], 1.0
        job.state, job.finished_at = ImportJobState.DONE, timezone.now()
        job.save()
        drop_staging(run)
        if job.is_dry_run:
            return
        record_audit(action=f"{job.kind}.imported", subject=job, actor=job.actor, after={"file": job.file_name, **job.counts})
        if any(job.counts.get(name) for name in CHANGES):
            record_event(NewEvent(f"{job.kind}.imported", run.now, None, "import", {"import": job.pk, **job.counts}))


def _fail(run: Run, message: str, parameters: dict[str, Any] | None = None) -> None:
    with tenant(run.organization_id):
        ImportJob.objects.filter(pk=run.job_id).update(
            state=ImportJobState.FAILED, error=message, error_parameters=parameters or {}, finished_at=timezone.now()
        )
        drop_staging(run)


def _sum(counts: list[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for some in counts:
        for name, count in some.items():
            total[name] = total.get(name, 0) + count
    return total
