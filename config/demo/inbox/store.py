"""The messages that arrived, in one SQLite file that other processes may read meanwhile."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

TABLE = """
create table if not exists message (
    id integer primary key, received_at text not null default (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    sender text not null, recipient text not null, message_id text not null, subject text not null, source blob not null
);
create index if not exists message_recipient on message (recipient);
create index if not exists message_message_id on message (message_id);
"""
PAGE = 50
TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as it arrived; ``source`` is every byte of it, empty in lists."""

    id: int
    received_at: str
    sender: str
    recipient: str
    message_id: str
    subject: str
    source: bytes = b""


class Store:
    """Opens the file, creating it where needed; every method may be called from any thread or process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = self._connect()
        self._writer.executescript(TABLE)

    def add(self, sender: str, recipient: str, message_id: str, subject: str, source: bytes) -> None:
        """Keep a message; it is in the file when this returns."""
        self._writer.execute(
            "insert into message (sender, recipient, message_id, subject, source) values (?, ?, ?, ?, ?)",
            (sender, recipient, message_id, subject, source),
        )

    def count(self, search: str = "") -> int:
        """How many messages there are whose address or subject holds the search."""
        query = "select count(*) from message where recipient like ? or subject like ?"
        with closing(self._connect()) as connection:
            return int(connection.execute(query, [f"%{search}%"] * 2).fetchone()[0])

    def newest(self, search: str = "", *, page: int = 1) -> list[StoredMessage]:
        """A page of messages without their sources, the newest first."""
        query = (
            "select id, received_at, sender, recipient, message_id, subject from message"
            " where recipient like ? or subject like ? order by id desc limit ? offset ?"
        )
        with closing(self._connect()) as connection:
            rows = connection.execute(query, (f"%{search}%", f"%{search}%", PAGE, (page - 1) * PAGE))
            return [StoredMessage(*row) for row in rows]

    def get(self, message_id: int) -> StoredMessage | None:
        """One message with its source."""
        with closing(self._connect()) as connection:
            row = connection.execute(
                "select id, received_at, sender, recipient, message_id, subject, source from message where id = ?", (message_id,)
            ).fetchone()
        return StoredMessage(*row) if row else None

    def after(self, last_id: int, *, arrived_by: datetime | None = None, limit: int = 1_000) -> list[StoredMessage]:
        """Messages that arrived after the one with this id, the oldest first."""
        query = (
            "select id, received_at, sender, recipient, message_id, subject, source from message"
            " where id > ? and received_at <= ? order by id limit ?"
        )
        latest = arrived_by.astimezone(UTC).strftime(TIME) if arrived_by else "9999"
        with closing(self._connect()) as connection:
            return [StoredMessage(*row) for row in connection.execute(query, (last_id, latest, limit))]

    def message_ids(self) -> list[str]:
        """The Message-ID of every message, one entry per copy that arrived."""
        with closing(self._connect()) as connection:
            return [message_id for (message_id,) in connection.execute("select message_id from message")]

    def close(self) -> None:
        """Let the file go."""
        self._writer.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, timeout=30, check_same_thread=False)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = off")  # it outlives a killed process, and need not outlive a power cut
        return connection
