"""An SMTP server that takes everything under STARTTLS with AUTH and keeps nothing: the sink that postfix's is not.

python -m benchmarks.tls_sink FOLDER      prints its port; FOLDER gets trusted.pem
"""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from pathlib import Path

from tests.smtp_server import self_signed

_HELLO = b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
_ANSWERS = {
    b"MAIL": b"250 2.1.0 Ok\r\n", b"RCPT": b"250 2.1.5 Ok\r\n", b"RSET": b"250 2.0.0 Ok\r\n", b"AUTH": b"235 2.7.0 Ok\r\n",
}  # fmt: skip


def main() -> None:
    """Serve until killed."""
    context, _ = self_signed(Path(sys.argv[1]))
    listener = socket.create_server(("127.0.0.1", 0), backlog=200)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    while True:
        line, _ = listener.accept()
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_serve, args=(line, context), daemon=True).start()


def _serve(line: socket.socket, context: ssl.SSLContext) -> None:
    try:
        line.sendall(b"220 sink\r\n")
        _until_starttls(line)
        with context.wrap_socket(line, server_side=True) as secured:
            _take_all(secured)
    except (OSError, ValueError):
        line.close()


def _until_starttls(line: socket.socket) -> None:
    while True:
        command = line.recv(4096)
        if not command:
            raise ConnectionResetError
        if command.upper().startswith(b"STARTTLS"):
            line.sendall(b"220 go\r\n")
            return
        line.sendall(_HELLO + b"250 STARTTLS\r\n")


def _take_all(line: ssl.SSLSocket) -> None:
    """Answer commands as they come; between DATA and the lone dot nothing is looked at."""
    waiting, in_body = b"", False
    while data := line.recv(65_536):
        waiting += data
        answers: list[bytes] = []
        while True:
            end = waiting.find(b"\r\n.\r\n" if in_body else b"\r\n")
            if end < 0:
                break
            command, waiting = waiting[:end], waiting[end + (5 if in_body else 2) :]
            if in_body:
                in_body = False
                answers.append(b"250 2.0.0 Ok\r\n")
            elif command[:4].upper() == b"DATA":
                in_body = True
                answers.append(b"354 Go\r\n")
            elif command[:4].upper() == b"EHLO":
                answers.append(_HELLO + b"250 AUTH PLAIN\r\n")
            elif command[:4].upper() == b"QUIT":
                line.sendall(b"".join(answers) + b"221 Bye\r\n")
                return
            else:
                answers.append(_ANSWERS.get(command[:4].upper(), b"500 What\r\n"))
        if answers:
            line.sendall(b"".join(answers))


if __name__ == "__main__":
    main()
