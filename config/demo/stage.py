"""Where the demo stands: its addresses, its folder, and the lock that keeps two of them apart."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from config.processes import ProcessError, Program, accepts, claim_port, module, port_number

HOST = "127.0.0.1"
# Of everybody who logs in; printed, and good for nothing but a demo on loopback.
PASSWORD = "saffron-demo-2026"  # noqa: S105 - it is no secret


@dataclass(frozen=True, slots=True)
class Stage:
    """Ports and folder of one demo."""

    folder: Path
    port: int
    inbox_port: int
    smtp_port: int

    @classmethod
    def from_environment(cls, folder: Path) -> "Stage":
        """Ports from PORT, INBOX_PORT and INBOX_SMTP_PORT."""
        return cls(folder, _port("PORT", 8000), _port("INBOX_PORT", 8025), _port("INBOX_SMTP_PORT", 2525))

    @property
    def address(self) -> str:
        """Where the product serves."""
        return f"http://{HOST}:{self.port}"

    @property
    def inbox_address(self) -> str:
        return f"http://{HOST}:{self.inbox_port}"

    @property
    def inbox_file(self) -> Path:
        return self.folder / "inbox.sqlite"

    @property
    def key_file(self) -> Path:
        """The till's API key: shown once by the product, so the demo writes it down."""
        return self.folder / "api_key"

    def claim_ports(self) -> None:
        """Raise ProcessError if one of the ports is taken."""
        for port, variable in ((self.port, "PORT"), (self.inbox_port, "INBOX_PORT"), (self.smtp_port, "INBOX_SMTP_PORT")):
            claim_port(HOST, port, variable=variable)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the demo's lock; the kernel lets it go when the process ends, however it ends.

        Raises:
            ProcessError: another demo runs on the same folder.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = (self.folder / "demo.lock").open("a+")
        except OSError as error:
            raise ProcessError(f"Cannot write to {self.folder}: {error.strerror}. Set REGULARS_HOME to another folder.") from error
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                handle.seek(0)
                owner = handle.read().strip() or "unknown"
                raise ProcessError(f"The demo runs already (process {owner}). End it with Ctrl-C, or set REGULARS_HOME.") from error
            handle.truncate(0)
            handle.write(str(os.getpid()))
            handle.flush()
            yield


def inbox(stage: Stage) -> Program:
    """The local inbox as a process."""
    ports = ["--smtp-port", str(stage.smtp_port), "--page-port", str(stage.inbox_port)]
    command = [*module("config.demo.inbox"), *ports, "--file", str(stage.inbox_file)]
    return Program("inbox", command, lambda: accepts(HOST, stage.smtp_port) and accepts(HOST, stage.inbox_port))


def _port(variable: str, default: int) -> int:
    return port_number(os.environ.get(variable) or str(default), variable=variable)
