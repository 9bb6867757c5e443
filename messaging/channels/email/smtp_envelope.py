"""The commands that open one message at one server, the answers they wait for, and what a refusal means."""

from __future__ import annotations

from enum import IntEnum

from messaging.channels.base import Fate, Outcome, Outgoing, Stage, UnsupportedFeatureError
from messaging.channels.email.smtp_wire import Capabilities, Reply, envelope, sender_address, wire_address


class Step(IntEnum):
    """Which reply is due next."""

    BODY = 0
    MAIL = 1
    RCPT = 2
    DATA = 3
    RESET = 4
    VOID = 5
    QUIT = 6


ENVELOPE = (Step.MAIL, Step.RCPT, Step.DATA)
GROUP = (Step.BODY, *ENVELOPE)
STAGES = {Step.MAIL: Stage.SENDER, Step.RCPT: Stage.RECIPIENT, Step.DATA: Stage.CONTENT, Step.BODY: Stage.BODY}

Commands = tuple[tuple[Step, ...], list[bytes]]  # the replies they ask for, and the lines themselves


def open_envelope(outgoing: Outgoing, can: Capabilities, *, reset: bool) -> Commands:
    """Return the commands for a message, its body made to fit the server where that is possible.

    Raises:
        AddressRefusedError: an address cannot be written at all.
        UnsupportedFeatureError: the server cannot take this message.
    """
    sender, sender_utf8 = sender_address(outgoing.sender)
    recipient, recipient_utf8 = wire_address(outgoing.recipient)
    utf8 = sender_utf8 or recipient_utf8
    eight_bit = not outgoing.body.isascii()
    if utf8 and not can.utf8:
        raise UnsupportedFeatureError("the address needs SMTPUTF8, which the server does not offer")
    if eight_bit and not can.eight_bit and outgoing.seven_bit is not None:
        outgoing.body, eight_bit = outgoing.seven_bit(outgoing.body), False
    if eight_bit and not can.eight_bit:
        raise UnsupportedFeatureError("the message needs 8BITMIME, which the server does not offer")
    if can.size and len(outgoing.body) > can.size:
        raise UnsupportedFeatureError(f"the message is larger than the server takes ({can.size} bytes)")
    lines = envelope(sender, recipient, eight_bit=eight_bit, utf8=utf8, reset=reset)
    return ((Step.RESET, *ENVELOPE) if reset else ENVELOPE), lines


def refusal(raw: bytes, stage: Stage) -> Outcome:
    """Return what a refusing reply makes of a message."""
    reply = Reply.parse(raw)
    fate = Fate.FAILED if reply.code >= 500 else Fate.RETRY
    return Outcome(fate, stage, reply.code, reply.enhanced, reply.text)
