"""Requests as fast as a web server answers them: by wrk where it is installed, else by sockets of our own."""

import re
import selectors
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
_LUA = """
local paths = {}
for line in io.lines("%s") do paths[#paths + 1] = line end
local headers = { ["User-Agent"] = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15" }
local position = 0
request = function()
  position = position %% #paths + 1
  return wrk.format("GET", paths[position], headers)
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What a run of requests saw; times in milliseconds."""

    per_second: float
    requests: int
    p50: float
    p99: float
    failed: int
    program: str


def load_web(port: int, paths: Sequence[str], folder: Path, *, seconds: float, connections: int) -> Load:
    """Ask for the paths in turn, over and over, on this many connections."""
    listed = folder / "paths.txt"
    listed.write_text("\n".join(paths))
    if shutil.which("wrk"):
        return _by_wrk(port, listed, folder, seconds=seconds, connections=connections)
    return _by_sockets(port, paths, seconds=seconds, connections=connections)


def _by_wrk(port: int, listed: Path, folder: Path, *, seconds: float, connections: int) -> Load:
    script = folder / "paths.lua"
    script.write_text(_LUA % listed)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--latency", "-s", str(script), f"http://127.0.0.1:{port}"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    return Load(
        per_second=float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]),  # type: ignore[index]  # wrk always says so
        requests=int(re.search(r"(\d+) requests in", said)[1]),  # type: ignore[index]
        p50=_milliseconds(said, "50%"),
        p99=_milliseconds(said, "99%"),
        failed=sum(map(int, errors.groups())) if errors else 0 + (int(refused[1]) if refused else 0),
        program="wrk",
    )


def _milliseconds(said: str, share: str) -> float:
    match = re.search(rf"{share}\s+([\d.]+)(us|ms|s|m)\b", said)
    return float(match[1]) * _UNITS[match[2]] if match else 0.0


class _Connection:
    """One keep-alive connection with one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.asked_at = 0.0
        self.seen = b""

    def ask(self, path: str) -> None:
        self.asked_at, self.seen = time.perf_counter(), b""
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Mozilla/5.0 (iPhone)\r\n\r\n".encode())

    def is_answered(self) -> bool:
        self.seen += self.socket.recv(65_536)
        head, found, body = self.seen.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        return bool(found) and len(body) >= (int(length[1]) if length else 0)


def _by_sockets(port: int, paths: Sequence[str], *, seconds: float, connections: int) -> Load:
    selector = selectors.DefaultSelector()
    position, failed = 0, 0
    times: list[float] = []
    for _ in range(connections):
        connection = _Connection(port)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.ask(paths[position % len(paths)])
        position += 1
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        for key, _events in selector.select(timeout=1):
            connection = key.data
            if not connection.is_answered():
                continue
            times.append((time.perf_counter() - connection.asked_at) * 1000)
            failed += not connection.seen.startswith((b"HTTP/1.1 2", b"HTTP/1.1 3"))
            connection.ask(paths[position % len(paths)])
            position += 1
    elapsed = time.perf_counter() - started
    for key in list(selector.get_map().values()):
        key.data.socket.close()
    times.sort()
    share = len(times) / 100
    return Load(len(times) / elapsed, len(times), times[int(share * 50)], times[int(share * 99)], failed, "sockets of our own")
