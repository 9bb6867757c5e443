"""The two interfaces the sending core knows: a store of messages, and a messenger that takes them away.

A messenger never decides whether a message may leave. It asks the store, and the store answers only when
the answer is on disk. That is the whole reason why a killed worker cannot send anything twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class Fate(StrEnum):
    """What became of one message, as far as this side can know."""

    SENT = "sent"
    RETRY = "retry"
    FAILED = "failed"
    AMBIGUOUS = "ambiguous"


class Stage(StrEnum):
    """How far a message got when its fate was decided."""

    RENDER = "render"
    CONNECT = "connect"
    SENDER = "sender"
    RECIPIENT = "recipient"
    CONTENT = "content"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fate of a message and the words the other side used for it."""

    fate: Fate
    stage: Stage = Stage.BODY
    code: int = 0
    enhanced: str = ""
    text: str = ""


SENT = Outcome(Fate.SENT)


@dataclass(slots=True, eq=False)
class Outgoing:
    """One rendered message on its way to one address; with `has_sound_lines` all its line ends are known to be CRLF."""

    delivery_id: int
    sender: str
    recipient: str
    body: bytes
    chunk_id: int = 0
    attempts: int = 0
    seven_bit: Callable[[bytes], bytes] | None = None
    has_sound_lines: bool = False
    permitted: bool = False
    tries: int = 0


class LeaseLostError(Exception):
    """Another worker owns this chunk now: nothing more may leave from here."""


class UnsupportedFeatureError(Exception):
    """The message needs something that this channel or provider cannot do."""


class ChunkStore(Protocol):
    """Where messages come from, and where it is durably written which of them may leave.

    One write is open at a time: `permit` starts it, `permitted` tells when it is on disk. `fileno` becomes
    readable when either may have changed or when more messages are ready.
    """

    def fileno(self) -> int:
        """Return a descriptor to wait on."""

    def take(self) -> Outgoing | None:
        """Return the next message, or None if there is none now."""

    def backlog(self) -> int:
        """Return how many messages could be taken at once."""

    def exhausted(self) -> bool:
        """Tell whether nothing will ever come again (finished, paused or cancelled)."""

    def record(self, outgoing: Outgoing, outcome: Outcome) -> None:
        """Note a fate; the next write makes it durable."""

    def give_back(self, outgoing: Outgoing) -> None:
        """Return a message whose body never left: it stays to be sent another time."""

    def has_news(self) -> bool:
        """Tell whether fates wait to be made durable."""

    def permit(self, starting: Sequence[Outgoing]) -> None:
        """Start writing that these bodies may leave (perhaps none), along with all fates noted so far."""

    def permitted(self) -> bool:
        """Tell whether the started write is on disk; raise LeaseLostError if it may not be."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a messenger gave up: shown to people, and counted by the circuit breaker."""

    reason: str
    permanent: bool = False


@dataclass(slots=True)
class Report:
    """What one run of a messenger came to."""

    sent: int = 0
    others: list[Fate] = field(default_factory=list)
    trouble: Trouble | None = None

    @property
    def fates(self) -> dict[Fate, int]:
        """How many messages came to which fate."""
        return {fate: self.sent if fate is Fate.SENT else self.others.count(fate) for fate in Fate}

    def count(self, fate: Fate) -> None:
        """Add one message to its fate."""
        if fate is Fate.SENT:
            self.sent += 1
        else:
            self.others.append(fate)


class Messenger(Protocol):
    """Takes messages from a store to the world over at most `connections` lines at a time."""

    connections: int

    def run(self, store: ChunkStore) -> Report:
        """Send until the store is exhausted or trouble stops it."""


@dataclass(frozen=True, slots=True)
class Transport:
    """One way of sending in a channel: how to build its messenger from an account's settings."""

    channel: str
    kind: str
    label: str
    open: Callable[[dict[str, Any]], Messenger]
    settings: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


_transports: dict[tuple[str, str], Transport] = {}


def register(transport: Transport) -> Transport:
    """Add a transport; its channel and kind must be new."""
    key = (transport.channel, transport.kind)
    if key in _transports and _transports[key] is not transport:
        raise ValueError(f"transport {key} is registered already")
    _transports[key] = transport
    return transport


def transport(channel: str, kind: str) -> Transport:
    """Return the transport of that channel and kind."""
    try:
        return _transports[(channel, kind)]
    except KeyError:
        raise UnsupportedFeatureError(f"no transport {kind!r} for channel {channel!r}") from None


def transports(channel: str | None = None) -> list[Transport]:
    """List the registered transports, of one channel or of all."""
    return [t for (name, _), t in sorted(_transports.items()) if channel in (None, name)]
