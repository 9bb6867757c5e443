"""How to reach one SMTP server."""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Security(StrEnum):
    """How the line is protected. There is no "if offered": a stripped STARTTLS must not go unnoticed."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


MOST_CONNECTIONS = 128
_NAME = re.compile(r"[\w.:\[\]-]{1,253}")
_NUMBERS: dict[str, type[int] | type[float]] = {
    **dict.fromkeys(("port", "connections", "max_messages", "failures_until_trouble", "refusals_until_trouble"), int),
    **dict.fromkeys(("connect_timeout", "reply_timeout", "body_timeout"), float),
}


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """Address, credentials and limits of one SMTP account."""

    host: str
    port: int = 587
    security: Security = Security.STARTTLS
    username: str = ""
    password: str = ""
    connections: int = 16
    max_messages: int = 1000
    connect_timeout: float = 30.0
    reply_timeout: float = 60.0
    body_timeout: float = 300.0
    hello_name: str = ""
    ca_file: str = ""
    failures_until_trouble: int = 5
    refusals_until_trouble: int = 50

    @classmethod
    def from_account(cls, values: dict[str, Any]) -> SmtpSettings:
        """Read an account's settings and secrets, ignoring keys of other transports.

        Raises:
            ValueError: a value is not what it should be.
        """
        known = {name: values[name] for name in cls.__dataclass_fields__ if name in values}
        known["security"] = Security(known.get("security") or Security.STARTTLS)
        for name in ("host", "username", "password", "hello_name", "ca_file"):
            if not isinstance(known.get(name, ""), str):
                raise ValueError(f"{name} is no text")
        known |= {name: kind(known[name]) for name, kind in _NUMBERS.items() if name in known}
        settings = cls(**known)
        if not _NAME.fullmatch(settings.host) or not _NAME.fullmatch(settings.hello_name or "localhost"):
            raise ValueError("host and hello_name are names of machines")
        if not 0 < settings.port < 65_536 or not 0 < settings.connections <= MOST_CONNECTIONS:
            raise ValueError("port or connections out of range")
        return settings

    def greeting_name(self) -> str:
        """Return the name to give in EHLO."""
        return self.hello_name or socket.getfqdn() or "localhost"

    def tls_context(self) -> ssl.SSLContext | None:
        """Return the TLS context, verifying the server's name and certificate; None where TLS is off."""
        if self.security is Security.NONE:
            return None
        return ssl.create_default_context(cafile=self.ca_file or None)
