"""What surrounds an author's words: sender, branding, addresses of our own pages, signatures."""

from __future__ import annotations

from dataclasses import dataclass

from messaging.content.headers import check_address
from messaging.tracking.tokens import TokenSigner


@dataclass(frozen=True, slots=True)
class MessageSource:
    """A message as its author wrote it, in one language."""

    subject: str
    html: str
    text: str = ""
    preheader: str = ""
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who the message is from."""

    address: str
    name: str = ""
    reply_to: str = ""


@dataclass(frozen=True, slots=True)
class Branding:
    """The organization as its customers know it."""

    name: str
    postal_address: str = ""

    def lines(self) -> list[str]:
        """Name and postal address, for a footer."""
        return [line.strip() for line in [self.name, *self.postal_address.splitlines()] if line.strip()]


@dataclass(frozen=True, slots=True)
class MessageFrame:
    """Everything about a message that is the same for all of its recipients.

    `base_url` is where opens, clicks and the unsubscribe page are served, without a slash at the
    end. Untracked messages (previews, tests) keep their links and have no pixel. Messages that
    nobody may refuse, such as receipts, have no unsubscribe header.
    """

    sender: Sender
    branding: Branding
    base_url: str
    signer: TokenSigner
    tracked: bool = True
    unsubscribable: bool = True

    @property
    def domain(self) -> str:
        """The right side of the Message-ID, as ASCII."""
        return check_address(self.sender.address).rpartition("@")[2]
