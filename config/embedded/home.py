"""Where the embedded servers keep their data, and the addresses that follow from it."""

import fcntl
import hashlib
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

DATABASE = "regulars"
OWNER_ROLE = "regulars_owner"
APPLICATION_ROLE = "regulars"
SUPERUSER_ROLE = "postgres"


class EmbeddedServerError(Exception):
    """An embedded server could not be started; the message says what to do."""


@dataclass(frozen=True, slots=True)
class EmbeddedHome:
    """One folder of embedded data; processes that share the folder share the servers."""

    folder: Path

    @classmethod
    def from_environment(cls, project: Path) -> "EmbeddedHome":
        """The folder named by ``REGULARS_HOME``, or ``.local`` in the project."""
        return cls(Path(os.environ.get("REGULARS_HOME") or project / ".local").resolve())

    @property
    def sockets(self) -> Path:
        """A short folder: the path of a unix socket may have 107 bytes at most."""
        digest = hashlib.sha256(str(self.folder).encode()).hexdigest()[:10]
        return Path(tempfile.gettempdir()) / f"regulars-{digest}"

    @property
    def postgres_data(self) -> Path:
        return self.folder / "postgres"

    @property
    def postgres_log(self) -> Path:
        return self.folder / "postgres" / "server.log"

    @property
    def postgres_socket(self) -> Path:
        return self.sockets / ".s.PGSQL.5432"

    @property
    def valkey_socket(self) -> Path:
        return self.sockets / "valkey.sock"

    @property
    def valkey_url(self) -> str:
        return f"unix://{self.valkey_socket}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one process at a time start or stop the servers of this home."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = (self.folder / "lock").open("w")
        except OSError as error:
            raise EmbeddedServerError(
                f"Cannot write to {self.folder}: {error.strerror}. Free some space or set REGULARS_HOME to another folder."
            ) from error
        with handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def answers(path: Path) -> bool:
    """Whether a server accepts connections at this unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
