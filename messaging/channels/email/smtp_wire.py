"""What SMTP looks like on the wire (RFC 5321, 1869, 2034, 2920, 4954, 6152, 6531). No sockets, no clock."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

import idna

LONGEST_REPLY = 65_536
_ENHANCED = re.compile(rb"^([245]\.\d{1,3}\.\d{1,3})(?:\s|$)")
_UNSAFE = re.compile(r"[\x00-\x20\x7f<>]")
_ALL_WELL = re.compile(rb"(?:2\d\d [^\n]*\n){3}354 [^\n]*\n")
_STRAY_NEWLINE = re.compile(rb"\r\n|\r|\n")


class WireError(Exception):
    """The other side does not speak SMTP."""


class AddressRefusedError(Exception):
    """This address cannot be written into an SMTP command."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One complete reply: its code, its enhanced status if any, and its text."""

    code: int
    text: str
    enhanced: str = ""

    @classmethod
    def parse(cls, raw: bytes) -> Reply:
        """Read a reply as `ReplyReader` yields it, all lines joined by newlines."""
        lines = [line[4:].strip() for line in raw.split(b"\n")]
        match = _ENHANCED.match(lines[0])
        text = " ".join(line.decode("utf-8", "replace") for line in lines if line)
        return cls(int(raw[:3]), text[:500], match.group(1).decode() if match else "")


def is_all_well(data: bytes) -> bool:
    """Tell whether these are the four answers of a pipelined message that went well, and nothing else."""
    return _ALL_WELL.fullmatch(data) is not None


class ReplyReader:
    """Cuts a byte stream into replies. A reply stays bytes until somebody needs its words."""

    __slots__ = ("_lines", "_size", "_tail")

    def __init__(self) -> None:
        self._tail = b""
        self._lines: list[bytes] = []
        self._size = 0

    @property
    def pending(self) -> bool:
        """Tell whether part of a reply has arrived."""
        return bool(self._tail or self._lines)

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes in, give the replies they complete."""
        if self._tail:
            data = self._tail + data
        lines = data.split(b"\n")
        self._tail = lines.pop()
        if len(self._tail) > LONGEST_REPLY:
            raise WireError("reply line too long")
        replies: list[bytes] = []
        for line in lines:
            if not line[:3].isdigit():
                raise WireError(f"not a reply: {line[:80]!r}")
            if line[3:4] == b"-":
                self._hold(line)
            elif self._lines:
                replies.append(b"\n".join([*self._lines, line]))
                self._lines, self._size = [], 0
            else:
                replies.append(line)
        return replies

    def _hold(self, line: bytes) -> None:
        self._lines.append(line)
        self._size += len(line)
        if self._size > LONGEST_REPLY:
            raise WireError("reply too long")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a server said it can do."""

    pipelining: bool = False
    starttls: bool = False
    eight_bit: bool = False
    utf8: bool = False
    size: int = 0
    auth: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def parse(cls, raw: bytes) -> Capabilities:
        """Read an EHLO reply."""
        words: dict[str, list[str]] = {}
        for line in raw.split(b"\n")[1:]:
            keyword, *values = line[4:].decode("ascii", "replace").upper().replace("=", " ").split() or [""]
            words.setdefault(keyword, []).extend(values)
        size = next((value for value in words.get("SIZE", []) if value.isdigit()), "0")
        return cls(
            pipelining="PIPELINING" in words,
            starttls="STARTTLS" in words,
            eight_bit="8BITMIME" in words,
            utf8="SMTPUTF8" in words,
            size=int(size),
            auth=frozenset(words.get("AUTH", [])),
        )


def auth_steps(username: str, password: str, offered: Iterable[str]) -> list[bytes]:
    """Return the lines of a login, each to be sent after a 334, the first as a command."""
    offered = set(offered)
    if "PLAIN" in offered:
        token = base64.b64encode(f"\0{username}\0{password}".encode())
        return [b"AUTH PLAIN " + token + b"\r\n"]
    if "LOGIN" in offered:
        answers = [base64.b64encode(word.encode()) + b"\r\n" for word in (username, password)]
        return [b"AUTH LOGIN\r\n", *answers]
    raise WireError("server offers neither AUTH PLAIN nor AUTH LOGIN")


@lru_cache(maxsize=64)
def sender_address(address: str) -> tuple[bytes, bool]:
    """Return a sender's address as `wire_address` does; it is the same for every message, or empty for notices."""
    return wire_address(address) if address else (b"", False)


def wire_address(address: str) -> tuple[bytes, bool]:
    """Return an address for a command, and whether it needs SMTPUTF8.

    A domain in another script is written in its ASCII form, so only a local part can need the extension.
    """
    if not address or _UNSAFE.search(address):
        raise AddressRefusedError(f"address cannot be sent to: {address!r}")
    if address.isascii():
        return address.encode("ascii"), False
    local, _, domain = address.rpartition("@")
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise AddressRefusedError(f"domain cannot be written in ASCII: {address!r}") from error
    return f"{local}@{domain}".encode(), not local.isascii()


def _has_stray_newline(body: bytes) -> bool:
    feeds = body.count(b"\n")
    return feeds != body.count(b"\r\n") or feeds != body.count(b"\r")


def envelope(sender: bytes, recipient: bytes, *, eight_bit: bool, utf8: bool, reset: bool) -> list[bytes]:
    """Return the commands that open one message, DATA last as pipelining demands."""
    options = (b" BODY=8BITMIME" if eight_bit else b"") + (b" SMTPUTF8" if utf8 else b"")
    commands = [
        b"MAIL FROM:<" + sender + b">" + options + b"\r\n",
        b"RCPT TO:<" + recipient + b">\r\n",
        b"DATA\r\n",
    ]
    return [b"RSET\r\n", *commands] if reset else commands


def stuffed(body: bytes, *, has_sound_lines: bool = False) -> bytes:
    """Return a body as it goes over the wire: CRLF lines, dots doubled, the final dot at its end.

    A lone CR or LF is rewritten, since some servers would take it for the end of a message (SMTP smuggling); whoever
    made the body may know that it has none.
    """
    if not has_sound_lines and _has_stray_newline(body):
        body = _STRAY_NEWLINE.sub(b"\r\n", body)
    if body.rfind(b"\n.") >= 0:  # `b"\n." in body` takes three times as long
        body = body.replace(b"\n.", b"\n..")
    if body[:1] == b".":
        body = b"." + body
    return body + (b".\r\n" if body[-2:] == b"\r\n" or not body else b"\r\n.\r\n")
