"""A single-threaded SMTP client that keeps many connections busy and asks before every body.

The loop waits on all connections and on the store at once. While the store writes that the next bodies may
leave, the previous ones are on their way: the durable write costs latency, hardly any throughput.
"""

from __future__ import annotations

import math
import random
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from messaging.channels.base import SENT, ChunkStore, Fate, Outcome, Outgoing, Report, Stage, Trouble
from messaging.channels.email.smtp_connection import SmtpConnection
from messaging.channels.email.smtp_line import Line
from messaging.channels.email.smtp_settings import SmtpSettings

READ, READ_WRITE = select.EPOLLIN, select.EPOLLIN | select.EPOLLOUT
TICK_SECONDS = 0.25
# A durable write costs as much as sending three messages, so the lines share it; this long it waits for more of them.
SHARING_SECONDS = 0.005
LONGEST_BACKOFF = 30.0
TRIES_PER_MESSAGE = 5
CEILING_SECONDS = 30.0
REFUSED_SENDERS_UNTIL_TROUBLE = 3


class SmtpEngine:
    """Sends what a store holds through one SMTP account. An engine runs once."""

    def __init__(self, settings: SmtpSettings, store: ChunkStore, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self.hello_name = settings.greeting_name().encode("idna")
        self.tls = settings.tls_context()
        self.now = clock()
        self.report = Report()
        self._clock = clock
        self._store = store
        self._poller = select.epoll()
        self._connections: dict[int, SmtpConnection] = {}
        self._writing: set[int] = set()
        self._idle: deque[SmtpConnection] = deque()
        self._returned: deque[Outgoing] = deque()
        self._waiting: dict[Outgoing, SmtpConnection] = {}
        self._asked: list[Outgoing] | None = None
        self._open_permits = 0
        self._addresses: list[tuple[int, tuple[str, int]]] = []
        self._failures = 0
        self._refusals = 0
        self._refused_senders = 0
        self._retry_at = 0.0
        self._next_tick = 0.0
        self._share_until = 0.0
        self._ceiling = settings.connections
        self._ceiling_until = math.inf

    # --- the loop --------------------------------------------------------------------------------

    def run(self) -> Report:
        """Send until the store is exhausted or trouble stops it, then part from the server."""
        self._poller.register(self._store.fileno(), READ)
        try:
            while not self._is_done():
                self._step()
            self._part()
        finally:
            self._close_all()
        return self.report

    def _step(self) -> None:
        self._open_connections()
        self._feed_idle()
        self._ask_permission()
        events = self._poller.poll(SHARING_SECONDS if self._has_to_ask() else TICK_SECONDS)
        self.now = self._clock()
        for fd, _ in events:
            connection = self._connections.get(fd)
            if connection is not None:
                connection.on_event()
                self._watch(fd, connection)
        self._hear_store()
        if self.now >= self._next_tick:
            self._next_tick = self.now + TICK_SECONDS
            self._check_deadlines()

    def _is_done(self) -> bool:
        if self._asked is not None or self._waiting:
            return False
        if any(connection.is_busy for connection in self._connections.values()):
            return False
        if self.report.trouble is not None:
            return not self._store.has_news()
        return not self._returned and self._store.exhausted() and not self._store.has_news()

    def _part(self) -> None:
        """Give back what never left and say goodbye on every line."""
        while self._returned:
            self._store.give_back(self._returned.popleft())
        for connection in list(self._connections.values()):
            connection.part()
        until = self._clock() + TICK_SECONDS
        while any(c.is_ready or not c.is_closed for c in self._connections.values()) and self._clock() < until:
            for fd, _ in self._poller.poll(0.05):
                if fd in self._connections:
                    self._connections[fd].on_event()

    def _close_all(self) -> None:
        for connection in list(self._connections.values()):
            connection.line.close()
        self._poller.close()

    # --- permission ------------------------------------------------------------------------------

    def _ask_permission(self) -> None:
        """Start the next durable write: at most one body per connection may be permitted and unanswered."""
        if self._asked is not None or not self._has_to_ask() or self._is_worth_waiting():
            return
        self._share_until = self.now + SHARING_SECONDS
        starting = [outgoing for outgoing in self._waiting if not outgoing.permitted]
        del starting[max(0, self.settings.connections - self._open_permits) :]
        if starting or self._store.has_news():
            self._open_permits += len(starting)
            self._asked = starting
            self._store.permit(starting)

    def _has_to_ask(self) -> bool:
        return bool(self._waiting) or self._store.has_news()

    def _is_worth_waiting(self) -> bool:
        """Tell whether other lines are about to be answered, of which fewer than half wait for a write by now."""
        few = len(self._waiting) * 2 < len(self._connections)
        return few and self._open_permits > 0 and self.now < self._share_until

    def _hear_store(self) -> None:
        if not self._store.permitted() or self._asked is None:
            return
        granted, self._asked = self._asked, None
        for outgoing in granted:
            outgoing.permitted = True
            connection = self._waiting.pop(outgoing, None)
            if connection is not None:
                connection.send_body()
                self._watch_blocked(connection)
            elif outgoing in self._returned:
                self._returned.remove(outgoing)
                self._returned.appendleft(outgoing)
        self._ask_permission()

    # --- what connections ask of the engine ------------------------------------------------------

    def next_message(self) -> Outgoing | None:
        """Return the next message to carry; one that came back goes first."""
        if self.report.trouble is not None:
            return None
        return self._returned.popleft() if self._returned else self._store.take()

    def ready_for_body(self, connection: SmtpConnection, outgoing: Outgoing) -> None:
        """The server waits for the body: send it if its permission is known already, else ask."""
        if outgoing.permitted:
            connection.send_body()
        else:
            self._waiting[outgoing] = connection

    def settle(self, outgoing: Outgoing, outcome: Outcome) -> None:
        """The fate of a message is known. A sender that is refused for good is trouble of the account's: the message may leave later."""
        if outcome.fate is Fate.SENT:
            self._note_sent(outgoing)
            return
        if outcome.stage is Stage.SENDER and outcome.fate is Fate.FAILED:
            outcome = replace(outcome, fate=Fate.RETRY)
            self._refused_senders += 1
            if self._refused_senders >= REFUSED_SENDERS_UNTIL_TROUBLE:
                self._give_up(f"the server refuses the sender: {outcome.text}", permanent=True)
        self.report.count(outcome.fate)
        self._release(outgoing)
        if outcome.fate is Fate.RETRY:
            self._refusals += 1
            if self._refusals >= self.settings.refusals_until_trouble:
                self._give_up(f"{self._refusals} temporary refusals in a row, the last: {outcome.text}")
        self._store.record(outgoing, outcome)

    def _note_sent(self, outgoing: Outgoing) -> None:
        """The server took it: its body left, so it had permission and waits for none."""
        self.report.sent += 1
        self._open_permits -= 1
        self._failures = self._refusals = self._refused_senders = 0
        self._store.record(outgoing, SENT)

    def _release(self, outgoing: Outgoing) -> None:
        if outgoing.permitted or (self._asked is not None and outgoing in self._asked):
            self._open_permits -= 1
        self._waiting.pop(outgoing, None)

    def requeue(self, outgoing: Outgoing, reason: str) -> None:
        """A message whose body did not leave comes back, to go over another connection."""
        self._waiting.pop(outgoing, None)
        outgoing.tries += 1
        if outgoing.tries >= TRIES_PER_MESSAGE:
            self.settle(outgoing, Outcome(Fate.RETRY, Stage.CONNECT, text=reason))
        elif outgoing.permitted:
            self._returned.appendleft(outgoing)
        else:
            self._returned.append(outgoing)

    # --- connections -----------------------------------------------------------------------------

    def _open_connections(self) -> None:
        """Open as many lines as there is work for; a single one until the server has proved to be there."""
        if len(self._connections) >= self._ceiling or self.now < self._retry_at or self.report.trouble is not None:
            return
        lines = self._connections.values()
        ready = sum(connection.is_ready for connection in lines)
        busy = sum(connection.is_busy for connection in lines)
        wanted = min(self._ceiling, busy + len(self._returned) + self._store.backlog())
        if not ready:
            wanted = min(wanted, 1)
        for _ in range(wanted - len(lines)):
            self._dial()

    def _dial(self) -> None:
        try:
            if not self._addresses:
                self._addresses = _resolve(self.settings)
            family, address = self._addresses[0]
            line = Line.dial(family, address)
        except OSError as error:
            self._note_failure(f"{self.settings.host}: {error}", permanent=False)
            return
        self._connections[line.sock.fileno()] = SmtpConnection(self, line)
        self._poller.register(line.sock.fileno(), READ_WRITE)
        self._writing.add(line.sock.fileno())

    def opened(self, connection: SmtpConnection) -> None:
        """A connection has let us in."""
        self._idle.append(connection)

    def idle(self, connection: SmtpConnection) -> None:
        """A connection has nothing more to do."""
        self._idle.append(connection)

    def closed(self, connection: SmtpConnection, reason: str, permanent: bool) -> None:
        """A connection is gone; `reason` is empty where that was to be expected."""
        for fd, known in list(self._connections.items()):
            if known is connection:
                del self._connections[fd]
                self._writing.discard(fd)
        if not reason:
            return
        ready = sum(known.is_ready for known in self._connections.values())
        if ready and not connection.carried:
            self._ceiling, self._ceiling_until = ready, self.now + CEILING_SECONDS
        self._note_failure(reason, permanent=permanent)

    def _note_failure(self, reason: str, *, permanent: bool) -> None:
        """Count a failure once per incident: many lines lost at the same moment are one."""
        if self.now < self._retry_at and not permanent:
            return
        self._failures += 1
        backoff = min(LONGEST_BACKOFF, 0.25 * 2**self._failures)
        self._retry_at = self.now + backoff * random.uniform(0.5, 1.0)  # noqa: S311 - spreads reconnects, hides nothing
        self._addresses = self._addresses[1:]
        if permanent or self._failures >= self.settings.failures_until_trouble:
            self._give_up(reason, permanent=permanent)

    def _give_up(self, reason: str, *, permanent: bool = False) -> None:
        """Take nothing more; close the lines that only wait for permission, let the others end."""
        if self.report.trouble is not None:
            return
        self.report.trouble = Trouble(reason, permanent)
        asked = self._asked or []
        for outgoing, connection in list(self._waiting.items()):
            if outgoing not in asked:
                connection.lose("")

    def _feed_idle(self) -> None:
        while self._idle:
            connection = self._idle[0]
            if connection.is_ready and not connection.is_busy:
                if not connection.carry_next():
                    return
                self._watch_blocked(connection)
            self._idle.popleft()

    def _check_deadlines(self) -> None:
        for connection in list(self._connections.values()):
            if self.now > connection.deadline:
                connection.lose("timed out")
        if self.now > self._ceiling_until:
            self._ceiling = min(self.settings.connections, self._ceiling + 1)
            at_top = self._ceiling == self.settings.connections
            self._ceiling_until = math.inf if at_top else self.now + CEILING_SECONDS

    def _watch(self, fd: int, connection: SmtpConnection) -> None:
        """Wait for room to write only while there is something to write."""
        blocked = bool(connection.line.waiting)
        if blocked != (fd in self._writing) and not connection.is_closed:
            self._poller.modify(fd, READ_WRITE if blocked else READ)
            (self._writing.add if blocked else self._writing.discard)(fd)

    def _watch_blocked(self, connection: SmtpConnection) -> None:
        if connection.line.waiting and not connection.is_closed:
            self._watch(connection.line.sock.fileno(), connection)


def _resolve(settings: SmtpSettings) -> list[tuple[int, tuple[str, int]]]:
    found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
    return [(family, address[:2]) for family, _, _, _, address in found]  # type: ignore[misc]


class SmtpMessenger:
    """Sends through one SMTP account."""

    def __init__(self, settings: SmtpSettings) -> None:
        self.settings = settings
        self.connections = settings.connections

    def run(self, store: ChunkStore) -> Report:
        """Send until the store is exhausted or trouble stops it."""
        return SmtpEngine(self.settings, store).run()
