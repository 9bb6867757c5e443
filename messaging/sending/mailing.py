"""The composer of e-mail: a template version compiled once for a dispatch, rendered for each recipient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from django.conf import settings

from accounts.models import Organization
from accounts.queries import current_organization
from crm.models import Purpose
from messaging.channels.base import Outgoing
from messaging.content.frame import Branding, MessageFrame, MessageSource, Sender
from messaging.content.message import CompiledMessage, compile_message
from messaging.content.problems import RenderError
from messaging.content.wire import to_seven_bit
from messaging.models import Dispatch, SenderAccount
from messaging.sending.composer import Contexts, NotComposedError
from messaging.sending.ledger import Row
from messaging.tracking.tokens import TokenSigner, derive_key
from messaging.variables import load_contexts


class Mailing:
    """One compiled message and the addresses around it."""

    def __init__(self, message: CompiledMessage, *, sender: str, language: str, clock: Callable[[], datetime]) -> None:
        self._message = message
        self._sender = sender
        self._language = language
        self._clock = clock
        self._seven_bit = partial(to_seven_bit, boundary=message.boundary)

    def contexts(self, rows: Sequence[Row]) -> Contexts:
        """Read what the message uses about each recipient; a customer who is gone has no context."""
        return load_contexts(
            customer_ids=[row.customer_id for row in rows],
            names=self._message.variables,
            language=self._language,
            now=self._clock(),
        )

    def compose(self, row: Row, contexts: Contexts) -> Outgoing:
        """Render one message.

        Raises:
            NotComposedError: the customer is gone, or the template asks for something this one lacks.
        """
        try:
            context = contexts[row.customer_id]
        except KeyError:
            raise NotComposedError("the customer no longer exists") from None
        context["recipient"]["address"] = row.address
        try:
            body = self._message.render(context, row.delivery_id)
        except RenderError as problem:
            raise NotComposedError(str(problem)) from problem
        return Outgoing(row.delivery_id, self._sender, row.address, body, seven_bit=self._seven_bit, has_sound_lines=True)


def open_mailing(dispatch: Dispatch, *, clock: Callable[[], datetime]) -> Mailing:
    """Compile a dispatch's template version for its sender.

    Raises:
        MessageRejectedError: the version cannot be compiled.
    """
    version, account = dispatch.version, dispatch.account
    source = MessageSource(
        subject=version.subject, html=version.html, text=version.text, preheader=version.preheader, language=version.language
    )
    frame = frame_of(account, current_organization(), unsubscribable=dispatch.purpose != Purpose.TRANSACTIONAL)
    message = compile_message(source, frame)
    return Mailing(message, sender=account.from_email, language=version.language, clock=clock)


def frame_of(account: SenderAccount, organization: Organization, *, unsubscribable: bool) -> MessageFrame:
    """Return what surrounds every message of this sender."""
    return MessageFrame(
        sender=Sender(account.from_email, account.from_name or organization.name, account.reply_to),
        branding=Branding(organization.name, organization.postal_address),
        base_url=settings.PUBLIC_URL,
        signer=TokenSigner(organization.pk, derive_key(settings.SECRET_KEY)),
        unsubscribable=unsubscribable,
    )
