"""The demo from its first line to its last, with few customers: real processes, real messages, every one counted."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from config.demo.business import PEOPLE
from config.processes import accepts

CUSTOMERS = "150"


def ports() -> dict[str, str]:
    probes = [socket.socket() for _ in range(3)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        numbers = [str(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
    return dict(zip(("PORT", "INBOX_PORT", "INBOX_SMTP_PORT"), numbers, strict=True))


def start(home: Path, chosen: dict[str, str], *options: str) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if name not in ("EMBEDDED_DATABASE", "DATABASE_URL", "REDIS_URL")}
    return subprocess.Popen(
        [sys.executable, "manage.py", "demo", "--customers", CUSTOMERS, *options],
        cwd=settings.BASE_DIR,
        env={**environment, **chosen, "REGULARS_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that the database's user may enter; every new run of pytest shuts its own folders to all others."""
    with tempfile.TemporaryDirectory(prefix="demo-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.slow
def test_it_shows_everything_counts_every_message_and_starts_again(home: Path) -> None:
    chosen = ports()
    first = start(home, chosen, "--exit")
    said, _nothing = first.communicate(timeout=240)
    assert first.returncode == 0, said
    assert "Every message is accounted for." in said
    planned, held = re.search(r"Planned ([\d,]+)", said), re.search(r"The inbox holds ([\d,]+)", said)
    sent = re.search(r"([\d,]+)  sent\n", said)
    assert planned
    assert held
    assert sent
    assert int(held[1]) == int(sent[1]) > 40
    assert all(person.email in said for person in PEOPLE)
    assert not any(accepts("127.0.0.1", int(port)) for port in chosen.values())

    second = start(home, chosen)
    deadline = time.monotonic() + 120
    while not accepts("127.0.0.1", int(chosen["PORT"])) and second.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    with urllib.request.urlopen(f"http://127.0.0.1:{chosen['PORT']}/admin/login/", timeout=60) as answer:
        assert answer.status == 200
    second.send_signal(signal.SIGINT)
    said, _nothing = second.communicate(timeout=60)
    assert second.returncode in (0, 130), said
    assert "Traceback" not in said
    assert not any(accepts("127.0.0.1", int(port)) for port in chosen.values())
