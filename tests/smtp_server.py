"""A scriptable SMTP server on loopback, with real sockets, for everything a real one may do to us."""

from __future__ import annotations

import asyncio
import base64
import datetime
import ipaddress
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DROP = "drop the connection"
SILENCE = "never answer"


@dataclass(frozen=True)
class Mail:
    """One message the server took, dots unstuffed."""

    sender: str
    recipient: str
    body: bytes
    options: str = ""


Answer = Callable[[str], str | None]


def _agree(_: str) -> str | None:
    return None


@dataclass
class Script:
    """How the server behaves. An answer of None means yes; DROP closes the line, SILENCE never answers."""

    extensions: list[str] = field(default_factory=lambda: ["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"])
    greeting: Callable[[int], str] = lambda number: "220 test ready"
    on_mail: Answer = _agree
    on_rcpt: Answer = _agree
    on_data: Answer = _agree
    on_body: Answer = _agree
    tls: ssl.SSLContext | None = None
    implicit_tls: bool = False
    login: tuple[str, str] | None = None
    body_delay: float | Callable[[], float] = 0.0
    lines_before_drop: Callable[[str], int | None] = lambda recipient: None
    after_starttls: bytes = b""


class SmtpServer:
    """The running server and what it has seen."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.port = 0
        self.mails: list[Mail] = []
        self.commands: list[str] = []
        self.connections = 0
        self.open_connections = 0
        self.most_open = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._ready = threading.Event()

    def recipients(self) -> Counter[str]:
        """How often each address got a message."""
        return Counter(mail.recipient for mail in self.mails)

    def start(self) -> None:
        self._thread.start()
        self._ready.wait(5)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        tls = self.script.tls if self.script.implicit_tls else None
        serving = asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=tls, backlog=500)
        server = self._loop.run_until_complete(serving)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_connections += 1
        self.most_open = max(self.most_open, self.open_connections)
        try:
            await Session(self, reader, writer, self.connections).run()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            self.open_connections -= 1
            writer.transport.abort()


class Dropped(Exception):  # noqa: N818 - no error: the script says so
    """The script wants the line closed."""


class Hung(Exception):  # noqa: N818 - no error: the script says so
    """The script wants the line to stay open and mute."""


class Session:
    """One connection to the server."""

    def __init__(self, server: SmtpServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.server = server
        self.script = server.script
        self.reader = reader
        self.writer = writer
        self.number = number
        self.sender: str | None = None
        self.recipient = ""
        self.options = ""
        self.is_secure = self.script.implicit_tls

    async def run(self) -> None:
        try:
            greeting = self.script.greeting(self.number)
            self.say(greeting)
            if not greeting.startswith("220"):
                return
            while line := await self.reader.readline():
                command = line.decode("utf-8").rstrip("\r\n")
                self.server.commands.append(command)
                if not await self.obey(command):
                    return
        except Dropped:
            return
        except Hung:
            await asyncio.sleep(3600)

    def say(self, text: str) -> None:
        if text == DROP:
            raise Dropped
        if text == SILENCE:
            raise Hung
        self.writer.write(text.encode() + b"\r\n")

    async def obey(self, command: str) -> bool:
        verb = command.upper().split(" ")[0].split(":")[0]
        match verb:
            case "EHLO":
                self.hello()
            case "STARTTLS":
                await self.secure()
            case "AUTH":
                await self.authenticate(command)
            case "MAIL":
                self.mail(command)
            case "RCPT":
                self.recipient = command.partition("<")[2].partition(">")[0]
                self.say(self.script.on_rcpt(self.recipient) or "250 2.1.5 Ok")
            case "DATA":
                await self.data()
            case "RSET":
                self.sender = None
                self.say("250 2.0.0 Ok")
            case "QUIT":
                self.say("221 2.0.0 Bye")
                await self.writer.drain()
                return False
            case _:
                self.say("500 5.5.2 What?")
        return True

    def hello(self) -> None:
        extensions = list(self.script.extensions)
        if self.script.tls is not None and not self.is_secure:
            extensions.append("STARTTLS")
        lines = ["test", *extensions]
        for line in lines[:-1]:
            self.say(f"250-{line}")
        self.say(f"250 {lines[-1]}")

    async def secure(self) -> None:
        assert self.script.tls is not None
        self.writer.write(b"220 go ahead\r\n" + self.script.after_starttls)
        await self.writer.start_tls(self.script.tls)
        self.is_secure = True

    async def authenticate(self, command: str) -> None:
        words = command.split(" ")
        if words[1] == "PLAIN":
            _, user, password = base64.b64decode(words[2]).decode().split("\0")
        else:
            self.say("334 VXNlcm5hbWU6")
            user = base64.b64decode(await self.reader.readline()).decode()
            self.say("334 UGFzc3dvcmQ6")
            password = base64.b64decode(await self.reader.readline()).decode()
        right = (user, password) == self.script.login
        self.say("235 2.7.0 Welcome" if right else "535 5.7.8 Wrong password")

    def mail(self, command: str) -> None:
        if self.sender is not None:
            self.say("503 5.5.1 Nested MAIL")
            return
        sender, _, options = command.partition("<")[2].partition(">")
        answer = self.script.on_mail(sender)
        if answer is None:
            self.sender, self.recipient, self.options = sender, "", options.strip()
        self.say(answer or "250 2.1.0 Ok")

    async def data(self) -> None:
        refused = self.script.on_rcpt(self.recipient) is not None
        answer = self.script.on_data(self.recipient)
        if answer is None and (self.sender is None or refused):
            answer = "503 5.5.1 No recipients"
        self.say(answer or "354 Go on")
        if answer is None or answer.startswith("354"):
            await self.body()

    async def body(self) -> None:
        lines: list[bytes] = []
        limit = self.script.lines_before_drop(self.recipient)
        while (line := await self.reader.readline()) != b".\r\n":
            if not line:
                raise Dropped
            if limit is not None and len(lines) >= limit:
                raise Dropped
            lines.append(line[1:] if line.startswith(b".") else line)
        delay = self.script.body_delay
        if seconds := delay() if callable(delay) else delay:
            await asyncio.sleep(seconds)
        answer = self.script.on_body(self.recipient)
        mail = Mail(self.sender or "", self.recipient, b"".join(lines), self.options)
        self.sender = None
        if answer is None or (answer == DROP and mail.body):
            self.server.mails.append(mail)
        self.say(answer or "250 2.0.0 Ok: queued")


@contextmanager
def smtp_server(script: Script | None = None, *, port: int = 0) -> Iterator[SmtpServer]:
    """Run a server until the block ends."""
    server = SmtpServer(script or Script())
    server.port = port
    server.start()
    try:
        yield server
    finally:
        server.stop()


def self_signed(folder: Path, host: str = "127.0.0.1") -> tuple[ssl.SSLContext, Path]:
    """A server's TLS context for loopback, and the file a client trusts it by."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = certificate.public_bytes(serialization.Encoding.PEM)
    pem.write_bytes(private + public)
    trusted = folder / "trusted.pem"
    trusted.write_bytes(public)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context, trusted
