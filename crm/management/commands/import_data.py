import sys
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.administration import ADMINISTRATOR
from accounts.formats import format_money
from accounts.queries import organization_id_by_slug
from accounts.tenancy import tenant
from crm.imports.actions import ImportOptions, run_import, start_import
from crm.imports.fields import ImportKind
from crm.imports.limits import UnreadableFileError
from crm.imports.plan import Plan
from crm.imports.queries import refused_words, summary_lines
from crm.models import ImportFinding, ImportJob, ImportJobState
from crm.normalisation.amounts import DateOrder

EXAMPLES = 10


class Command(BaseCommand):
    help = "Import a file of customers or purchases: CSV (also .gz) or XLSX. Running it again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=[str(kind) for kind in ImportKind])
        parser.add_argument("file", type=Path)
        parser.add_argument("--organization", required=True, metavar="SLUG")
        parser.add_argument("--map", action="append", default=[], metavar="FIELD=COLUMN", help="again for more; FIELD= leaves a field out")
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, change nothing")
        parser.add_argument("--encoding", default="", help="such as cp1252; detected if left out")
        parser.add_argument("--delimiter", default="", help="one character, or tab; detected if left out")
        parser.add_argument("--date-order", default="", choices=["", *(str(order) for order in DateOrder)], help="how 03/04/2025 is meant")
        parser.add_argument(
            "--email-template", default="", metavar="PATTERN", help="addresses from customer numbers: customer-{id}@example.test"
        )
        parser.add_argument("--workers", type=int, default=2, help="connections and processes that work at a large file")

    def handle(self, *args: Any, **options: Any) -> None:
        organization_id = organization_id_by_slug(options["organization"])
        if organization_id is None:
            raise CommandError(f"There is no organization “{options['organization']}”; manage.py list_organizations names them.")
        if not options["file"].is_file():
            raise CommandError(f"There is no file {options['file']}.")
        began = time.monotonic()
        job = self._start(organization_id, options)
        self._tell_plan(job)
        done = run_import(organization_id=organization_id, job_id=job.pk, workers=options["workers"], listener=self._show_progress)
        assert done is not None
        self._summarise(organization_id, done, time.monotonic() - began)

    def _start(self, organization_id: int, options: dict[str, Any]) -> ImportJob:
        columns: dict[str, list[str]] = {}
        for pair in options["map"]:
            field, separator, column = pair.partition("=")
            if not separator:
                raise CommandError(f"Write --map as field=column, not {pair!r}.")
            columns.setdefault(field.strip(), []).append(column.strip())
        chosen = ImportOptions(
            encoding=options["encoding"],
            delimiter=options["delimiter"],
            columns=columns,
            date_order=options["date_order"],
            email_template=options["email_template"],
            is_dry_run=options["dry_run"],
        )
        try:
            with tenant(organization_id), options["file"].open("rb") as file:
                return start_import(
                    kind=ImportKind(options["kind"]),
                    file=file,
                    file_name=options["file"].name,
                    actor=ADMINISTRATOR,
                    now=timezone.now(),
                    options=chosen,
                    ring=False,
                )
        except UnreadableFileError as error:
            raise CommandError(refused_words(error)) from error

    def _tell_plan(self, job: ImportJob) -> None:
        header, plan = job.plan["header"], Plan.from_json(job.plan["plan"])
        reading = f"{job.encoding}, delimiter {job.delimiter!r}" if job.encoding else "workbook"
        self.stdout.write(f"Import #{job.pk}: {job.file_name} ({job.file_bytes:,} bytes, {reading})")
        used = {index for indexes in plan.columns.values() for index in indexes}
        for field, indexes in plan.columns.items():
            self.stdout.write(f"  {field:<20} from {', '.join(header[index] for index in indexes)}")
        if unused := [name for index, name in enumerate(header) if index not in used]:
            self.stdout.write(f"  not imported: {', '.join(unused)}")

    def _show_progress(self, fraction: float, rows: int) -> None:
        end = "\r" if sys.stdout.isatty() else "\n"
        self.stdout.write(f"  {fraction:>4.0%}  {rows:,} rows", ending=end)
        self.stdout.flush()

    def _summarise(self, organization_id: int, job: ImportJob, seconds: float) -> None:
        if job.state == ImportJobState.FAILED:
            raise CommandError(f"Nothing more was imported: {job.refusal}")
        for line in summary_lines(job):
            self.stdout.write(line)
        if "total_minor" in job.counts:
            total = format_money(job.counts["total_minor"], Plan.from_json(job.plan["plan"]).currency)
            self.stdout.write(f"All lines together: {total}.")
        self._show_examples(organization_id, job)
        self.stdout.write(f"Done in {seconds:.1f} s.")

    def _show_examples(self, organization_id: int, job: ImportJob) -> None:
        with tenant(organization_id):
            rejected = list(ImportFinding.objects.filter(job=job, is_rejected=True)[:EXAMPLES])
        for finding in rejected:
            self.stdout.write(f"  row {finding.row}: {finding.reason}")
        if job.counts.get("rejected", 0) > EXAMPLES:
            self.stdout.write(f"  … and {job.counts['rejected'] - EXAMPLES:,} more; the page of import #{job.pk} lists and downloads them.")
