"""The run of one import: where its rows stand, how many connections work at them, what is told while they do."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db import DatabaseError, connection

from accounts.postgresql.turns import take_turn
from accounts.tenancy import tenant
from crm.imports.plan import Plan
from crm.models import ImportJob

TICK_SECONDS: Final = 0.5
# Whole tables are read and joined here, and just filled ones have no statistics yet (of staged rows the planner expects few,
# since it cannot see through the wall): without them it likes loops and short cuts through indexes.
WHOLE_TABLES: Final = "".join(
    f"set local {setting};" for setting in ("work_mem = '128MB'", "enable_nestloop = off", "enable_bitmapscan = off")
)
# A range and the note that it is written are lost together or not at all, and the last transaction of a run waits for all.
NOT_WAITING: Final = "set local synchronous_commit = off"


class Progress:
    """How far a run is, written from a connection of its own so that others see it before anything is committed."""

    def __init__(self, organization_id: int, job_id: int) -> None:
        self._organization_id, self._job_id = organization_id, job_id
        self._fraction, self._rows, self._said = 0.0, 0, (-1.0, -1)
        self._over = threading.Event()
        self._listeners: list[Callable[[float, int], None]] = []

    def tell(self, fraction: float, rows: int) -> None:
        """The run is ``fraction`` done and has come to ``rows`` rows."""
        self._fraction, self._rows = fraction, rows

    def listen(self, listener: Callable[[float, int], None]) -> None:
        """Call ``listener`` with each change too."""
        self._listeners.append(listener)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Write the progress twice a second while the block runs; inside an outer transaction nobody could see it."""
        if connection.in_atomic_block:
            yield
            return
        thread = threading.Thread(target=self._write_until_over, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _write_until_over(self) -> None:
        try:
            while not self._over.wait(TICK_SECONDS):
                self._write()
        finally:
            connection.close()

    def _write(self) -> None:
        now = (self._fraction, self._rows)
        if now == self._said:
            return
        for listener in self._listeners:
            listener(*now)
        try:
            with tenant(self._organization_id), connection.cursor() as cursor:
                # The run itself writes this row between its steps: never wait for it, the next tick tells more.
                cursor.execute("set local lock_timeout = '200ms'")
                ImportJob.objects.filter(pk=self._job_id).update(progress=now[0], row_count=now[1])
            self._said = now
        except DatabaseError:
            connection.close()


@dataclass(slots=True)
class Run:
    """What the steps of an import share."""

    organization_id: int
    job_id: int
    plan: Plan
    now: datetime
    workers: int
    progress: Progress
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def table(self) -> str:
        """The staging table."""
        return f"crm_staging_{self.job_id}"

    @property
    def known(self) -> str:
        """The table that says which staged row is which customer that was there before."""
        return f"crm_known_{self.job_id}"

    def execute(self, statement: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> int:
        """Run one statement in the scope we are in; the number of rows it touched."""
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return int(cursor.rowcount)

    def fetch(self, statement: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of one statement."""
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def write(self) -> None:
        """Say until the end of the transaction that rows of this import are being written."""
        self.fetch("select pg_advisory_xact_lock_shared(hashtextextended(%s, 0))", [self._writing])

    def wait_for_writers(self) -> None:
        """Wait for transactions of a killed run: its last commit may still be under way when another goes on with the import."""
        take_turn(self._writing)

    @property
    def _writing(self) -> str:
        return f"crm.import.writing:{self.job_id}"

    def gather(self, name: str, query: str, parameters: dict[str, Any]) -> int:
        """Put the rows of a query into a temporary table of this transaction, with statistics; their number."""
        self.execute(f"drop table if exists pg_temp.{name}")
        count = self.execute(f"create temp table {name} on commit drop as {query}", parameters)
        self.execute(f"analyze {name}")
        return count

    def side_by_side(self, work: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        """Do the work for each item, each in a transaction of its own on one of ``workers`` connections."""
        if self.workers < 2 or connection.in_atomic_block or len(items) < 2:
            for item in items:
                with tenant(self.organization_id):
                    done = work(item)
                yield done
            return
        shares = queue.SimpleQueue[Any]()
        for item in items:
            shares.put(item)
        with ThreadPoolExecutor(self.workers) as pool:
            done = queue.SimpleQueue[Any]()
            futures = [pool.submit(self._work_off, work, shares, done) for _ in range(self.workers)]
            for _ in items:
                answer = done.get()
                if isinstance(answer, BaseException):
                    _drain(shares)
                    wait(futures)
                    raise answer
                yield answer[0]

    def _work_off(self, work: Callable[[Any], Any], shares: "queue.SimpleQueue[Any]", done: "queue.SimpleQueue[Any]") -> None:
        """Take items until none is left, then give the connection of this thread back."""
        try:
            end_with_its_process(connection)
            while True:
                item = shares.get_nowait()
                with tenant(self.organization_id):
                    answer = work(item)
                done.put((answer,))
        except queue.Empty:
            return
        except BaseException as error:
            done.put(error)
        finally:
            connection.close()


def end_with_its_process(connection: Any) -> None:
    """Let the database give up a statement soon after the process that asked for it was killed, and its locks with it."""
    with connection.cursor() as cursor:
        cursor.execute("set client_connection_check_interval = '2s'")


def _drain(shares: "queue.SimpleQueue[Any]") -> None:
    while not shares.empty():
        shares.get_nowait()
