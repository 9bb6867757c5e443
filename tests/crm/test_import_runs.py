"""Imports that are killed, meet each other, or run over several processes."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.utils import translation

from accounts.tenancy import tenant
from crm import tasks
from crm.imports import staging, writing
from crm.imports.actions import run_import
from crm.imports.plan import Plan
from crm.imports.queries import import_progress, waiting_imports
from crm.imports.running import Progress, Run
from crm.models import Customer, CustomerFacts, ImportChunk, ImportJob
from tests.conftest import Cast
from tests.crm.import_files import counts, imported, start
from tests.waiting import wait_until

RUN = """
import sys, django
django.setup()
from tests.database import use_database
use_database(sys.argv[1])
from crm.imports import writing
from crm.imports.actions import run_import
writing.ROWS_IN_CHUNK = 200
run_import(organization_id=int(sys.argv[2]), job_id=int(sys.argv[3]), workers=2)
"""


def many(rows: int) -> str:
    return "id,email,phone,name,tags\n" + "".join(f"{n},p{n}@example.com,20255{n:05d},Person {n},vip\n" for n in range(rows))


def process(cast: Cast, job: ImportJob) -> "subprocess.Popen[bytes]":
    database = str(connection.settings_dict["NAME"])
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONPATH": str(settings.BASE_DIR)}
    return subprocess.Popen([sys.executable, "-c", RUN, database, str(cast.saffron.pk), str(job.pk)], env=environment)


def chunks_written(cast: Cast, job: ImportJob) -> int:
    with tenant(cast.saffron.pk):
        return ImportChunk.objects.filter(job=job).count()


def readings(cast: Cast, job: ImportJob) -> int:
    with tenant(cast.saffron.pk):
        return ImportJob.objects.get(pk=job.pk).readings


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("select exists (select from pg_locks where locktype = 'advisory' and not granted)")
        return bool(cursor.fetchone()[0])


def test_an_import_killed_while_it_writes_goes_on_where_it_was(committed_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    cast = committed_cast
    job = start(cast.saffron, cast.alice_acts, many(12_000))
    killed = process(cast, job)
    wait_until(lambda: chunks_written(cast, job) >= 3, "the import wrote nothing in a minute")
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    with tenant(cast.saffron.pk):
        written = ImportChunk.objects.filter(job=job).count()
        assert 3 <= written < 61
        assert Customer.objects.count() == CustomerFacts.objects.count()
        assert waiting_imports() == [job.pk]
    monkeypatch.setattr(writing, "ROWS_IN_CHUNK", 200)
    done = run_import(organization_id=cast.saffron.pk, job_id=job.pk)
    assert done is not None
    assert (done.state, counts(done)) == ("done", {"read": 12_000, "created": 12_000})
    with tenant(cast.saffron.pk):
        assert (Customer.objects.count(), CustomerFacts.objects.count()) == (12_000, 12_000)
        assert waiting_imports() == []


def test_a_file_whose_reading_breaks_off_again_and_again_is_given_up(committed_cast: Cast) -> None:
    cast = committed_cast
    job = start(cast.saffron, cast.alice_acts, many(100))
    with tenant(cast.saffron.pk):
        ImportJob.objects.filter(pk=job.pk).update(state="reading", readings=4)
    killed = process(cast, job)  # the fifth attempt begins, and says so before it reads
    wait_until(lambda: readings(cast, job) == 5, "the import did not begin in a minute")
    killed.wait()
    with tenant(cast.saffron.pk):
        assert Customer.objects.count() == 100  # it came through
    again = start(cast.saffron, cast.alice_acts, many(100))
    with tenant(cast.saffron.pk):
        ImportJob.objects.filter(pk=again.pk).update(state="reading", readings=5)
    ended = run_import(organization_id=cast.saffron.pk, job_id=again.pk)
    assert ended is not None
    assert (ended.state, ended.refusal) == ("failed", "Reading the file broke off 5 times; cut it into smaller ones.")
    with tenant(cast.saffron.pk):
        assert waiting_imports() == []


def test_an_import_waits_for_the_last_commit_of_a_killed_run_before_it_looks_what_is_written(
    committed_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast = committed_cast
    monkeypatch.setattr(writing, "ROWS_IN_CHUNK", 200)
    job = start(cast.saffron, cast.alice_acts, many(1_000))
    done: list[ImportJob | None] = []

    def go_on() -> None:
        done.append(run_import(organization_id=cast.saffron.pk, job_id=job.pk, workers=1))
        connection.close()

    resumed = threading.Thread(target=go_on)
    with tenant(cast.saffron.pk):
        Run(cast.saffron.pk, job.pk, Plan.from_json(job.plan["plan"]), job.created_at, 1, Progress(cast.saffron.pk, job.pk)).write()
        resumed.start()
        wait_until(somebody_waits, "nobody waited")
        ImportChunk.objects.create(job=job, first_row=0, last_row=199, counts={"created": 7}, written_at=job.created_at)
    resumed.join()
    assert [found and counts(found) for found in done] == [{"read": 1_000, "created": 809}]  # rows 2 to 199 were not written again


def test_an_import_whose_staging_a_crash_of_the_server_emptied_reads_its_file_again(
    committed_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast = committed_cast
    monkeypatch.setattr(writing, "ROWS_IN_CHUNK", 200)
    job = start(cast.saffron, cast.alice_acts, many(1_000))

    def fail_at_the_third(run: Run, chunk: writing.Chunk) -> dict[str, int]:
        if chunk.first_row >= 400:
            raise ConnectionError
        return writing.write_chunk(run, chunk)

    with monkeypatch.context() as patch:
        patch.setattr("crm.imports.actions.write_chunk", fail_at_the_third)
        patch.setattr("crm.imports.actions._fail", lambda run, message: None)
        with pytest.raises(ConnectionError):
            run_import(organization_id=cast.saffron.pk, job_id=job.pk, workers=1)
    with tenant(cast.saffron.pk):
        assert Customer.objects.count() == 398
        ImportJob.objects.filter(pk=job.pk).update(counts={"staged": 1})  # as if the unlogged rows were lost
    done = run_import(organization_id=cast.saffron.pk, job_id=job.pk, workers=1)
    assert done is not None
    assert counts(done) == {"read": 1_000, "created": 1_000}
    with tenant(cast.saffron.pk):
        assert Customer.objects.count() == 1_000


def test_two_imports_of_one_organization_run_one_after_the_other(committed_cast: Cast) -> None:
    cast = committed_cast
    first, second = (start(cast.saffron, cast.alice_acts, many(3_000)) for _ in range(2))
    done: list[ImportJob | None] = []

    def run(job: ImportJob) -> None:
        done.append(run_import(organization_id=cast.saffron.pk, job_id=job.pk, workers=2))
        connection.close()

    threads = [threading.Thread(target=run, args=(job,)) for job in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    totals = sorted((job.counts["created"], job.counts["unchanged"]) for job in done if job)
    assert totals == [(0, 3_000), (3_000, 0)]
    with tenant(cast.saffron.pk):
        assert Customer.objects.count() == 3_000


def test_a_worker_leaves_an_import_alone_that_another_is_at(committed_cast: Cast) -> None:
    cast = committed_cast
    job = start(cast.saffron, cast.alice_acts, many(10))
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_lock(hashtextextended(%s, 0))", [f"crm.import:{cast.saffron.pk}"])
            held.set()
            over.wait()
            cursor.execute("select pg_advisory_unlock_all()")
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    assert run_import(organization_id=cast.saffron.pk, job_id=job.pk, wait=False) is None
    over.set()
    thread.join()
    done = run_import(organization_id=cast.saffron.pk, job_id=job.pk, wait=False)
    assert done is not None
    assert done.counts["created"] == 10


def test_somebody_created_while_an_import_writes_is_met_not_doubled(committed_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    cast = committed_cast
    job = start(cast.saffron, cast.alice_acts, many(5))

    def create_first(run: Run, chunk: writing.Chunk) -> dict[str, int]:
        def create() -> None:
            with tenant(cast.saffron.pk):
                customer = Customer.objects.create(email="p3@example.com", city="Reno")
                CustomerFacts.objects.create(customer=customer)
            connection.close()

        thread = threading.Thread(target=create)
        thread.start()
        thread.join()
        return writing.write_chunk(run, chunk)

    monkeypatch.setattr("crm.imports.actions.write_chunk", create_first)
    done = run_import(organization_id=cast.saffron.pk, job_id=job.pk, workers=1)
    assert done is not None
    assert counts(done) == {"read": 5, "created": 4, "updated": 1}
    with tenant(cast.saffron.pk):
        assert Customer.objects.values_list("external_id", "city").get(email="p3@example.com") == ("3", "Reno")


def test_processes_and_connections_change_nothing_about_the_result(committed_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    cast = committed_cast
    messy = many(900) + "".join(f'x{n},"p{n}@example.com",,,\n' for n in range(50)) + ",wrong,,,\n" + ",,,Nobody,\n\n"
    alone = imported(cast.rival, cast.charlie_acts, messy, workers=1)
    monkeypatch.setattr(staging, "LARGE_FILE_BYTES", 0)
    monkeypatch.setattr(writing, "ROWS_IN_CHUNK", 100)
    together = imported(cast.saffron, cast.alice_acts, messy, workers=2)
    assert counts(alone) == counts(together) == {"read": 952, "created": 900, "rejected": 52, "blank": 1}
    rows = []
    for organization in (cast.saffron, cast.rival):
        with tenant(organization.pk):
            rows.append(
                list(Customer.objects.order_by("email").values_list("external_id", "email", "phone", "first_name", "search_key", "tags"))
            )
    assert rows[0] == rows[1]


def test_progress_is_seen_from_outside_while_an_import_runs(committed_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    cast = committed_cast
    monkeypatch.setattr("crm.imports.running.TICK_SECONDS", 0.02)
    monkeypatch.setattr(writing, "ROWS_IN_CHUNK", 200)
    job = start(cast.saffron, cast.alice_acts, many(4_000))
    seen: set[tuple[str, int]] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.01):
            with tenant(cast.saffron.pk):
                row = ImportJob.objects.get(pk=job.pk)
                seen.add((row.state, int(row.progress * 100)))
        connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    run_import(organization_id=cast.saffron.pk, job_id=job.pk, workers=2)
    over.set()
    thread.join()
    assert len({percent for state, percent in seen if state == "writing" and 60 < percent < 100}) >= 2


def test_the_task_runs_what_waits_and_the_sweep_rings_for_it(committed_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    cast = committed_cast
    rung: list[tuple[int, int]] = []
    monkeypatch.setattr(tasks, "ring_for_import", lambda organization_id, job_id: rung.append((organization_id, job_id)))
    first, second = (start(cast.saffron, cast.alice_acts, many(3)) for _ in range(2))
    tasks.sweep_imports()
    assert rung == [(cast.saffron.pk, first.pk)]
    tasks.run_import(cast.saffron.pk, first.pk)
    assert rung[1:] == [(cast.saffron.pk, second.pk)]
    tasks.run_import(cast.saffron.pk, second.pk)
    tasks.run_import(cast.saffron.pk, second.pk)
    with tenant(cast.saffron.pk):
        assert list(ImportJob.objects.order_by("id").values_list("state", flat=True)) == ["done", "done"]
        progress = import_progress(ImportJob.objects.get(pk=second.pk), now=second.created_at)
    assert (progress.percent, progress.is_over, progress.rows) == (100, True, 3)


def test_a_file_that_cannot_be_read_to_its_end_changes_nothing_and_says_so(committed_cast: Cast, tmp_path: Path) -> None:
    cast = committed_cast
    content = b"email\n" + b"".join(b"p%d@example.com\n" % n for n in range(90_000)) + "zoë@example.com\n".encode("cp1252")
    job = run_import(organization_id=cast.saffron.pk, job_id=start(cast.saffron, cast.alice_acts, content).pk)
    assert job is not None
    with translation.override("en"):
        assert (job.state, job.refusal[:39]) == ("failed", "The file cannot be read as utf-8 (near ")
    with translation.override("fa"):
        assert job.refusal[:37] == "فایل را با کدگذاری utf-8 نمی‌توان خوا"
    with tenant(cast.saffron.pk):
        assert Customer.objects.count() == 0


def test_rows_of_a_running_import_stand_behind_the_wall(committed_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    cast = committed_cast
    imported(cast.saffron, cast.alice_acts, many(2))
    job = start(cast.saffron, cast.alice_acts, many(3))
    monkeypatch.setattr("crm.imports.actions._write_chunks", lambda run: (_ for _ in ()).throw(ConnectionError))
    monkeypatch.setattr("crm.imports.actions._fail", lambda run, message: None)
    with pytest.raises(ConnectionError):
        run_import(organization_id=cast.saffron.pk, job_id=job.pk, workers=1)
    both = f"select (select count(*) from crm_staging_{job.pk}), (select count(*) from crm_known_{job.pk})"
    with tenant(cast.saffron.pk), connection.cursor() as cursor:
        cursor.execute(both)
        assert cursor.fetchone() == (3, 2)
    with tenant(cast.rival.pk), connection.cursor() as cursor:
        cursor.execute(both)
        assert cursor.fetchone() == (0, 0)
        with pytest.raises(Exception, match="not of this organization"), transaction.atomic():
            cursor.execute("select crm_drop_import_staging(%s)", [job.pk])
