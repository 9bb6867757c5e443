"""Importing a file of customers (read, normalised, compared, upserted) beside a bare COPY of the same file into a table of texts."""

import random
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import psycopg
from django.utils import timezone

from accounts.audit import SYSTEM
from accounts.tenancy import tenant
from benchmarks.database import bare_connection, benchmark_database, benchmark_organization
from benchmarks.memory import peak_mb
from benchmarks.result import Result, measured
from crm.imports.actions import run_import, start_import
from crm.imports.fields import ImportKind
from crm.models import ImportJob, ImportJobState

ROWS: Final = {"small": 5_000, "full": 1_000_000}
LIMIT: Final = 8.0
SEED: Final = 20_250_331
WORKERS: Final = 2
HEADER: Final = (
    "customer_id", "first_name", "last_name", "email", "phone", "birthday", "gender", "street", "city", "state", "zip", "country", "tags",
    "language", "note", "last_visit",
)  # fmt: skip
FIRST: Final = (
    "Ava",
    "Noah",
    "Sara",
    "Liam",
    "Emma",
    "Olivia",
    "Reza",
    "Mina",
    "José",
    "Zoë",
    "زهرا",
    "محمد",
    "علي",
    "مهدی",
    "Chloe",
    "Ethan",
)
LAST: Final = ("Smith", "Jones", "O'Neil", "Brown", "Taylor", "Karimi", "Ahmadi", "رضایی", "كريمي", "García", "Müller", "Wilson", "Lee")
CITIES: Final = (("Springfield", "IL"), ("Portland", "OR"), ("Austin", "TX"), ("Newark", "NJ"), ("Reno", "NV"), ("Boise", "ID"))
MAILS: Final = ("example.com", "mail.example.org", "post.example.net", "example.co.uk")
STREETS: Final = ("Main St", "Oak Avenue", "2nd Street", "Lake View Road", "Sunset Boulevard")


def write_file(path: Path, rows: int) -> None:
    """Rows as exports have them: 95 in 100 plain, the others badly spaced, in Persian digits, twice in the file or not valid."""
    chance = random.Random(SEED)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(HEADER) + "\n")
        for number in range(rows):
            file.write(_row(number, chance) + "\n")


def _row(number: int, chance: random.Random) -> str:
    first, last = chance.choice(FIRST), chance.choice(LAST)
    city, state = chance.choice(CITIES)
    email, phone = f"shopper.{number}@{MAILS[number % len(MAILS)]}", f"({201 + number % 5 * 100}) {_exchange(number)}-{number % 10_000:04d}"
    customer = f"C{number:07d}"
    kind = chance.randrange(1000)
    if kind < 10:
        email = f"  Shopper.{number}@{MAILS[number % len(MAILS)].upper()} "
    elif kind < 20:
        phone = f"+1 {phone}".translate(str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹"))
    elif kind < 30:
        email = f"shopper.{number}.example.com"
    elif kind < 35:
        phone = "not given"
    elif kind < 45 and number > 50:
        customer, email, phone = f"C{number - 50:07d}", "", ""
    born = date(1950, 1, 1) + timedelta(days=chance.randrange(20_000))
    return ",".join(
        (
            customer, first, last, email, phone, born.isoformat(), ("female", "male", "")[number % 3], f"{number % 990} {chance.choice(STREETS)}",
            city, state, f"{10_000 + number % 80_000}", "US", ("", "vip", "new;friend")[chance.randrange(3)], ("en", "fa")[number % 7 == 0],
            "prefers mornings", "2025-03-31T10:15:00Z",
        )
    )  # fmt: skip


def _exchange(number: int) -> int:
    return 200 + number // 10_000 * 7 % 700 + number // 1_000_000


def run(size: str) -> Result:
    """An empty organization takes the file, then takes it again; the bare COPY runs before and after."""
    rows = ROWS[size]
    with benchmark_database("import_customers") as database, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "customers.csv"
        write_file(path, rows)
        organization_id = benchmark_organization().pk
        with bare_connection(database) as bare:
            references = [_copy_bare(bare, path)]
            ours, job, phases = _import(organization_id, path)
            references.append(_copy_bare(bare, path))
            again, job_again, _ = _import(organization_id, path)
            references.append(_copy_bare(bare, path))
        assert job.counts["read"] == rows, job.counts
        assert job.counts["created"] + job.counts["rejected"] + job.counts["repeated"] == rows, job.counts
        assert (job_again.counts["created"], job_again.counts["updated"]) == (0, 0), job_again.counts
        reference = sorted(references)[1]
        return measured(
            name="import_customers", ours=ours, reference=reference, unit="s", higher_is_better=False, peak_mb=peak_mb(), rows=rows,
            limit=LIMIT if size == "full" else None, notes=f"{path.stat().st_size / 1e6:.0f} MB, {len(HEADER)} columns, {WORKERS} workers; the same file again {again:.1f} s",
            extras={
                "phases_s": phases, "again_s": round(again, 2), "child_peak_mb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
                "counts": job.counts, "references_s": [round(seconds, 2) for seconds in references],
            },
        )  # fmt: skip


def _copy_bare(bare: psycopg.Connection, path: Path) -> float:
    """Seconds; the table is gone afterwards, so that autovacuum does not look through it while ours is measured."""
    bare.execute(f"create table bare_copy ({', '.join(f'{name} text' for name in HEADER)})")
    bare.commit()
    start = time.perf_counter()
    with bare.cursor().copy("copy bare_copy from stdin (format csv, header)") as copy, path.open("rb") as file:
        while piece := file.read(1 << 18):
            copy.write(piece)
    bare.commit()
    seconds = time.perf_counter() - start
    bare.execute("drop table bare_copy")
    bare.commit()
    return seconds


def _import(organization_id: int, path: Path) -> tuple[float, ImportJob, dict[str, float]]:
    """The file from its place on disk to the last row committed and the summary written."""
    start = time.perf_counter()
    with tenant(organization_id), path.open("rb") as file:
        kept = start_import(kind=ImportKind.CUSTOMERS, file=file, file_name=path.name, actor=SYSTEM, now=timezone.now(), ring=False)
    phases: dict[str, float] = {}
    job = run_import(organization_id=organization_id, job_id=kept.pk, workers=WORKERS, listener=_stopwatch(start, phases))
    seconds = time.perf_counter() - start
    assert job is not None
    assert job.state == ImportJobState.DONE, job.error
    job.file.delete(save=False)
    return seconds, job, phases


def _stopwatch(start: float, phases: dict[str, float]) -> Callable[[float, int], None]:
    def listen(fraction: float, _rows: int) -> None:
        name = "read" if fraction <= 0.5 else "compared" if fraction <= 0.6 else "written"
        phases[name] = round(time.perf_counter() - start, 1)

    return listen
