"""The interface between the ledger and what a message says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from messaging.channels.base import Outgoing
from messaging.sending.ledger import Row

Contexts = Mapping[int, dict[str, Any]]


class NotComposedError(Exception):
    """This recipient's message cannot be made; the reason is for people."""


class Composer(Protocol):
    """Makes messages: what it needs from the database in bulk and ahead, the rendering one by one."""

    def contexts(self, rows: Sequence[Row]) -> Contexts:
        """Read what the message says about each recipient, in one query, inside the organization's scope."""

    def compose(self, row: Row, contexts: Contexts) -> Outgoing:
        """Render one message.

        Raises:
            NotComposedError: and the message is marked failed.
        """
