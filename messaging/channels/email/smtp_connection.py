"""One SMTP session: opens itself, then carries one message after another.

Where the server offers PIPELINING the next envelope leaves together with the previous body, so a message costs
one round trip. A body leaves only when the engine says that its permission is on disk.
"""

from __future__ import annotations

import math
import ssl
from collections import deque
from collections.abc import Generator
from typing import Protocol

from messaging.channels.base import SENT, Fate, Outcome, Outgoing, Stage, UnsupportedFeatureError
from messaging.channels.email.smtp_envelope import GROUP, STAGES, Commands, Step, open_envelope, refusal
from messaging.channels.email.smtp_line import Line, TlsLine
from messaging.channels.email.smtp_settings import Security, SmtpSettings
from messaging.channels.email.smtp_wire import (
    AddressRefusedError,
    Capabilities,
    Reply,
    ReplyReader,
    WireError,
    auth_steps,
    is_all_well,
    stuffed,
)

PARTING_SECONDS = 2.0
LOST_IN_DOUBT = "connection lost after the message left and before it was answered"


class SessionRefusedError(Exception):
    """The server does not let us in; `permanent` if trying again is pointless."""

    def __init__(self, reason: str, *, permanent: bool = False) -> None:
        super().__init__(reason)
        self.permanent = permanent


class Hub(Protocol):
    """What a connection asks of the engine that holds it."""

    now: float
    settings: SmtpSettings
    hello_name: bytes
    tls: ssl.SSLContext | None

    def next_message(self) -> Outgoing | None: ...
    def settle(self, outgoing: Outgoing, outcome: Outcome) -> None: ...
    def requeue(self, outgoing: Outgoing, reason: str) -> None: ...
    def ready_for_body(self, connection: SmtpConnection, outgoing: Outgoing) -> None: ...
    def opened(self, connection: SmtpConnection) -> None: ...
    def idle(self, connection: SmtpConnection) -> None: ...
    def closed(self, connection: SmtpConnection, reason: str, permanent: bool) -> None: ...


