"""Writing hits: one round trip and one commit for a batch, of however many organizations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import connection

from accounts.postgresql.wall import ORGANIZATION_SETTING
from messaging.tracking.hits import Hit
from messaging.tracking.recorder import StoreAwayError

_ENTER = f"select set_config('{ORGANIZATION_SETTING}', %s, true)"
_INSERT = """
insert into messaging_trackinghit (organization_id, delivery_id, kind, at, machine, user_agent, link_index, address)
select %s, * from unnest(
    %s::bigint[], %s::text[], %s::timestamptz[], %s::text[], %s::text[], %s::smallint[], %s::text[]
)
"""
_CONNECTION_KEYS = (
    "dbname",
    "user",
    "password",
    "host",
    "port",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "options",
    "connect_timeout",
)


class HitStore:
    """Keeps a connection of its own, outside any request's transaction; opens it anew when it broke."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection | None = None

    def __call__(self, hits: Sequence[Hit]) -> None:
        """Commit the hits; a connection that turns out to be dead is replaced once.

        Raises:
            StoreAwayError: the database cannot be reached.
        """
        fresh = self._connection is None
        try:
            self._write(hits)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            self.close()
            if fresh:
                raise StoreAwayError(str(error).strip()) from error
            self(hits)

    def close(self) -> None:
        """Drop the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _write(self, hits: Sequence[Hit]) -> None:
        if self._connection is None:
            self._connection = psycopg.connect(**_parameters(), autocommit=True, prepare_threshold=1)
        with self._connection.pipeline(), self._connection.transaction():
            insert_hits(self._connection, hits)


def insert_hits(cursor: Any, hits: Sequence[Hit]) -> None:
    """Insert into each organization's scope; belongs inside a transaction."""
    for organization_id, group in _by_organization(hits).items():
        cursor.execute(_ENTER, [str(organization_id)])
        cursor.execute(_INSERT, [organization_id, *_columns(group)])


def _by_organization(hits: Sequence[Hit]) -> dict[int, list[Hit]]:
    groups: dict[int, list[Hit]] = defaultdict(list)
    for hit in hits:
        groups[hit.ref.organization_id].append(hit)
    return groups


def _columns(hits: Sequence[Hit]) -> list[list[Any]]:
    return [
        [hit.ref.delivery_id for hit in hits],
        [hit.kind for hit in hits],
        [hit.at for hit in hits],
        [hit.machine for hit in hits],
        [hit.user_agent for hit in hits],
        [hit.link_index for hit in hits],
        [hit.address for hit in hits],
    ]


def _parameters() -> dict[str, Any]:
    known = connection.get_connection_params()
    return {key: known[key] for key in _CONNECTION_KEYS if known.get(key) is not None}
