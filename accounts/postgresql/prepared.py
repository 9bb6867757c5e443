"""Statements that run thousands of times a second: given to libpq directly, and planned once per connection.

What Django and psycopg do around a statement costs more than the statement; nothing here passes through a cursor.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import NoneType
from typing import Any, Final
from weakref import WeakKeyDictionary

import psycopg
from django.db import DEFAULT_DB_ALIAS, DataError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import TransactionManagementError
from psycopg import pq
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result

Row = tuple[Any, ...]
Driver = psycopg.Connection[Row]
_PLACEHOLDER: Final = re.compile(r"%\((\w+)\)s")
_prepared: WeakKeyDictionary[Driver, dict[str, bytes]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows that a statement returned, and how many it returned or wrote; read like a cursor."""

    rows: list[Row]
    rowcount: int

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def fetchone(self) -> Row | None:
        """The first row."""
        return self.rows[0] if self.rows else None

    def fetchall(self) -> list[Row]:
        """All rows."""
        return self.rows


def run_prepared(statement: str, parameters: Mapping[str, Any]) -> Answer:
    """Run a statement with ``%(name)s`` placeholders in the transaction that is open; where they stand tells their types."""
    text, names = _numbered(statement)
    values: list[Any] = [_text(parameters[name]) for name in names]  # the driver's types forget that a value may be None
    database = _database(statement)
    with database.wrap_database_errors:
        driver: Driver = database.connection
        if driver.pgconn.transaction_status == pq.TransactionStatus.IDLE:
            raise TransactionManagementError("there is no transaction that the statement would be part of")
        known = _prepared.setdefault(driver, {})
        if statement not in known:
            name = b"direct_%d" % len(known)
            _check(driver, driver.pgconn.prepare(name, text))
            known[statement] = name
        return _answer(_check(driver, driver.pgconn.exec_prepared(known[statement], values)))


def run_command(command: str) -> None:
    """Run a command that takes no parameters and returns nothing."""
    database = _database(command)
    with database.wrap_database_errors:
        driver: Driver = database.connection
        # psycopg would begin the transaction by a message of its own before its first statement.
        begins = not driver.autocommit and driver.pgconn.transaction_status == pq.TransactionStatus.IDLE
        _check(driver, driver.pgconn.exec_(("begin; " + command if begins else command).encode()))


def _database(statement: str) -> BaseDatabaseWrapper:
    database = connections[DEFAULT_DB_ALIAS]
    database.ensure_connection()
    if database.queries_logged:
        database.queries_log.append({"sql": statement, "time": "0"})
    return database


def quoted(text: str) -> str:
    """A string constant for ``run_command``."""
    return "'{}'".format(text.replace("'", "''"))


@cache
def _numbered(statement: str) -> tuple[bytes, tuple[str, ...]]:
    """The statement as PostgreSQL takes it, and the names of its parameters in the order of their numbers."""
    numbers: dict[str, int] = {}
    text = _PLACEHOLDER.sub(lambda found: f"${numbers.setdefault(found[1], len(numbers) + 1)}", statement)
    return text.encode(), tuple(numbers)


def _check(driver: Driver, result: pq.abc.PGresult) -> pq.abc.PGresult:
    if result.status in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK):
        return result
    if driver.pgconn.status == pq.ConnStatus.BAD:
        raise psycopg.OperationalError(result.get_error_message())
    raise error_from_result(result)


def _answer(result: pq.abc.PGresult) -> Answer:
    reader = Transformer()
    reader.set_pgresult(result)
    return Answer(reader.load_rows(0, result.ntuples, tuple), result.command_tuples or 0)


def _text(value: object) -> bytes | None:
    """A value in PostgreSQL's text form."""
    form = _FORMS.get(type(value)) or next((form for kind, form in _FORMS.items() if isinstance(value, kind)), None)
    if form is None:
        raise TypeError(f"{type(value).__name__} has no text form here")
    return form(value)


def _text_of_str(value: str) -> bytes:
    if "\0" in value:
        raise DataError("text cannot hold the character NUL")
    return value.encode()


def _text_of_list(values: Sequence[object]) -> bytes:
    return b"{%b}" % b",".join([_element(text) if (text := _text(value)) is not None else b"NULL" for value in values])


def _element(text: bytes) -> bytes:
    return text if text.isdigit() else b'"%b"' % text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


_FORMS: Final[dict[type, Callable[[Any], bytes | None]]] = {
    NoneType: lambda _value: None,
    str: _text_of_str,
    int: b"%d".__mod__,
    datetime: lambda value: value.isoformat().encode(),
    bytes: lambda value: b"\\x" + value.hex().encode(),
    dict: lambda value: json.dumps(value).encode(),
    list: _text_of_list,
}
