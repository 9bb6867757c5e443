"""The ways e-mail can leave; see docs for adding one."""

from __future__ import annotations

from typing import Any

from messaging.channels.base import Messenger, Transport, UnsupportedFeatureError, register
from messaging.channels.email.anymail import AnymailMessenger, AnymailSettings
from messaging.channels.email.smtp_engine import SmtpMessenger
from messaging.channels.email.smtp_settings import SmtpSettings


def _open_smtp(values: dict[str, Any]) -> Messenger:
    try:
        return SmtpMessenger(SmtpSettings.from_account(values))
    except (TypeError, ValueError) as error:
        raise UnsupportedFeatureError(f"SMTP settings: {error}") from error


def _anymail(kind: str, label: str, secrets: tuple[str, ...], options: tuple[str, ...] = ()) -> Transport:
    def open_it(values: dict[str, Any]) -> Messenger:
        return AnymailMessenger(AnymailSettings.from_account(kind, values))

    return Transport("email", kind, label, open_it, options, secrets)


TRANSPORTS = [
    register(Transport("email", "smtp", "SMTP", _open_smtp, ("host", "port", "security"), ("username", "password"))),
    register(_anymail("sendgrid", "SendGrid", ("api_key",), ("api_url",))),
    register(_anymail("mailgun", "Mailgun", ("api_key",), ("api_url", "sender_domain"))),
    register(_anymail("postmark", "Postmark", ("server_token",), ("api_url",))),
    register(_anymail("brevo", "Brevo", ("api_key",), ("api_url",))),
    register(_anymail("test", "Test service", ())),
]
