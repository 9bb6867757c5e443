"""The receiving end of SMTP, as much of RFC 5321 as a sender needs, with PIPELINING (RFC 2920).

An address that begins with ``gone.`` does not exist here, so that the demo shows what a failed message looks like.
"""

import asyncio
import email
import email.policy
import re
from email.message import Message

from config.demo.inbox.store import Store

MAX_BYTES = 20 * 1024 * 1024
ADDRESS = re.compile(rb"<([^<>]*)>")
REPLIES = {b"NOOP": b"250 OK", b"RSET": b"250 OK", b"VRFY": b"252 Send it and see"}


class Session(asyncio.Protocol):
    """One connection. Commands may come many at a time; they are answered in their order."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.buffer = bytearray()
        self.in_data = False
        self.forget()

    def forget(self) -> None:
        self.sender: str | None = None
        self.recipients: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.reply(b"220 inbox ready")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if len(self.buffer) > MAX_BYTES:
            self.reply(b"552 That is too much")
            self.transport.close()
            return
        while self.take_body() if self.in_data else self.take_command():
            pass

    def take_command(self) -> bool:
        """Answer the first whole line of the buffer; whether there was one."""
        line, found, rest = self.buffer.partition(b"\r\n")
        if not found:
            return False
        self.buffer = rest
        verb, _, argument = bytes(line).partition(b" ")
        self.command(verb.upper(), argument)
        return not self.transport.is_closing()

    def command(self, verb: bytes, argument: bytes) -> None:
        match verb:
            case b"EHLO":
                self.reply(b"250-inbox", b"250-PIPELINING", b"250-8BITMIME", b"250-SMTPUTF8", b"250 SIZE %d" % MAX_BYTES)
            case b"HELO":
                self.reply(b"250 inbox")
            case b"MAIL":
                self.forget()
                self.sender = address_in(argument)
                self.reply(b"501 Say MAIL FROM:<address>" if self.sender is None else b"250 OK")
            case b"RCPT":
                self.recipient(address_in(argument))
            case b"DATA":
                self.in_data = bool(self.recipients)
                self.reply(b"354 Go on" if self.in_data else b"554 No recipient was accepted")
            case b"QUIT":
                self.reply(b"221 Goodbye")
                self.transport.close()
            case _:
                self.reply(REPLIES.get(verb, b"502 Unknown command"))

    def recipient(self, address: str | None) -> None:
        if self.sender is None or not address:
            self.reply(b"503 Say MAIL FROM first" if address else b"501 Say RCPT TO:<address>")
        elif address.startswith("gone."):
            self.reply(b"550 5.1.1 There is no such mailbox here")
        else:
            self.recipients.append(address)
            self.reply(b"250 OK")

    def take_body(self) -> bool:
        """Keep the message if the buffer holds all of it; whether it did."""
        if self.buffer.startswith(b".\r\n"):
            body, self.buffer = b"", self.buffer[3:]
        else:
            raw, found, rest = self.buffer.partition(b"\r\n.\r\n")
            if not found:
                return False
            body, self.buffer = bytes(raw) + b"\r\n", rest
        source = body.replace(b"\r\n..", b"\r\n.")
        headers = email.message_from_bytes(source.partition(b"\r\n\r\n")[0], policy=email.policy.default)
        for recipient in self.recipients:
            self.store.add(self.sender or "", recipient, header(headers, "Message-ID"), header(headers, "Subject"), source)
        self.in_data = False
        self.forget()
        self.reply(b"250 Kept")
        return True

    def reply(self, *lines: bytes) -> None:
        self.transport.write(b"".join(line + b"\r\n" for line in lines))


def header(message: Message, name: str) -> str:
    """A header as readable text."""
    return str(message.get(name, "")).strip()


def address_in(argument: bytes) -> str | None:
    """The address between angle brackets, empty for the null sender; ``None`` when there are none."""
    found = ADDRESS.search(argument)
    return found[1].decode("utf-8", "replace").lower() if found else None


async def serve_smtp(store: Store, *, host: str, port: int) -> None:
    """Take mail until cancelled."""
    server = await asyncio.get_running_loop().create_server(lambda: Session(store), host, port, backlog=200)
    async with server:
        await server.serve_forever()
