"""E-mail through a provider's API, by django-anymail: one request per message, several at a time.

A feature that the provider lacks raises in anymail, and the message is marked failed with those words.
"""

from __future__ import annotations

import select
import threading
import warnings
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from email.message import EmailMessage as MimeMessage
from email.policy import default as default_policy
from importlib import import_module
from typing import Any

from anymail.exceptions import (
    AnymailAPIError,
    AnymailConfigurationError,
    AnymailError,
    AnymailImproperlyInstalled,
    AnymailNotSupportedWarning,
    AnymailRecipientsRefused,
)
from django.core.mail import EmailMultiAlternatives

from messaging.channels.base import (
    SENT,
    ChunkStore,
    Fate,
    Outcome,
    Outgoing,
    Report,
    Stage,
    Trouble,
    UnsupportedFeatureError,
)
from messaging.channels.email.anymail_outcomes import outcome_of, words_of

# anymail no longer tests SendGrid itself; our tests check what it asks against SendGrid's own contract.
warnings.filterwarnings("ignore", category=AnymailNotSupportedWarning)
WAIT_SECONDS = 0.25
TAKEN = {"sent", "queued", "delivered"}
ALIKE_REFUSALS_UNTIL_TROUBLE = 3
# Written by the provider itself, or meaningless once the message is no longer our own MIME source.
_OWN_HEADERS = {
    "from",
    "to",
    "subject",
    "date",
    "reply-to",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "message-id",
}


@dataclass(frozen=True, slots=True)
class AnymailSettings:
    """Which of anymail's backends, and what it is given."""

    kind: str
    connections: int = 4
    refusals_until_trouble: int = 50
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_account(cls, kind: str, values: dict[str, Any]) -> AnymailSettings:
        """Read an account's settings and secrets."""
        rest = dict(values)
        own = {name: rest.pop(name) for name in ("connections", "refusals_until_trouble") if name in rest}
        rest.pop("failures_until_trouble", None)
        return cls(kind=kind, options=rest, **own)


class AnymailMessenger:
    """Sends through a provider; every worker thread holds one HTTP session."""

    def __init__(self, settings: AnymailSettings) -> None:
        self.settings = settings
        self.connections = settings.connections
        self._local = threading.local()
        self._backend_class = _backend_class(settings.kind)
        self._open_backend().close()  # wrong settings show here, not in the middle of a campaign

    def run(self, store: ChunkStore) -> Report:
        """Send until the store is exhausted or trouble stops it."""
        with ThreadPoolExecutor(self.connections, thread_name_prefix="provider") as pool:
            return _Run(self, store, pool).run()

    def send(self, outgoing: Outgoing) -> Outcome:
        """Send one message and tell its fate."""
        message = as_django_message(outgoing.body, outgoing.recipient)
        try:
            self._backend().send_messages([message])
        except AnymailAPIError as error:
            return outcome_of(error)
        except AnymailRecipientsRefused as error:
            return Outcome(Fate.FAILED, Stage.RECIPIENT, text=words_of(error))
        except AnymailError as error:  # an unsupported feature, or a value that cannot be serialised
            return Outcome(Fate.FAILED, Stage.CONTENT, text=words_of(error))
        except UnicodeEncodeError as error:  # a key that no request can carry
            return Outcome(Fate.RETRY, Stage.SENDER, text=words_of(error))
        except Exception as error:  # nobody knows how far it came, and an exception from here would leave all others in doubt
            return Outcome(Fate.AMBIGUOUS, Stage.SENDER, text=f"{type(error).__name__}: {words_of(error)}"[:300])
        statuses = message.anymail_status.status or {"unknown"}  # type: ignore[attr-defined]
        if statuses <= TAKEN:
            return SENT
        return Outcome(Fate.FAILED, Stage.RECIPIENT, text=", ".join(sorted(str(status) for status in statuses)))

    def _backend(self) -> Any:
        if not hasattr(self._local, "backend"):
            self._local.backend = self._open_backend()
            self._local.backend.open()
        return self._local.backend

    def _open_backend(self) -> Any:
        try:
            return self._backend_class(fail_silently=False, **self.settings.options)
        except (AnymailConfigurationError, TypeError) as error:
            raise UnsupportedFeatureError(f"{self.settings.kind}: {words_of(error)}") from error


