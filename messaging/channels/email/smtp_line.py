"""One non-blocking TCP line, plain or under TLS, that knows exactly which bytes have left.

"Left" means handed to the kernel: until the last byte of a message is handed over the other side cannot have
it whole, so losing the line before that is harmless, and losing it afterwards leaves the fate unknown.
"""

from __future__ import annotations

import socket
import ssl

READ_SIZE = 65_536


class Line:
    """A plain TCP line. `write` answers with a mark; the bytes up to it have left once `handed` reaches it.

    `waiting` are bytes for which the kernel has no room yet.
    """

    __slots__ = ("handed", "queued", "sock", "waiting")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.handed = 0
        self.queued = 0
        self.waiting = b""

    @classmethod
    def dial(cls, family: int, address: tuple[str, int]) -> Line:
        """Begin to connect; the line is open when it becomes writable."""
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.connect_ex(address)
        except OSError:
            sock.close()
            raise
        return cls(sock)

    def check_connected(self) -> None:
        """Raise if the connection attempt failed."""
        error = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, "could not connect")

    def write(self, data: bytes, rest: bytes = b"") -> int:
        """Queue bytes and hand over what the kernel takes; return the mark at the end of `data`."""
        mark = self.queued + len(data)
        self._send(data + rest)
        return mark

    def _send(self, data: bytes) -> None:
        self.queued += len(data)
        if self.waiting:
            self.waiting += data
        else:
            self.waiting = data[self._hand_over(data) :]

    def _hand_over(self, data: bytes) -> int:
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            return 0
        self.handed += sent
        return sent

    def flush(self) -> None:
        """Hand over what waits, as far as the kernel takes it."""
        if self.waiting:
            self.waiting = self.waiting[self._hand_over(self.waiting) :]

    def read(self) -> bytes | None:
        """Return bytes that arrived, b"" at the end of the stream, None if there is nothing now."""
        try:
            return self.sock.recv(READ_SIZE)
        except BlockingIOError:
            return None

    def close(self) -> None:
        """Close without a word: a message whose final dot has not left is dropped by the other side."""
        self.sock.close()


class TlsLine(Line):
    """The same under TLS. Records pass through memory, so the marks count the encrypted bytes."""

    __slots__ = ("_ended", "_inward", "_outward", "_tls", "secured")

    def __init__(self, line: Line, context: ssl.SSLContext, hostname: str) -> None:
        super().__init__(line.sock)
        self._inward = ssl.MemoryBIO()
        self._outward = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._inward, self._outward, server_hostname=hostname)
        self.secured = False
        self._ended = False

    def handshake(self) -> bool:
        """Take the handshake one step further; tell whether it is complete."""
        try:
            self._tls.do_handshake()
            self.secured = True
        except ssl.SSLWantReadError:
            pass
        finally:
            self._send_records()
        return self.secured

    def receive_handshake(self) -> bool:
        """Read what the other side sent during the handshake and go on with it."""
        data = super().read()
        if data == b"":
            raise ConnectionResetError("connection closed during the TLS handshake")
        if data:
            self._inward.write(data)
        return self.handshake()

    def _send_records(self) -> None:
        records = self._outward.read()
        if records:
            self._send(records)

    def write(self, data: bytes, rest: bytes = b"") -> int:
        """Encrypt and queue; `data` and `rest` become separate records, so that the mark lies between them."""
        self._encrypt(data)
        mark = self.queued + self._outward.pending
        if rest:
            self._encrypt(rest)
        self._send_records()
        return mark

    def _encrypt(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view) :]

    def read(self) -> bytes | None:
        """Return decrypted bytes that arrived, as `Line.read` does."""
        data = super().read()
        if not data and not self._inward.pending:
            return data
        if data:
            self._inward.write(data)
        plain = self._decrypt()
        self._send_records()
        if plain:
            return plain
        return b"" if self._ended or data == b"" else None

    def _decrypt(self) -> bytes:
        parts: list[bytes] = []
        while True:
            try:
                part = self._tls.read(READ_SIZE)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                part = b""
            if not part:
                self._ended = True
                break
            parts.append(part)
        return b"".join(parts)
