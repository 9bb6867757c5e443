"""Opening an SMTP session: TLS, login, and servers that do not let us in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from messaging.channels.base import Fate, Report
from messaging.channels.email.smtp_settings import Security, SmtpSettings
from tests.messaging.memory_store import MemoryStore, message
from tests.messaging.test_smtp_engine import once, send
from tests.smtp_server import DROP, Script, self_signed, smtp_server

LOGIN = ("shop", "s3cret pass")


def login_values(trusted: Path, security: Security, **values: object) -> dict[str, object]:
    return {"security": security, "ca_file": str(trusted), "username": LOGIN[0], "password": LOGIN[1], **values}


def secure_script(folder: Path, security: Security, *extensions: str) -> tuple[Script, Path]:
    context, trusted = self_signed(folder)
    script = Script(extensions=list(extensions), tls=context, implicit_tls=security is Security.TLS, login=LOGIN)
    return script, trusted


@pytest.mark.parametrize("auth", ["AUTH PLAIN LOGIN", "AUTH LOGIN"])
@pytest.mark.parametrize("pipelining", ["PIPELINING", "8BITMIME"])
@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
def test_messages_arrive_under_tls_with_login(tmp_path: Path, security: Security, pipelining: str, auth: str) -> None:
    script, trusted = secure_script(tmp_path, security, pipelining, auth)
    with smtp_server(script) as server:
        report = send(server, MemoryStore(60), **login_values(trusted, security))
    assert report.fates[Fate.SENT] == 60
    assert set(server.recipients().values()) == {1}
    assert any(command.startswith("AUTH") for command in server.commands)


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
def test_doubt_is_told_from_safety_under_tls_too(tmp_path: Path, security: Security) -> None:
    script, trusted = secure_script(tmp_path, security, "PIPELINING", "AUTH PLAIN")
    script.on_body = once(DROP)
    script.on_data = once(DROP, "person5@example.net")
    store = MemoryStore(30)
    with smtp_server(script) as server:
        report = send(server, store, **login_values(trusted, security))
    assert report.fates == {Fate.SENT: 29, Fate.RETRY: 0, Fate.FAILED: 0, Fate.AMBIGUOUS: 1}
    assert store.fates()[3] is Fate.AMBIGUOUS
    assert set(server.recipients().values()) == {1}


def test_a_large_body_passes_tls_in_pieces(tmp_path: Path) -> None:
    script, trusted = secure_script(tmp_path, Security.STARTTLS, "PIPELINING", "AUTH PLAIN")
    limits = iter([100])
    script.lines_before_drop = lambda recipient: next(limits, None)
    large = b"Subject: large\r\n\r\n" + (b"x" * 98 + b"\r\n") * 150_000
    store = MemoryStore(messages=[message(1, body=large)])
    with smtp_server(script) as server:
        report = send(server, store, connections=1, **login_values(trusted, Security.STARTTLS, body_timeout=20.0))
    assert report.fates[Fate.SENT] == 1
    assert [mail.body for mail in server.mails] == [large]


def test_a_server_that_hides_starttls_gets_neither_password_nor_message() -> None:
    with smtp_server(Script(extensions=["AUTH PLAIN"], login=LOGIN)) as server:
        report = refused(server.port, Security.STARTTLS)
    assert report.trouble is not None
    assert report.trouble.reason == "server does not offer STARTTLS"
    assert report.trouble.permanent
    assert not any(command.startswith("AUTH") for command in server.commands)


def test_a_certificate_that_nobody_vouches_for_ends_the_session(tmp_path: Path) -> None:
    script, _ = secure_script(tmp_path, Security.STARTTLS, "AUTH PLAIN")
    with smtp_server(script) as server:
        report = refused(server.port, Security.STARTTLS)
    assert report.trouble is not None
    assert report.trouble.reason.startswith("certificate refused")
    assert report.trouble.permanent
    assert not any(command.startswith("AUTH") for command in server.commands)


def test_words_slipped_in_before_the_handshake_are_not_believed(tmp_path: Path) -> None:
    script, trusted = secure_script(tmp_path, Security.STARTTLS, "AUTH PLAIN")
    script.after_starttls = b"250-evil\r\n250 AUTH PLAIN\r\n"
    with smtp_server(script) as server:
        report = refused(server.port, Security.STARTTLS, ca_file=str(trusted))
    assert report.trouble is not None
    assert report.trouble.reason == "data in the clear after STARTTLS"


def test_a_wrong_password_stops_at_once(tmp_path: Path) -> None:
    script, trusted = secure_script(tmp_path, Security.STARTTLS, "AUTH PLAIN")
    with smtp_server(script) as server:
        report = refused(server.port, Security.STARTTLS, ca_file=str(trusted), password="wrong", connections=8)
    assert report.trouble is not None
    assert report.trouble.reason == "server refused the login: 535 5.7.8 Wrong password"
    assert report.trouble.permanent
    assert server.connections == 1, "a locked account is worse than a late campaign"


@pytest.mark.parametrize(
    ("greeting", "reason"),
    [
        ("554 5.7.1 Not you", "server refused the connection: 554 5.7.1 Not you"),
        ("421 4.3.2 Busy", "server refused the connection: 421 4.3.2 Busy"),
        ("SSH-2.0-OpenSSH_9.2", "not a reply: b'SSH-2.0-OpenSSH_9.2\\r'"),
    ],
)
def test_a_server_that_does_not_want_us_is_named(greeting: str, reason: str) -> None:
    with smtp_server(Script(greeting=lambda number: greeting)) as server:
        report = refused(server.port, Security.NONE)
    assert report.trouble is not None
    assert report.trouble.reason == reason


def test_settings_of_an_account_are_read_and_checked() -> None:
    settings = SmtpSettings.from_account({"host": "mx", "port": 25, "security": "none", "connections": 3, "api_key": "of another kind"})
    assert settings == SmtpSettings(host="mx", port=25, security=Security.NONE, connections=3)
    assert SmtpSettings.from_account({"host": "mx"}).security is Security.STARTTLS
    assert SmtpSettings.from_account({"host": "mx", "port": "2525", "body_timeout": 10}).port == 2525


@pytest.mark.parametrize(
    "values",
    [
        {"host": "mx", "security": "maybe"},
        {"host": ""},
        {"host": "mx\r\nRSET"},
        {"host": ["mx"]},
        {"host": "mx", "hello_name": "me\r\nMAIL FROM:<x>"},
        {"host": "mx", "port": "smtp"},
        {"host": "mx", "port": 0},
        {"host": "mx", "port": None},
        {"host": "mx", "connections": 1000},
        {"host": "mx", "password": 5},
        {},
    ],
)
def test_settings_that_cannot_work_are_refused(values: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        SmtpSettings.from_account(values)


def refused(port: int, security: Security, **values: object) -> Report:
    from messaging.channels.email.smtp_engine import SmtpEngine

    settings = SmtpSettings(
        host="127.0.0.1", port=port, security=security, username=LOGIN[0] if security is not Security.NONE else "",
        password=LOGIN[1], failures_until_trouble=2, hello_name="shop.example",
    )  # fmt: skip
    store = MemoryStore(5)
    report = SmtpEngine(replace(settings, **values), store).run()  # type: ignore[arg-type]
    assert store.outcomes == {}
    return report