class _Run:
    """The loop: ask permission for a batch, send it in threads, note the fates."""

    def __init__(self, messenger: AnymailMessenger, store: ChunkStore, pool: ThreadPoolExecutor) -> None:
        self._messenger = messenger
        self._store = store
        self._pool = pool
        self._waiting: deque[Outgoing] = deque()
        self._asked: list[Outgoing] | None = None
        self._flying: dict[Future[Outcome], Outgoing] = {}
        self._alike: list[tuple[Outgoing, Outcome]] = []
        self._refused_alike: Outcome | None = None
        self._refusals = 0
        self.report = Report()

    def run(self) -> Report:
        while not self._is_done():
            self._take()
            if self._is_over():
                self._note_alike()
            self._ask()
            self._collect()
            if self._asked is not None and self._store.permitted():
                granted, self._asked = self._asked, None
                for outgoing in granted:
                    outgoing.permitted = True
                    self._flying[self._pool.submit(self._messenger.send, outgoing)] = outgoing
        while self._waiting:
            self._store.give_back(self._waiting.popleft())
        return self.report

    def _is_done(self) -> bool:
        return self._is_over() and not self._alike and not self._store.has_news()

    def _is_over(self) -> bool:
        """Tell whether nothing flies and nothing more will leave."""
        if self._flying or self._asked is not None:
            return False
        return self.report.trouble is not None or (not self._waiting and self._store.exhausted())

    def _take(self) -> None:
        lines = max(1, self._messenger.connections - len(self._alike))
        room = lines - len(self._flying) - len(self._asked or ()) - len(self._waiting)
        for _ in range(room if self.report.trouble is None else 0):
            outgoing = self._store.take()
            if outgoing is None:
                return
            self._waiting.append(outgoing)

    def _ask(self) -> None:
        if self._asked is not None:
            return
        starting = list(self._waiting) if self.report.trouble is None else []
        if starting or self._store.has_news():
            if starting:
                self._waiting.clear()
            self._asked = starting
            self._store.permit(starting)

    def _collect(self) -> None:
        """Note the fates that are known; wait for one, for the store, or for a moment."""
        if self._asked is not None or not self._flying:
            self._store.permitted()
            select.select([self._store.fileno()], [], [], 0.02 if self._flying else WAIT_SECONDS)
        done, _ = wait(self._flying, timeout=0 if self._asked is not None else WAIT_SECONDS, return_when=FIRST_COMPLETED)
        for future in done:
            self._settle(self._flying.pop(future), future.result())

    def _settle(self, outgoing: Outgoing, outcome: Outcome) -> None:
        """Note a fate; refusals that are all alike wait until it is clear whether they are about the messages or the account."""
        if self._alike and outcome != self._alike[0][1]:
            self._note_alike()
        # A message that is refused again, after it was tried again, is itself at fault.
        if outcome.fate is not Fate.FAILED or outcome.stage is not Stage.CONTENT or outgoing.attempts:
            self._note(outgoing, outcome)
            return
        self._alike.append((outgoing, outcome))
        if len(self._alike) >= ALIKE_REFUSALS_UNTIL_TROUBLE or outcome == self._refused_alike:
            self._refused_alike = outcome
            self._alike = [(each, replace(outcome, fate=Fate.RETRY)) for each, _ in self._alike]
            self._note_alike()
            reason = f"{ALIKE_REFUSALS_UNTIL_TROUBLE} messages in a row were refused alike: {outcome.text}"
            self.report.trouble = Trouble(reason, permanent=True)

    def _note_alike(self) -> None:
        alike, self._alike = self._alike, []
        for outgoing, outcome in alike:
            self._note(outgoing, outcome)

    def _note(self, outgoing: Outgoing, outcome: Outcome) -> None:
        self.report.count(outcome.fate)
        self._store.record(outgoing, outcome)
        self._refusals = self._refusals + 1 if outcome.fate in (Fate.RETRY, Fate.AMBIGUOUS) else 0
        if outcome.stage is Stage.SENDER:
            self.report.trouble = Trouble(outcome.text, permanent=True)
        elif self._refusals >= self._messenger.settings.refusals_until_trouble:
            self.report.trouble = Trouble(f"{self._refusals} temporary refusals in a row, the last: {outcome.text}")


def as_django_message(body: bytes, recipient: str) -> EmailMultiAlternatives:
    """Take a rendered message apart into what a provider's API wants."""
    mime: MimeMessage = message_from_bytes(body, policy=default_policy)
    plain, html = mime.get_body(("plain",)), mime.get_body(("html",))
    headers = {name: str(value) for name, value in mime.items() if name.lower() not in _OWN_HEADERS}
    message = EmailMultiAlternatives(
        subject=str(mime["Subject"] or ""),
        body=plain.get_content() if plain is not None else "",
        from_email=str(mime["From"]),
        to=[str(mime["To"] or recipient)],
        reply_to=[str(mime["Reply-To"])] if mime["Reply-To"] else None,
        headers=headers,
    )
    if html is not None:
        message.attach_alternative(html.get_content(), "text/html")
    return message


def _backend_class(kind: str) -> Any:
    try:
        return import_module(f"anymail.backends.{kind}").EmailBackend
    except (ModuleNotFoundError, AnymailImproperlyInstalled) as error:
        raise UnsupportedFeatureError(f"{kind}: {words_of(error)}") from error
