"""What a message will look like to one customer: the very render that would be sent, taken apart again."""

from __future__ import annotations

import email
import email.policy
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from accounts.queries import current_organization
from crm.models import Purpose
from messaging.actions.templates import source_of
from messaging.content.frame import Branding, MessageFrame, MessageSource, Sender
from messaging.content.message import CompiledMessage, compile_message
from messaging.content.problems import Problem
from messaging.content.validation import sample_context, validate_message
from messaging.models import MessageTemplate, SenderAccount, TemplateVersion
from messaging.sending.mailing import frame_of
from messaging.tracking.keys import signer_for
from messaging.variables import RECIPIENT, known_variables, load_contexts


@dataclass(frozen=True, slots=True)
class Preview:
    """A rendered message as a reader sees it."""

    sender: str
    recipient: str
    subject: str
    html: str
    text: str


def preview_message(
    *, source: MessageSource, now: datetime, customer_id: int | None = None, account: SenderAccount | None = None
) -> Preview:
    """Render for a customer, or with sample values; links lead where they lead, nothing is tracked.

    Raises:
        MessageRejectedError: it cannot be compiled.
        RenderError: it cannot be made for this customer.
    """
    message = compile_message(source, preview_frame(account))
    context = preview_context(message, source.language, customer_id, now)
    return _read(message.render(context, 0))


def template_problems(template: MessageTemplate, version: TemplateVersion | None) -> list[Problem]:
    """What an author should mend in a version, errors first."""
    if version is None:
        return []
    return validate_message(
        source_of(version),
        known_variables(),
        unsubscribable=template.purpose != Purpose.TRANSACTIONAL,
        postal_address=current_organization().postal_address,
    )


def preview_frame(account: SenderAccount | None) -> MessageFrame:
    """What surrounds a message that is shown or tested rather than sent: no pixel, links as they are."""
    organization = current_organization()
    if account is not None and account.from_email:
        return replace(frame_of(account, organization, unsubscribable=False), tracked=False)
    return MessageFrame(
        sender=Sender("sender@example.org", organization.name),
        branding=Branding(organization.name, organization.postal_address),
        base_url="",
        signer=signer_for(organization.pk),
        tracked=False,
        unsubscribable=False,
    )


def preview_context(message: CompiledMessage, language: str, customer_id: int | None, now: datetime) -> dict[str, Any]:
    """The values of a customer; sample values where there is none."""
    if customer_id is not None:
        found = load_contexts(customer_ids=[customer_id], names=message.variables | {"customer.email"}, language=language, now=now)
        if customer_id in found:
            context = found[customer_id]
            context[RECIPIENT]["address"] = context["customer"].get("email") or "nobody@example.org"
            return context
    return sample_context(known_variables())


def _read(wire: bytes) -> Preview:
    parsed = email.message_from_bytes(wire, policy=email.policy.default)
    parts = {part.get_content_type(): str(part.get_content()) for part in parsed.walk() if not part.is_multipart()}
    return Preview(
        sender=str(parsed["From"]),
        recipient=str(parsed["To"]),
        subject=str(parsed["Subject"]),
        html=parts["text/html"],
        text=parts["text/plain"].replace("\r\n", "\n"),
    )
