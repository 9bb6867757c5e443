"""Doing something over another connection at the same time."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection

from tests.waiting import wait_until


def run_beside(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Do something over another connection; what came of it is in the list once the thread has ended."""
    came: list[Any] = []

    def run() -> None:
        try:
            came.append(work())
        except Exception as error:
            came.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, came


def wait_for_a_lock() -> None:
    """Until another connection waits for a row that this transaction holds."""

    def waits() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("select exists (select from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid)))")
            return bool(cursor.fetchone()[0])

    wait_until(waits, "nobody waits")
