"""Messages for the tests of content: a frame of Saffron Barbers and small sources."""

import email
import email.policy
from dataclasses import replace
from email.message import EmailMessage
from typing import Any

from messaging.content.frame import Branding, MessageFrame, MessageSource, Sender
from messaging.content.message import CompiledMessage, compile_message
from messaging.tracking.tokens import TokenReader, TokenSigner, derive_key

KEY = derive_key("a secret for tests")
READER = TokenReader([KEY])
FRAME = MessageFrame(
    sender=Sender("hello@saffron.example", "Saffron Barbers", "desk@saffron.example"),
    branding=Branding("Saffron Barbers", "1 Main St\nNew York"),
    base_url="https://go.example.org",
    signer=TokenSigner(42, KEY),
)
UNTRACKED = replace(FRAME, tracked=False)
SECOND = 1_790_000_000.0


def compiled(html: str, subject: str = "Hello", frame: MessageFrame = FRAME, **parts: str) -> CompiledMessage:
    return compile_message(MessageSource(subject, html, **parts), frame, clock=lambda: SECOND)


def context(name: str = "Alice Brown", address: str = "alice@example.com", **namespaces: Any) -> dict[str, Any]:
    return {"recipient": {"name": name, "address": address}, **namespaces}


def parsed(wire: bytes) -> EmailMessage:
    message = email.message_from_bytes(wire, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def html_of(message: EmailMessage) -> str:
    part = message.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def text_of(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")
