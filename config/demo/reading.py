"""What a mail program finds in a message: the pixel it loads, the links one may press, the way out."""

import email
import email.policy
import re
from dataclasses import dataclass
from email.message import EmailMessage
from html import unescape

PIXEL = re.compile(r"<img\b[^<>]*\bsrc=\"([^\"]*/t/o/[^\"]*)\"", re.IGNORECASE)
LINK = re.compile(r"<a\b[^<>]*\bhref=\"([^\"]*/t/c/[^\"]*)\"", re.IGNORECASE)
ADDRESS = re.compile(r"<(https?://[^<>]*)>")


@dataclass(frozen=True, slots=True)
class ReadMessage:
    """The addresses in one message; empty where there is none."""

    pixel: str
    links: tuple[str, ...]
    unsubscribe: str


def read_message(source: bytes) -> ReadMessage:
    """Read the HTML part and the List-Unsubscribe header."""
    message = email.message_from_bytes(source, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    part = message.get_body(("html",))
    html = str(part.get_content()) if part else ""
    pixel, header = PIXEL.search(html), ADDRESS.search(str(message.get("List-Unsubscribe", "")))
    return ReadMessage(
        pixel=unescape(pixel[1]) if pixel else "",
        links=tuple(map(unescape, LINK.findall(html))),
        unsubscribe=header[1] if header else "",
    )
