"""The product's own processes (web server, worker, beat), started and stopped together on one machine.

In production a process manager does this from the ``Procfile``; here it is done for the demo and ``manage.py serve``.
"""

import contextlib
import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

START_SECONDS = 60.0
STOP_SECONDS = 15.0


class ProcessError(Exception):
    """A process could not be started or has ended; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Program:
    """A process to run: its command, and how to see that it is ready for work."""

    name: str
    command: Sequence[str]
    is_ready: Callable[[], bool] = lambda: True


@dataclass(slots=True)
class Processes:
    """Running programs, their logs in one folder; use it as a context manager, so that none outlives it."""

    logs: Path
    environment: dict[str, str] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self, *programs: Program) -> None:
        """Start programs side by side and wait until all are ready.

        Raises:
            ProcessError: one ended, or was not ready in time.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        for program in programs:
            self._launch(program)
        deadline = time.monotonic() + START_SECONDS
        for program in programs:
            while not program.is_ready():
                self.check()
                if time.monotonic() > deadline:
                    raise ProcessError(f"The {program.name} was not ready within {START_SECONDS:.0f} s; see {self.log(program.name)}.")
                time.sleep(0.05)

    def _launch(self, program: Program) -> None:
        with self.log(program.name).open("ab") as log:
            self.running[program.name] = subprocess.Popen(
                [*_ending_with_parent(), *program.command],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches us alone; we stop the others in order
            )

    def check(self) -> None:
        """Raise ProcessError if a program has ended by itself."""
        for name, process in self.running.items():
            if _has_ended(process):
                raise ProcessError(f"The {name} ended ({_last_line(self.log(name))}); see {self.log(name)}.")

    def watch(self) -> None:
        """Wait until Ctrl-C or SIGTERM; raise ProcessError if a program ends before."""
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                self.check()
                time.sleep(1)

    def stop(self) -> None:
        """End all programs, the last started first; what does not go in time is killed."""
        for process in reversed(self.running.values()):
            _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for process in self.running.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.running.clear()

    def log(self, name: str) -> Path:
        return self.logs / f"{name.replace(' ', '-')}.log"


def web_server(*, host: str, port: int, workers: int = 2, threads: int = 64) -> Program:
    """granian serving the product."""
    command = [
        *module("granian", "--interface", "wsgi", "--no-ws", "--host", host, "--port", str(port)),
        *("--workers", str(workers), "--blocking-threads", str(threads), "--respawn-failed-workers", "config.wsgi:application"),
    ]
    return Program("web server", command, lambda: accepts(host, port))


def worker(*, concurrency: int = 2, ready_file: Path, name: str = "worker", queues: str = "celery,imports") -> Program:
    """A Celery worker of some queues; ``config.celery`` touches the file when it is ready."""
    ready_file.unlink(missing_ok=True)
    command = [
        *celery("worker", "--concurrency", str(concurrency), "--loglevel", "WARNING"),
        *("--without-gossip", "--without-mingle", "--hostname", f"{ready_file.stem}@%h", "--queues", queues),
    ]
    return Program(name, ["env", f"WORKER_READY_FILE={ready_file}", *command], ready_file.exists)


def sender(*, concurrency: int = 2, ready_file: Path) -> Program:
    """The worker that does nothing but send, so that nothing waits behind a long campaign."""
    return worker(concurrency=concurrency, ready_file=ready_file, name="sender", queues="sending")


def beat() -> Program:
    """The one process that rings scheduled work; its timetable is in the database."""
    return Program("beat", celery("beat", "--pidfile=", "--loglevel", "WARNING", "--max-interval", "5"))


def product(*, host: str, port: int, folder: Path, concurrency: int = 2) -> list[Program]:
    """All processes of the product on one machine."""
    return [
        web_server(host=host, port=port),
        worker(concurrency=concurrency, ready_file=folder / "worker.ready"),
        sender(ready_file=folder / "sender.ready"),
        beat(),
    ]


def accepts(host: str, port: int) -> bool:
    """Whether something listens at the address."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def port_number(text: str, *, variable: str) -> int:
    """The port that a variable or an option names.

    Raises:
        ProcessError: it is none.
    """
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise ProcessError(f"{variable}={text} is no port; give a number from 1 to 65535.")
    return int(text)


def claim_port(host: str, port: int, *, variable: str) -> None:
    """See that a port is free.

    Raises:
        ProcessError: something else listens there; the message names the variable that chooses another.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            trouble = f"Port {port} is taken" if error.errno == errno.EADDRINUSE else f"Port {port} of {host} cannot be used"
            raise ProcessError(f"{trouble} ({error.strerror}); choose another with {variable}=<port>.") from error


def celery(*arguments: str) -> list[str]:
    """The command of a Celery process; what it would check at its start, the release has checked."""
    return module("celery", "--app", "config", "--skip-checks", *arguments)


def module(name: str, *arguments: str) -> list[str]:
    """The command that runs a Python module as this one is run."""
    return [sys.executable, "-m", name, *arguments]


def _ending_with_parent() -> Sequence[str]:
    """On Linux: what lets a killed parent take its children along, so that no port and no task is held by an orphan.

    A program of its own does it, since Python code between fork and exec can wait for ever for a lock of another thread.
    """
    found = shutil.which("setpriv") if sys.platform == "linux" else None
    return [found, "--pdeathsig", "TERM", "--"] if found else []


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    # Not poll(): interrupted by Ctrl-C it may never give its lock back, and whoever stops the process then waits for ever.
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(number)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1][:200] if lines else "it said nothing"
