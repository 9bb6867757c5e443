"""What goes wrong on a newcomer's machine is said in one line that tells what to do."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import ProgrammingError, connection

from config.embedded import start_embedded, stop_embedded
from config.embedded.home import EmbeddedHome, EmbeddedServerError
from config.processes import ProcessError, Processes, Program, claim_port
from config.servers import interruptible

ROOT = Path(settings.BASE_DIR)
Usage = namedtuple("Usage", "total used free")


def run(*command: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60, check=False)


def manage(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return run(sys.executable, "manage.py", *arguments, **variables)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_an_unreachable_database_is_named(tmp_path: Path) -> None:
    port = free_port()
    done = manage("migrate", DATABASE_URL=f"postgres://u:secret@127.0.0.1:{port}/shop", REGULARS_HOME=str(tmp_path))
    manage("stop_servers", REGULARS_HOME=str(tmp_path))  # its Valkey stays for the next command
    assert done.returncode == 1
    assert done.stderr == (
        f"Cannot reach the database of DATABASE_URL (127.0.0.1:{port}/shop): Connection refused. "
        "Start it, correct DATABASE_URL, or unset it to use the embedded PostgreSQL.\n"
    )


def test_the_health_names_what_could_not_be_reached() -> None:
    ports = {"database": free_port(), "broker": free_port()}
    done = manage(
        "check_health",
        DATABASE_URL=f"postgres://u:secret@127.0.0.1:{ports['database']}/shop",
        REDIS_URL=f"redis://:secret@127.0.0.1:{ports['broker']}/0",
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        f"FAIL  database    Cannot reach the database of DATABASE_URL (127.0.0.1:{ports['database']}/shop): Connection refused. "
        "Start it, correct DATABASE_URL, or unset it to use the embedded PostgreSQL.",
        f"FAIL  valkey      Cannot reach the broker of REDIS_URL (127.0.0.1:{ports['broker']}): "
        f"Error 111 connecting to 127.0.0.1:{ports['broker']}. Connection refused. "
        "Start it, correct REDIS_URL, or unset it to use the embedded Valkey.",
        "look  queue       The queue cannot be seen.",
        "look  beat        The schedule cannot be read.",
    ]


@pytest.mark.django_db
def test_the_health_names_an_owner_s_database_that_could_not_be_reached() -> None:
    here, port = connection.settings_dict, free_port()
    done = manage(
        "check_health",
        DATABASE_URL=f"postgres://{here['USER']}:{here['PASSWORD']}@{quote(here['HOST'], safe='')}:{here['PORT'] or 5432}/{here['NAME']}",
        DATABASE_OWNER_URL=f"postgres://owner:secret@127.0.0.1:{port}/shop",
        REDIS_URL=settings.REDIS_URL,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[-2:] == [
        f"FAIL  migrations  Cannot reach the database of DATABASE_OWNER_URL (127.0.0.1:{port}/shop): Connection refused. "
        "Start it, correct DATABASE_OWNER_URL, or unset it to use the role of DATABASE_URL.",
        "ok    wall",
    ]


@pytest.mark.parametrize("command", ["demo", "serve"])
def test_an_unreachable_broker_is_named_before_anything_waits_for_it(command: str, tmp_path: Path) -> None:
    ports = {name: str(free_port()) for name in ("PORT", "INBOX_PORT", "INBOX_SMTP_PORT")}
    broker = free_port()
    done = manage(command, REDIS_URL=f"redis://:secret@127.0.0.1:{broker}/0", REGULARS_HOME=str(tmp_path), **ports)
    assert done.returncode == 1
    assert done.stderr == (
        f"Cannot reach the broker of REDIS_URL (127.0.0.1:{broker}): Error 111 connecting to 127.0.0.1:{broker}. Connection refused. "
        "Start it, correct REDIS_URL, or unset it to use the embedded Valkey.\n"
    )


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("PRODUCTION", "1", "Set SECRET_KEY to a long random string (PRODUCTION is on)."),
        ("SENDING_WORKERS", "two", "SENDING_WORKERS cannot be read; write a number."),
        ("WEB_PAGE_THREADS", "many", "WEB_PAGE_THREADS cannot be read; write a number."),
        ("DATABASE_URL", "secret", "DATABASE_URL cannot be read; write it like postgres://role:password@host:5432/name."),
        ("DATABASE_URL", "mysql://u:secret@h/n", "DATABASE_URL cannot be read; write it like postgres://role:password@host:5432/name."),
        ("DATABASE_URL", "postgres://h:99999/n", "DATABASE_URL cannot be read; write it like postgres://role:password@host:5432/name."),
        ("REDIS_URL", "valkey:6379", "REDIS_URL cannot be read; write it like redis://host:6379/0."),
        ("REDIS_URL", "redis://valkey:port/0", "REDIS_URL cannot be read; write it like redis://host:6379/0."),
        ("EMAIL_URL", "mail.example", "EMAIL_URL cannot be read; write it like smtp+tls://user:password@host:587."),
        ("EMAIL_URL", "smtp://mail:port", "EMAIL_URL cannot be read; write it like smtp+tls://user:password@host:587."),
        ("LOG_LEVEL", "loud", "LOG_LEVEL cannot be read; write DEBUG, INFO, WARNING, ERROR or CRITICAL."),
    ],
)
def test_a_variable_that_cannot_be_read_is_named_with_what_to_write(variable: str, value: str, said: str, tmp_path: Path) -> None:
    done = manage("check_health", REGULARS_HOME=str(tmp_path), **{variable: value})
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{said}\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("port", ["abc", "0", "65536"])
@pytest.mark.parametrize("command", ["demo", "serve"])
def test_a_port_that_is_none_is_named(command: str, port: str, tmp_path: Path) -> None:
    done = manage(command, PORT=port, REGULARS_HOME=str(tmp_path))
    assert (done.returncode, done.stderr) == (1, f"CommandError: PORT={port} is no port; give a number from 1 to 65535.\n")


@pytest.mark.parametrize("command", ["demo", "serve"])
def test_a_taken_port_is_named_with_the_variable_that_chooses_another(command: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = manage(command, PORT=port, REGULARS_HOME=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == f"CommandError: Port {port} is taken (Address already in use); choose another with PORT=<port>.\n"


def test_a_port_that_nobody_may_use_is_not_called_taken() -> None:
    port = free_port()
    with pytest.raises(ProcessError) as raised:
        claim_port("203.0.113.7", port, variable="PORT")  # an address of no machine's
    assert (
        str(raised.value)
        == f"Port {port} of 203.0.113.7 cannot be used (Cannot assign requested address); choose another with PORT=<port>."
    )


def test_a_free_port_may_be_claimed() -> None:
    claim_port("127.0.0.1", free_port(), variable="PORT")


def test_no_disk_space_says_how_much_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**9, 10**9, 100 * 2**20))
    with pytest.raises(EmbeddedServerError) as raised:
        start_embedded(EmbeddedHome(tmp_path), postgres=True, valkey=False)
    assert str(raised.value) == (
        f"Only 100 MB are free under {tmp_path}; PostgreSQL needs 512 MB. Free some space or set REGULARS_HOME to a folder on another disk."
    )


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(EmbeddedServerError, match=r"^Cannot write to .*/file: .*set REGULARS_HOME to another folder\.$"):
        start_embedded(EmbeddedHome(tmp_path / "file"), postgres=True, valkey=False)


@pytest.mark.parametrize("command", ["check_health", "stop_servers"])
def test_a_home_that_cannot_be_written_is_one_line_of_every_command(command: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    done = manage(command, REGULARS_HOME=str(tmp_path / "file"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Cannot write to {tmp_path / 'file'}: File exists. Free some space or set REGULARS_HOME to another folder.\n"


def test_a_stale_lock_of_a_killed_database_does_not_stop_the_next_start(tmp_path: Path) -> None:
    home = EmbeddedHome(tmp_path)
    start_embedded(home, postgres=True, valkey=False)
    stop_embedded(home)
    # The id of a process that lives and is no PostgreSQL: what PostgreSQL itself would take for a running server.
    for lock in (home.postgres_data / "postmaster.pid", home.sockets / ".s.PGSQL.5432.lock"):
        lock.write_text(f"{os.getpid()}\n{home.postgres_data}\n")
    assert start_embedded(home, postgres=True, valkey=False)
    stop_embedded(home)


@pytest.mark.parametrize(("answer", "found"), [("echo Python 3.9.2", "Python 3.9.2"), ("", "none called {path}")])
def test_a_wrong_python_is_told_what_is_needed(answer: str, found: str, tmp_path: Path) -> None:
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n[ $1 = --version ] && {answer or 'exit 1'}\nexit 1\n")
    path.chmod(0o755)
    done = run("make", "venv", f"PYTHON={path}")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        f"Regulars needs Python 3.11 or newer; found: {found.format(path=path)}. "
        "Install it, or name one: make PYTHON=/path/to/python3.11 venv"
    )


def test_reset_deletes_the_demo_s_folder_and_never_one_that_is_named(tmp_path: Path) -> None:
    ours, named = tmp_path / ".local", tmp_path / "named"
    ours.mkdir()
    named.mkdir()
    reset = ("make", "--no-print-directory", "-f", str(ROOT / "Makefile"), "-C", str(tmp_path), "-o", "venv", "reset", "VENV_PYTHON=true")
    said = run(*reset, REGULARS_HOME=str(named)).stdout
    assert said == f"REGULARS_HOME is set: its servers are stopped, and nothing was deleted. Delete {named} yourself.\n"
    assert (ours.exists(), named.exists()) == (True, True)
    assert run(*reset, REGULARS_HOME="").stdout == "The data under .local is gone; make demo starts anew.\n"
    assert (ours.exists(), named.exists()) == (False, True)


def test_a_process_that_ends_is_reported_with_its_last_word(tmp_path: Path) -> None:
    program = Program("web server", [sys.executable, "-c", "raise SystemExit('no such module')"], lambda: False)
    with Processes(tmp_path) as processes, pytest.raises(ProcessError) as raised:
        processes.start(program)
    assert str(raised.value) == f"The web server ended (no such module); see {tmp_path}/web-server.log."


def test_processes_end_with_the_block(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        processes.start(Program("worker", ["sleep", "60"]))
        process = processes.running["worker"]
        processes.check()
    assert process.returncode == -15


def test_whenever_an_interrupt_comes_the_processes_are_stopped(tmp_path: Path) -> None:
    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGVTALRM, interrupt)
    try:
        with Processes(tmp_path) as processes:
            processes.start(Program("worker", ["sleep", "60"]))
            process = processes.running["worker"]
            for _round in range(150):
                with contextlib.suppress(KeyboardInterrupt):
                    signal.setitimer(signal.ITIMER_VIRTUAL, 0.0005)
                    while True:
                        processes.check()
    finally:
        signal.signal(signal.SIGVTALRM, before)
    assert process.returncode == -15


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_the_driver_says_of_an_interrupted_wait_is_the_interrupt(number: signal.Signals) -> None:
    def wait() -> None:
        try:
            signal.raise_signal(number)
        finally:
            raise ProgrammingError("connection in transaction status ACTIVE")

    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt) as raised, interruptible():
        wait()
    assert str(raised.value.__cause__) == "connection in transaction status ACTIVE"
    assert signal.getsignal(number) is before


def test_an_error_without_an_interrupt_stays_what_it_is() -> None:
    with pytest.raises(ProgrammingError, match=r"^no such table$"), interruptible():
        raise ProgrammingError("no such table")


def test_a_folder_of_somebody_else_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path, _mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(EmbeddedServerError) as raised:
        start_embedded(EmbeddedHome(tmp_path), postgres=True, valkey=False)
    assert str(raised.value) == (
        f"Cannot use {tmp_path / 'postgres'}: Operation not permitted. "
        "If another user made it, delete it or set REGULARS_HOME to another folder."
    )
