"""A campaign from launch to the last stored status, beside postfix's smtp-source into the same smtp-sink in the same minute.

Also under STARTTLS with AUTH beside a loop over smtplib into the same sink, and the sender's memory from 10,000 to
500,000 recipients.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from accounts.models import Organization
from benchmarks.database import benchmark_database, benchmark_organization
from benchmarks.machine import find_program
from benchmarks.mail_stage import Sent, fill, open_stage, send
from benchmarks.result import Result, measured

PEOPLE = {"small": 500, "full": 100_000}
SECURE_PEOPLE = {"small": 200, "full": 20_000}
MEMORY_PEOPLE = {"small": (), "full": (10_000, 500_000)}
LIMIT = 0.7
MEMORY_LIMIT_MB = 150.0
# In each of two senders. More than the reference's sessions: ours wait for a durable write before every body, which they
# share, postfix's wait for nothing.
CONNECTIONS = 128
MESSAGE_BYTES = 3_000
LOGIN = {"username": "bench", "password": "bench"}


def run(size: str) -> Result:
    """The reference runs before and after ours, half of its messages each time."""
    people = PEOPLE[size]
    with benchmark_database("send_email"), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        organization = benchmark_organization()
        fill(organization, people)
        with smtp_sink() as port:
            options: dict[str, object] = {"host": "127.0.0.1", "port": port, "security": "none", "hello_name": "bench.example"}
            before = _reference(port, people // 2)
            ours = _ours(organization, people, options, {}, folder)
            after = _reference(port, people // 2)
            memory = _memory(organization, MEMORY_PEOPLE[size], options, folder)
        secure = _secure(organization, SECURE_PEOPLE[size], folder)
    reference = people // 2 * 2 / (before + after)
    _hold_memory(memory)
    return measured(
        name="send_email", ours=ours.rate, reference=reference, unit="messages/s", higher_is_better=True, peak_mb=ours.peak_mb,
        rows=people, limit=LIMIT if size == "full" else None,
        notes=f"launch to last status stored, two senders with {CONNECTIONS} connections each; reference: smtp-source -d -s 16 -l {MESSAGE_BYTES}",
        extras={
            "seconds": ours.seconds,
            "plan_seconds": ours.plan_seconds,
            "sender_cpu_us": round(ours.sender_cpu_us, 1),
            "postgres_cpu_us": round(ours.postgres_cpu_us, 1),
            **secure,
            "memory_mb": {str(sent.people): round(sent.peak_mb, 1) for sent in memory},
            "memory_rates": {str(sent.people): round(sent.rate) for sent in memory},
        },
    )  # fmt: skip


def _ours(organization: Organization, people: int, options: dict[str, object], credentials: dict[str, str], folder: Path) -> Sent:
    dispatch = open_stage(organization, connections=CONNECTIONS, options=options, credentials=credentials)
    return send(organization, dispatch, people, folder)


def _reference(port: int, count: int) -> float:
    program = find_program("smtp-source")
    assert program is not None, "postfix is not on this machine"
    command = [program, "-d", "-s", "16", "-m", str(count), "-l", str(MESSAGE_BYTES), f"127.0.0.1:{port}"]
    started = time.perf_counter()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return time.perf_counter() - started


@contextmanager
def smtp_sink() -> Iterator[int]:
    """postfix's sink on a free port."""
    program = find_program("smtp-sink")
    assert program is not None, "postfix is not on this machine"
    port = _free_port()
    sink = subprocess.Popen([program, "-u", "nobody", f"127.0.0.1:{port}", "1000"], stdin=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield port
    finally:
        sink.kill()
        sink.wait()


def _memory(organization: Organization, sizes: tuple[int, ...], options: dict[str, object], folder: Path) -> list[Sent]:
    """The sender's peak for few and for many recipients, each in a fresh worker."""
    sent = []
    for people in sizes:
        fill(organization, people)
        sent.append(_ours(organization, people, options, {}, folder))
    return sent


def _hold_memory(memory: list[Sent]) -> None:
    for sent in memory:
        assert sent.peak_mb < MEMORY_LIMIT_MB, f"{sent.peak_mb:.0f} MB with {sent.people} recipients"
    if memory:
        growth = memory[-1].peak_mb / memory[0].peak_mb
        assert growth < 1.1, f"memory grew {growth:.2f} times from {memory[0].people} to {memory[-1].people} recipients"


def _secure(organization: Organization, people: int, folder: Path) -> dict[str, float]:
    """STARTTLS and AUTH, ours and a loop over smtplib, into the same sink."""
    with _tls_sink(folder) as port:
        trusted = str(folder / "trusted.pem")
        options: dict[str, object] = {
            "host": "127.0.0.1", "port": port, "security": "starttls", "hello_name": "bench.example", "ca_file": trusted,
        }  # fmt: skip
        reference = _smtplib_loop(port, trusted, people // 4)
        ours = _ours(organization, people, options, LOGIN, folder)
    return {"secure_ours": ours.rate, "secure_reference": reference, "secure_ratio": ours.rate / reference}


def _smtplib_loop(port: int, trusted: str, count: int) -> float:
    """Messages per second of the plain way: one session, one message after another."""
    body = b"Subject: Hello\r\nFrom: shop@saffron.example\r\n\r\n" + (b"x" * 74 + b"\r\n") * (MESSAGE_BYTES // 76)
    started = time.perf_counter()
    with smtplib.SMTP("127.0.0.1", port) as session:
        session.starttls(context=ssl.create_default_context(cafile=trusted))
        session.login(LOGIN["username"], LOGIN["password"])
        for number in range(count):
            session.sendmail("shop@saffron.example", f"person{number}@example.net", body)
    return count / (time.perf_counter() - started)


@contextmanager
def _tls_sink(folder: Path) -> Iterator[int]:
    command = [sys.executable, "-m", "benchmarks.tls_sink", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as sink:
        try:
            assert sink.stdout is not None
            yield int(sink.stdout.readline())
        finally:
            sink.kill()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError("smtp-sink did not start")
