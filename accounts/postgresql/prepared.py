"""Statements that PostgreSQL plans once per connection, for the few that run thousands of times a second."""

import sys
from collections.abc import Mapping
from typing import Any, Final

import psycopg
from django.db import connection
from psycopg.types.numeric import Int8Dumper

Row = tuple[Any, ...]
Rows = psycopg.Cursor[Row]
_NEVER_BY_ITSELF: Final = sys.maxsize


def run_prepared(statement: str, parameters: Mapping[str, Any]) -> Rows:
    """Run a statement with ``%(name)s`` placeholders."""
    with connection.wrap_database_errors:
        cursor = psycopg.Cursor(_driver())
        return cursor.execute(statement.encode(), parameters, prepare=True)


def _driver() -> psycopg.Connection[Row]:
    connection.ensure_connection()
    driver: psycopg.Connection[Row] = connection.connection
    if driver.prepare_threshold is None:
        driver.prepare_threshold = _NEVER_BY_ITSELF
        # One type for all integers: a statement is planned anew for every combination of types.
        driver.adapters.register_dumper(int, Int8Dumper)
    return driver
