"""Statements that PostgreSQL plans once per connection, for the few that run thousands of times a second."""

import sys
from collections.abc import Mapping
from typing import Any, Final

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg.types.numeric import Int8Dumper

Row = tuple[Any, ...]
Rows = psycopg.Cursor[Row]
_NEVER_BY_ITSELF: Final = sys.maxsize


def run_prepared(statement: str, parameters: Mapping[str, Any]) -> Rows:
    """Run a statement with ``%(name)s`` placeholders."""
    database = connections[DEFAULT_DB_ALIAS]
    database.ensure_connection()
    driver: psycopg.Connection[Row] = database.connection
    if driver.prepare_threshold is None:
        driver.prepare_threshold = _NEVER_BY_ITSELF
        # One type for all integers: a statement is planned anew for every combination of types.
        driver.adapters.register_dumper(int, Int8Dumper)
    if database.queries_logged:
        database.queries_log.append({"sql": statement, "time": "0"})
    with database.wrap_database_errors:
        return psycopg.Cursor(driver).execute(statement.encode(), parameters, prepare=True)
