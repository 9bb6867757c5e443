"""A store in memory that keeps the rule: no body before its permission, one write at a time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence

from messaging.channels.base import Fate, LeaseLostError, Outcome, Outgoing

BODY = b"Subject: hello\r\n\r\nA line.\r\n.A line with a dot.\r\n"


class MemoryStore:
    """Messages to `count` people; records what became of them."""

    def __init__(self, count: int = 0, *, messages: Sequence[Outgoing] = (), writes_take: int = 1) -> None:
        self.ready = deque(messages or [message(number) for number in range(1, count + 1)])
        self.outcomes: dict[int, Outcome] = {}
        self.given_back: list[Outgoing] = []
        self.permits: list[list[int]] = []
        self.flying: set[int] = set()
        self.most_flying = 0
        self.is_stopped = False
        self.lose_lease_at: int | None = None
        self._writes_take = writes_take
        self._polls = 0
        self._open: list[Outgoing] | None = None
        self._news = False
        self._descriptor = os.eventfd(1)

    def fates(self) -> dict[int, Fate]:
        return {delivery_id: outcome.fate for delivery_id, outcome in self.outcomes.items()}

    def fileno(self) -> int:
        return self._descriptor

    def take(self) -> Outgoing | None:
        return self.ready.popleft() if self.ready and not self.is_stopped else None

    def backlog(self) -> int:
        return 0 if self.is_stopped else len(self.ready)

    def exhausted(self) -> bool:
        return self.is_stopped or not self.ready

    def record(self, outgoing: Outgoing, outcome: Outcome) -> None:
        assert outgoing.delivery_id not in self.outcomes, "a fate is known twice"
        self.outcomes[outgoing.delivery_id] = outcome
        self.flying.discard(outgoing.delivery_id)
        self._news = True

    def give_back(self, outgoing: Outgoing) -> None:
        self.given_back.append(outgoing)

    def has_news(self) -> bool:
        return self._news

    def permit(self, starting: Sequence[Outgoing]) -> None:
        assert self._open is None, "a write is open"
        if self.lose_lease_at is not None and len(self.permits) >= self.lose_lease_at:
            raise LeaseLostError("another worker")
        self._open, self._polls, self._news = list(starting), 0, False
        self.permits.append([outgoing.delivery_id for outgoing in starting])
        self.flying |= {outgoing.delivery_id for outgoing in starting}
        self.most_flying = max(self.most_flying, len(self.flying))

    def permitted(self) -> bool:
        self._polls += 1
        if self._polls < self._writes_take:
            return False
        self._open = None
        return True


def message(number: int, **values: object) -> Outgoing:
    fields = {"sender": "shop@example.com", "recipient": f"person{number}@example.net", "body": BODY} | values
    return Outgoing(number, **fields)  # type: ignore[arg-type]
