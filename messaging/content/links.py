"""The links of a message: which are tracked, which stay, which cannot be sent."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, urlsplit

from django.utils.translation import gettext as _

from messaging.content.expressions import encode_in_address
from messaging.content.grammar import Kind, Piece, protect, read_pieces
from messaging.content.markup import Marks
from messaging.content.problems import Part, Problem, RenderError

MAX_LINKS = 200
MAX_URL_CHARACTERS = 1_500
# Variables that print addresses of our own pages, with the page's path.
OWN_ADDRESSES = {"unsubscribe_url": "u", "preferences_url": "p"}
_HREF = re.compile(r'(<(?:a|area|v:\w+)\s(?:[^<>"]|"[^"]*")*?(?<=\s)href=")([^"]*)(")', re.IGNORECASE)
_UNTOUCHED = ("mailto:", "tel:", "sms:", "#")
_PLAIN = re.compile(r"https?://[A-Za-z0-9.-]+(?::\d{1,5})?(?:[/?#][A-Za-z0-9\-._~%/:=&?#+!$,;'@()*]*)?")
# What may stand in an address as it is; everything else is percent-encoded.
_SAFE = "%/:=&?~#+!$,;'@()*[]"


class LinkKind(StrEnum):
    """How a link leaves: by way of the counter, or untouched."""

    FIXED = "fixed"
    PERSONAL = "personal"
    UNTOUCHED = "untouched"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Link:
    """A tracked link: its index in the message and its address as the author wrote it."""

    index: int
    address: str
    kind: LinkKind


def classify(address: str) -> LinkKind:
    """What to do with the address of a link, in the author's notation."""
    stripped = address.strip()
    lowered = stripped.lower()
    if not stripped or lowered.startswith(_UNTOUCHED):
        return LinkKind.UNTOUCHED
    pieces = read_pieces(stripped)
    if len(pieces) == 1 and pieces[0].kind is Kind.OUTPUT and pieces[0].inner in OWN_ADDRESSES:
        return LinkKind.UNTOUCHED
    if pieces[0].kind is not Kind.LITERAL:
        return LinkKind.PERSONAL
    if not lowered.startswith(("http://", "https://")):
        return LinkKind.REFUSED
    return LinkKind.FIXED if len(pieces) == 1 else LinkKind.PERSONAL


def clean_address(address: str) -> str:
    """A web address that fits on one line of ASCII, or a RenderError.

    Only http and https pass: whatever a customer's data holds, a link cannot run a script.
    """
    if len(address) <= MAX_URL_CHARACTERS and _PLAIN.fullmatch(address):
        return address
    encoded = quote(address.strip(), safe=_SAFE)
    try:
        parts = urlsplit(encoded)
        host = parts.hostname
    except ValueError:
        host, parts = None, None
    if parts is None or parts.scheme.lower() not in {"http", "https"} or not host:
        raise RenderError("bad_link", f"no web address: {address[:100]}")
    if len(encoded) > MAX_URL_CHARACTERS:
        raise RenderError("bad_link", f"the address is too long: {address[:100]}")
    return encoded


def _can_be_sent(address: str) -> bool:
    try:
        clean_address(address)
    except RenderError:
        return False
    return True


@dataclass(slots=True)
class LinkRewriter:
    """Replaces the addresses in a document by marks and remembers them in their order."""

    marks: Marks
    links: list[Link]
    problems: list[Problem]
    tracked: dict[str, str]

    def rewrite(self, document: str) -> str:
        """The document with every tracked address behind a mark of its own."""
        return _HREF.sub(lambda match: match[1] + self._mark(match[2]) + match[3], document)

    def _mark(self, value: str) -> str:
        address = self.marks.pattern.sub(lambda match: self.marks.replacements[int(match[1])], html.unescape(value)).strip()
        kind = classify(address)
        if kind is LinkKind.UNTOUCHED:
            return value
        if kind is LinkKind.REFUSED or (kind is LinkKind.FIXED and not _can_be_sent(address)):
            text = _("“%(link)s” is no address that can be sent; links start with https:// and have %(limit)s characters at most.")
            values = {"link": address[:80], "limit": MAX_URL_CHARACTERS}
            self.problems.append(Problem("bad_link", text % values, Part.HTML, name=address[:200]))
            return value
        if address not in self.tracked:
            self.tracked[address] = self.marks.add(address)
            self.links.append(Link(len(self.links), address, kind))
        return self.tracked[address]


def address_source(address: str) -> str:
    """Template source that prints a personal address, with data in it percent-encoded."""
    out: list[str] = []
    for position, piece in enumerate(read_pieces(address)):
        out.append(_address_piece(piece, first=position == 0))
    return "".join(out)


def _address_piece(piece: Piece, *, first: bool) -> str:
    if piece.kind is Kind.LITERAL:
        return protect(piece.text)
    if piece.kind is Kind.OUTPUT and not first:
        return encode_in_address(piece)
    return piece.text