class SmtpConnection:
    """One line to the server and the messages on it: one being sent, one whose envelope is open."""

    def __init__(self, hub: Hub, line: Line) -> None:
        self.line = line
        self.deadline = hub.now + hub.settings.connect_timeout
        self.is_ready = False
        self.is_closed = False
        self.carried = 0
        self._hub = hub
        self._connected = False
        self._reader = ReplyReader()
        self._can = Capabilities()
        self._opening: Generator[None, bytes, None] | None = self._open_session()
        self._expected: deque[Step] = deque()
        self._unsent: deque[tuple[Step, bytes]] = deque()
        self._sending: Outgoing | None = None
        self._next: Outgoing | None = None
        self._body_mark: float = 0
        self._refusal: Outcome | None = None
        self._needs_reset = False

    # --- what the engine calls -------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        """Tell whether a message is on this line."""
        return self._sending is not None or self._next is not None

    def on_event(self) -> None:
        """Do whatever the line is ready for."""
        try:
            if not self._connected:
                self.line.check_connected()
                self._connected = True
                self._begin()
            if self.line.waiting:
                self.line.flush()
            self._receive()
        except SessionRefusedError as refused:
            self.lose(str(refused), permanent=refused.permanent)
        except ssl.SSLCertVerificationError as error:
            self.lose(f"certificate refused: {error.verify_message}", permanent=True)
        except (OSError, WireError) as error:
            self.lose(str(error) or type(error).__name__)

    def carry_next(self) -> bool:
        """Open the envelope of another message; False if there is none or this line has carried enough."""
        if not self._has_room():
            self.part()
            return True
        commands = self._next_envelope()
        if commands is None:
            return False
        self._guarded_write(*commands)
        return True

    def send_body(self) -> None:
        """Send the body whose envelope is open: its permission is on disk."""
        outgoing, self._next = self._next, None
        assert outgoing is not None
        self._sending = outgoing
        self.carried += 1
        self._expected.append(Step.BODY)
        self.deadline = self._hub.now + self._hub.settings.body_timeout
        self._body_mark = math.inf
        body = stuffed(outgoing.body, has_sound_lines=outgoing.has_sound_lines)
        follow = self._next_envelope() if self._can.pipelining and self._has_room() else None
        try:
            if follow is None:
                self._body_mark = self.line.write(body)
            else:
                steps, lines = follow
                self._expected.extend(steps)
                self._body_mark = self.line.write(body, b"".join(lines))
        except OSError as error:
            self.lose(str(error))

    def part(self) -> None:
        """Say goodbye; the line closes when the server answers or after a moment."""
        if self.is_ready and not self.is_busy and Step.QUIT not in self._expected:
            self.is_ready = False
            self._guarded_write((Step.QUIT,), [b"QUIT\r\n"])
            self.deadline = self._hub.now + PARTING_SECONDS

    def lose(self, reason: str, *, permanent: bool = False) -> None:
        """Close the line and decide about the messages that were on it."""
        if self.is_closed:
            return
        parting = Step.QUIT in self._expected
        idle = self.is_ready and not self.is_busy
        self.is_closed, self.is_ready = True, False
        self.line.close()
        sending, self._sending = self._sending, None
        following, self._next = self._next, None
        if sending is not None:
            if self.line.handed >= self._body_mark:
                self._hub.settle(sending, Outcome(Fate.AMBIGUOUS, Stage.BODY, text=f"{LOST_IN_DOUBT}: {reason}"))
            else:
                self._hub.requeue(sending, reason)
        if following is not None:
            self._hub.requeue(following, reason)
        self._hub.closed(self, "" if parting or idle else reason, permanent)

    # --- opening ---------------------------------------------------------------------------------

    def _begin(self) -> None:
        assert self._opening is not None
        next(self._opening)
        if self._hub.settings.security is Security.TLS:
            self._secure()

    def _open_session(self) -> Generator[None, bytes, None]:
        """Greet, secure and log in: every `yield` waits for one reply."""
        settings = self._hub.settings
        _demand((yield), b"2", "server refused the connection")
        self._say_hello()
        self._learn((yield))
        if settings.security is Security.STARTTLS:
            if not self._can.starttls:
                raise SessionRefusedError("server does not offer STARTTLS", permanent=True)
            self.line.write(b"STARTTLS\r\n")
            _demand((yield), b"2", "server refused STARTTLS")
            self._secure()
            self._learn((yield))  # EHLO is said again once the handshake is done
        if settings.username:
            for line in auth_steps(settings.username, settings.password, self._can.auth):
                self.line.write(line)
                answer = yield
                _demand(answer, b"23", "server refused the login", permanent=answer[:1] == b"5")
            if answer[:1] != b"2":
                raise SessionRefusedError(f"login did not end: {Reply.parse(answer).text}")

    def _say_hello(self) -> None:
        self.line.write(b"EHLO " + self._hub.hello_name + b"\r\n")

    def _learn(self, raw: bytes) -> None:
        _demand(raw, b"2", "server refused EHLO")
        self._can = Capabilities.parse(raw)

    def _secure(self) -> None:
        # Whatever arrived in the clear after STARTTLS was put there by somebody else (CVE-2011-0411).
        if self._reader.pending:
            raise SessionRefusedError("data in the clear after STARTTLS")
        assert self._hub.tls is not None
        self.line = TlsLine(self.line, self._hub.tls, self._hub.settings.host)
        self.line.handshake()

    # --- receiving -------------------------------------------------------------------------------

    def _receive(self) -> None:
        line = self.line
        if isinstance(line, TlsLine) and not line.secured:
            if not line.receive_handshake():
                return
            if self._hub.settings.security is Security.STARTTLS:
                self._say_hello()
        data = line.read()
        if data is None:
            return
        if not data:
            raise ConnectionResetError("connection closed by the server")
        if self._is_whole_group_due() and not self._reader.pending and is_all_well(data):
            self._on_group_answered()
            return
        replies = self._reader.feed(data)
        for index, raw in enumerate(replies):
            if self._opening is not None:
                self._advance_opening(raw, alone=index == len(replies) - 1)
            else:
                self._on_reply(raw)
            if self.is_closed:
                return

    def _advance_opening(self, raw: bytes, *, alone: bool) -> None:
        assert self._opening is not None
        before = self.line
        try:
            self._opening.send(raw)
        except StopIteration:
            self._opening = None
            self.is_ready = True
            self.deadline = math.inf
            self._hub.opened(self)
        if self.line is not before and not alone:
            raise SessionRefusedError("data in the clear after STARTTLS")

    def _on_reply(self, raw: bytes) -> None:
        if not self._expected:
            raise WireError(f"unasked: {Reply.parse(raw).text}")
        step = self._expected.popleft()
        if raw[:3] == b"421" and step is not Step.QUIT:
            self._on_shutdown(step, raw)
        elif step is Step.BODY:
            self._on_body_answer(raw)
        elif step is Step.DATA:
            self._on_data_answer(raw)
        elif step is Step.QUIT:
            self._expected.append(Step.QUIT)
            self.lose("")
        elif raw[:1] != b"2" and step in STAGES and self._refusal is None:
            self._refusal = refusal(raw, STAGES[step])
        if not self.is_closed:
            self._proceed()

    def _is_whole_group_due(self) -> bool:
        return len(self._expected) == len(GROUP) and self._expected[0] is Step.BODY and self._sending is not None

    def _on_group_answered(self) -> None:
        """Body taken and next envelope accepted, in one go: nearly all messages pass here."""
        sending, following = self._sending, self._next
        assert sending is not None
        assert following is not None
        self._expected.clear()
        self._sending = None
        self.deadline = math.inf
        self._hub.settle(sending, SENT)
        self._hub.ready_for_body(self, following)

    def _on_body_answer(self, raw: bytes) -> None:
        outgoing, self._sending = self._sending, None
        assert outgoing is not None
        self._hub.settle(outgoing, SENT if raw[:1] == b"2" else refusal(raw, Stage.BODY))

    def _on_data_answer(self, raw: bytes) -> None:
        outgoing, refused = self._next, self._refusal
        assert outgoing is not None
        if raw[:3] == b"354" and refused is None:
            self.deadline = math.inf
            self._hub.ready_for_body(self, outgoing)
            return
        self._next, self._refusal = None, None
        self._hub.settle(outgoing, refused or refusal(raw, Stage.CONTENT))
        if raw[:3] == b"354":
            # RFC 2920, 3.1: recipients refused and yet DATA accepted is ended by a lone dot.
            self._expected.append(Step.VOID)
            self.line.write(b".\r\n")
        else:
            self._needs_reset = True

    def _on_shutdown(self, step: Step, raw: bytes) -> None:
        if step is Step.BODY:
            self._on_body_answer(raw)
        self.lose(Reply.parse(raw).text)

    def _proceed(self) -> None:
        """After a reply: send the next command of a lock-step envelope, or report for more work."""
        if self._unsent:
            self._skip_refused()
        if self._unsent and not self._expected:
            step, line = self._unsent.popleft()
            self._guarded_write((step,), [line])
        elif self._expected:
            limits = self._hub.settings
            patience = limits.body_timeout if self._expected[0] is Step.BODY else limits.reply_timeout
            self.deadline = self._hub.now + patience
        elif not self.is_busy:
            self.deadline = math.inf
            self._hub.idle(self)

    def _skip_refused(self) -> None:
        """In lock-step a refused sender or recipient spares us the rest of the envelope."""
        if self._refusal is None or self._next is None:
            return
        self._unsent.clear()
        outgoing, refused = self._next, self._refusal
        self._next, self._refusal = None, None
        self._needs_reset = True
        self._hub.settle(outgoing, refused)

    # --- sending ---------------------------------------------------------------------------------

    def _has_room(self) -> bool:
        limit = self._hub.settings.max_messages
        return not limit or self.carried < limit

    def _next_envelope(self) -> Commands | None:
        """Take messages until one fits this server, and return its commands with the replies they ask for."""
        while (outgoing := self._hub.next_message()) is not None:
            try:
                commands = open_envelope(outgoing, self._can, reset=self._needs_reset)
            except AddressRefusedError as error:
                self._hub.settle(outgoing, Outcome(Fate.FAILED, Stage.RECIPIENT, 553, "5.1.3", str(error)))
                continue
            except UnsupportedFeatureError as unfit:
                self._hub.settle(outgoing, Outcome(Fate.FAILED, Stage.CONTENT, 554, "5.6.0", str(unfit)))
                continue
            self._next, self._refusal, self._needs_reset = outgoing, None, False
            return commands
        return None

    def _guarded_write(self, steps: tuple[Step, ...], lines: list[bytes]) -> None:
        """Send commands: all of them where pipelining is offered, else the first and the rest later."""
        if not self._can.pipelining:
            self._unsent.extend(zip(steps[1:], lines[1:], strict=True))
            steps, lines = steps[:1], lines[:1]
        self._expected.extend(steps)
        self.deadline = self._hub.now + self._hub.settings.reply_timeout
        try:
            self.line.write(b"".join(lines))
        except OSError as error:
            self.lose(str(error))


def _demand(raw: bytes, wanted: bytes, complaint: str, *, permanent: bool = False) -> None:
    if raw[:1] not in {bytes([digit]) for digit in wanted}:
        raise SessionRefusedError(f"{complaint}: {Reply.parse(raw).code} {Reply.parse(raw).text}", permanent=permanent)
