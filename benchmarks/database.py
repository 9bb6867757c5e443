"""A database of its own for each benchmark: migrated by the owner's role, used under the application's, dropped at the end."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from accounts.actions import create_organization
from accounts.models import Organization
from tests.database import administrator, create_database, drop_database, use_database

# A migrated database to clone instead of migrating anew; the test suite sets it to its own.
template: str | None = None


@contextmanager
def benchmark_database(name: str) -> Iterator[str]:
    """Create, migrate and use a database until the block ends; yields its name.

    Child processes that read ``EMBEDDED_DATABASE`` (a worker, a web server) see the same database.
    """
    database, before = f"bench_{name}_{os.getpid()}", settings.DATABASES["default"]["NAME"]
    create_database(database, template or "template1")
    try:
        _use(database)
        if template is None:
            call_command("migrate", verbosity=0)
            _touch_memory(database)
        yield database
    finally:
        _use(before)
        drop_database(database)


def benchmark_organization(slug: str = "bench") -> Organization:
    """An organization to fill."""
    return create_organization(
        name="Benchmark",
        slug=slug,
        time_zone="America/New_York",
        postal_address="1 Main St, New York",
        currency="USD",
        region="US",
    )


def analyze(*tables: str) -> None:
    """Give the planner statistics, as autovacuum would have by now."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"analyze {', '.join(tables)}")


def bare_connection(database: str) -> psycopg.Connection:
    """An administrator's connection to the database, for references that pass by our own machinery."""
    return administrator(database)


def _touch_memory(database: str) -> None:
    """Use all of the server's shared memory once: a server just started is handed it page by page, at the expense of whoever comes first."""
    with administrator(database) as there, there.transaction(force_rollback=True):
        there.execute("create unlogged table filler (page text storage plain)")
        there.execute(
            "insert into filler select repeat('x', 8000) from pg_settings, generate_series(1, setting::int) where name = 'shared_buffers'"
        )


def _use(database: str) -> None:
    # Other connections of this process (threads) have to be closed by whoever opened them.
    os.environ["EMBEDDED_DATABASE"] = database
    use_database(database)
