"""The SMTP engine against a server with real sockets: every state in which a line can break, every kind of answer."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from messaging.channels.base import Fate, LeaseLostError, Outcome, Report, Stage
from messaging.channels.email.smtp_engine import SmtpEngine
from messaging.channels.email.smtp_settings import Security, SmtpSettings
from tests.messaging.memory_store import BODY, MemoryStore, message
from tests.smtp_server import DROP, SILENCE, Answer, Mail, Script, SmtpServer, smtp_server

SENT = Fate.SENT
LOCK_STEP = ["8BITMIME"]


def settings_for(server: SmtpServer, **values: object) -> SmtpSettings:
    plain = SmtpSettings(
        host="127.0.0.1", port=server.port, security=Security.NONE, connections=4, hello_name="shop.example", reply_timeout=2.0,
        body_timeout=2.0, connect_timeout=2.0,
    )  # fmt: skip
    return replace(plain, **values)  # type: ignore[arg-type]


def send(server: SmtpServer, store: MemoryStore, **values: object) -> Report:
    return SmtpEngine(settings_for(server, **values), store).run()


@pytest.fixture(params=["pipelining", "lock-step"])
def script(request: pytest.FixtureRequest) -> Script:
    return Script() if request.param == "pipelining" else Script(extensions=list(LOCK_STEP))


def once(answer: str, recipient: str = "person3@example.net") -> Answer:
    """Give the answer to the first command about one recipient, then agree."""
    seen: list[str] = []

    def reply(given: str) -> str | None:
        if given == recipient and not seen:
            seen.append(given)
            return answer
        return None

    return reply


def test_every_message_arrives_once_and_unchanged(script: Script) -> None:
    store = MemoryStore(200)
    with smtp_server(script) as server:
        report = send(server, store)
    assert report.fates == {Fate.SENT: 200, Fate.RETRY: 0, Fate.FAILED: 0, Fate.AMBIGUOUS: 0}
    assert report.trouble is None
    assert server.recipients() == {f"person{n}@example.net": 1 for n in range(1, 201)}
    assert {mail.body for mail in server.mails} == {BODY}
    assert server.most_open == 4
    assert store.most_flying <= 4


def test_with_pipelining_the_next_envelope_leaves_with_the_body() -> None:
    # The permission for the second body takes a while, and yet its envelope is at the server already.
    with smtp_server() as server:
        send(server, MemoryStore(3), connections=1)
        assert [command.split(":")[0] for command in server.commands] == [
            "EHLO shop.example", "MAIL FROM", "RCPT TO", "DATA", "MAIL FROM", "RCPT TO", "DATA", "MAIL FROM", "RCPT TO", "DATA", "QUIT",
        ]  # fmt: skip


def test_no_body_leaves_before_its_permission(script: Script) -> None:
    seen: list[tuple[str, set[int]]] = []
    store = MemoryStore(40, writes_take=3)
    script.on_body = lambda recipient: seen.append((recipient, set(store.flying))) or None  # type: ignore[func-returns-value]
    with smtp_server(script) as server:
        send(server, store)
    assert len(seen) == 40
    for recipient, flying in seen:
        assert int(recipient.removeprefix("person").split("@")[0]) in flying
        assert len(flying) <= 4


def test_half_of_the_lines_share_a_durable_write_while_the_others_are_on_the_wire() -> None:
    # With a clock that stands still no write is given up waiting for.
    store = MemoryStore(200)
    with smtp_server() as server:
        SmtpEngine(settings_for(server, connections=8), store, clock=lambda: 0.0).run()
        assert len(server.mails) == 200
    windows = [window for window in store.permits if window]
    opening, closing = 8, 8
    assert len(windows) <= 200 / 4 + opening + closing


def test_a_write_waits_for_a_slow_line_no_longer_than_a_moment() -> None:
    script = Script(on_body=lambda recipient: SILENCE if recipient == "person1@example.net" else None)
    store = MemoryStore(40)
    with smtp_server(script) as server:
        report = send(server, store, body_timeout=0.5)
    assert report.fates == {Fate.SENT: 39, Fate.RETRY: 0, Fate.FAILED: 0, Fate.AMBIGUOUS: 1}


@pytest.mark.parametrize(
    ("stage", "answer", "outcome"),
    [
        ("on_rcpt", "550 5.1.1 No such user", Outcome(Fate.FAILED, Stage.RECIPIENT, 550, "5.1.1", "5.1.1 No such user")),
        ("on_rcpt", "450 4.2.0 Greylisted", Outcome(Fate.RETRY, Stage.RECIPIENT, 450, "4.2.0", "4.2.0 Greylisted")),
        ("on_data", "451 Later", Outcome(Fate.RETRY, Stage.CONTENT, 451, "", "Later")),
        ("on_body", "554 5.7.1 Spam", Outcome(Fate.FAILED, Stage.BODY, 554, "5.7.1", "5.7.1 Spam")),
        ("on_body", "452 4.3.1 Disk full", Outcome(Fate.RETRY, Stage.BODY, 452, "4.3.1", "4.3.1 Disk full")),
    ],
)
def test_a_refusal_hits_one_message_alone(script: Script, stage: str, answer: str, outcome: Outcome) -> None:
    setattr(script, stage, lambda recipient: answer if recipient == "person3@example.net" else None)
    store = MemoryStore(20)
    with smtp_server(script) as server:
        report = send(server, store, connections=2)
    assert store.outcomes[3] == outcome
    assert report.fates[SENT] == 19
    assert len(server.mails) == 19
    assert "person3@example.net" not in server.recipients()


def test_a_message_whose_sender_is_refused_may_leave_later(script: Script) -> None:
    script.on_mail = lambda sender: "553 5.1.8 Who?" if sender == "nobody@example.com" else None
    store = MemoryStore(messages=[message(1), message(2, sender="nobody@example.com"), message(3)])
    with smtp_server(script) as server:
        send(server, store, connections=1)
    assert store.outcomes[2] == Outcome(Fate.RETRY, Stage.SENDER, 553, "5.1.8", "5.1.8 Who?")
    assert sorted(server.recipients()) == ["person1@example.net", "person3@example.net"]


def test_a_server_that_refuses_the_sender_every_time_stops_the_account_before_it_costs_a_campaign(script: Script) -> None:
    script.on_mail = lambda sender: "530 5.7.0 Authentication required"
    store = MemoryStore(500)
    with smtp_server(script) as server:
        report = send(server, store, connections=4)
    assert report.trouble is not None
    assert (report.trouble.permanent, "Authentication required" in report.trouble.reason) == (True, True)
    assert server.mails == []
    assert set(store.fates().values()) <= {Fate.RETRY}
    assert len(store.fates()) < 20


def test_data_accepted_after_a_refused_recipient_is_ended_by_a_lone_dot() -> None:
    script = Script(
        on_rcpt=lambda recipient: "550 5.1.1 No" if recipient == "person2@example.net" else None,
        on_data=lambda recipient: "354 Go on anyway" if recipient == "person2@example.net" else None,
        on_body=lambda recipient: "554 No recipients" if recipient == "person2@example.net" else None,
    )
    store = MemoryStore(5)
    with smtp_server(script) as server:
        send(server, store, connections=1)
    assert store.outcomes[2].code == 550
    assert [mail.recipient for mail in server.mails] == [f"person{n}@example.net" for n in (1, 3, 4, 5)]


def test_a_line_lost_before_the_body_sends_the_message_over_another(script: Script) -> None:
    for stage in ("on_mail", "on_rcpt", "on_data"):
        fresh = replace(script)
        setattr(fresh, stage, once(DROP, "shop@example.com" if stage == "on_mail" else "person3@example.net"))
        store = MemoryStore(12)
        with smtp_server(fresh) as server:
            report = send(server, store, connections=2)
        assert report.fates == {Fate.SENT: 12, Fate.RETRY: 0, Fate.FAILED: 0, Fate.AMBIGUOUS: 0}, stage
        assert set(server.recipients().values()) == {1}


def test_a_line_lost_after_the_body_leaves_one_message_in_doubt(script: Script) -> None:
    script.on_body = once(DROP)
    store = MemoryStore(30)
    with smtp_server(script) as server:
        report = send(server, store)
    assert report.fates == {Fate.SENT: 29, Fate.RETRY: 0, Fate.FAILED: 0, Fate.AMBIGUOUS: 1}
    assert store.fates()[3] is Fate.AMBIGUOUS
    assert set(server.recipients().values()) == {1}, "never sent again"


def test_a_body_of_which_the_end_never_left_is_sent_again() -> None:
    # Larger than all buffers on the way: when the server closes after some lines, the final dot cannot have left.
    limits = iter([100])
    script = Script(lines_before_drop=lambda recipient: next(limits, None))
    large = b"Subject: large\r\n\r\n" + (b"x" * 98 + b"\r\n") * 150_000
    store = MemoryStore(messages=[message(1, body=large)])
    with smtp_server(script) as server:
        report = send(server, store, connections=1, body_timeout=20.0)
    assert report.fates == {Fate.SENT: 1, Fate.RETRY: 0, Fate.FAILED: 0, Fate.AMBIGUOUS: 0}
    assert server.connections == 2
    assert [mail.body for mail in server.mails] == [large]


def test_silence_after_the_body_leaves_it_in_doubt_and_silence_before_does_not(script: Script) -> None:
    script.on_body = once(SILENCE, "person1@example.net")
    script.on_rcpt = once(SILENCE, "person2@example.net")
    store = MemoryStore(6)
    with smtp_server(script) as server:
        started = time.monotonic()
        send(server, store, reply_timeout=0.6, body_timeout=0.6)
    assert time.monotonic() - started < 10
    assert store.fates()[1] is Fate.AMBIGUOUS
    assert [store.fates()[number] for number in range(2, 7)] == [SENT] * 5
    assert server.recipients()["person2@example.net"] == 1


def test_shutdown_announced_instead_of_a_receipt_is_a_refusal_for_now(script: Script) -> None:
    script.on_body = once("421 4.3.2 Shutting down")
    store = MemoryStore(12)
    with smtp_server(script) as server:
        report = send(server, store, connections=2)
    assert store.outcomes[3] == Outcome(Fate.RETRY, Stage.BODY, 421, "4.3.2", "4.3.2 Shutting down")
    assert report.fates[SENT] == 11
    assert set(server.recipients().values()) == {1}


def test_shutdown_announced_between_messages_loses_none(script: Script) -> None:
    script.on_rcpt = once("421 4.7.0 Too many messages")
    store = MemoryStore(12)
    with smtp_server(script) as server:
        report = send(server, store, connections=2)
    assert report.fates[SENT] == 12
    assert set(server.recipients().values()) == {1}


def test_a_message_that_kills_every_line_is_put_off(script: Script) -> None:
    script.on_data = lambda recipient: DROP if recipient == "person3@example.net" else None
    store = MemoryStore(30)
    with smtp_server(script) as server:
        report = send(server, store, connections=2, failures_until_trouble=50)
    assert store.outcomes[3].fate is Fate.RETRY
    assert report.fates[SENT] == 29


def test_a_line_carries_no_more_than_it_may(script: Script) -> None:
    with smtp_server(script) as server:
        report = send(server, MemoryStore(50), connections=2, max_messages=10)
    assert report.fates[SENT] == 50
    assert 5 <= server.connections <= 7
    assert server.commands.count("QUIT") == server.connections


def test_a_server_that_admits_few_lines_is_used_with_few() -> None:
    script = Script(greeting=lambda number: "220 ok" if number <= 2 else "421 4.7.0 Too many connections")
    with smtp_server(script) as server:
        report = send(server, MemoryStore(300), connections=8)
    assert report.fates[SENT] == 300
    assert report.trouble is None


def test_no_server_is_trouble_and_nothing_is_lost() -> None:
    with smtp_server() as server:
        port = server.port
    store = MemoryStore(5)
    engine = SmtpEngine(SmtpSettings(host="127.0.0.1", port=port, security=Security.NONE, failures_until_trouble=2), store)
    report = engine.run()
    assert report.trouble is not None
    assert "could not connect" in report.trouble.reason
    assert not report.trouble.permanent
    assert store.outcomes == {}


def test_refusals_in_a_row_are_trouble() -> None:
    script = Script(on_rcpt=lambda recipient: "451 4.7.1 Try later")
    store = MemoryStore(500)
    with smtp_server(script) as server:
        report = send(server, store, refusals_until_trouble=20)
    assert report.trouble is not None
    assert "4.7.1 Try later" in report.trouble.reason
    assert 20 <= report.fates[Fate.RETRY] <= 30
    assert report.fates[SENT] == 0


def test_stopping_the_store_stops_the_engine_and_keeps_the_rest(script: Script) -> None:
    store = MemoryStore(1000)
    script.on_body = lambda recipient: setattr(store, "is_stopped", len(server.mails) >= 50) or None  # type: ignore[func-returns-value]
    with smtp_server(script) as server:
        report = send(server, store)
    assert 50 <= report.fates[SENT] <= 70
    assert report.fates[SENT] == len(server.mails)
    assert set(server.recipients().values()) == {1}
    assert len(store.outcomes) + len(store.ready) + len(store.given_back) == 1000


def test_a_lost_lease_stops_everything_at_once(script: Script) -> None:
    store = MemoryStore(100)
    store.lose_lease_at = 5
    with smtp_server(script) as server, pytest.raises(LeaseLostError):
        send(server, store)
    permitted = {number for numbers in store.permits for number in numbers}
    assert {int(mail.recipient[6:].split("@")[0]) for mail in server.mails} <= permitted


def test_what_the_server_cannot_take_is_failed_with_the_reason() -> None:
    script = Script(extensions=["PIPELINING", "SIZE 1000"])
    store = MemoryStore(
        messages=[
            message(1, recipient="علی@example.com"),
            message(2, body="Subject: é\r\n\r\n".encode()),
            message(3, body=b"x" * 1001),
            message(4, recipient="a b@example.com"),
            message(5, body="Subject: é\r\n\r\n".encode(), seven_bit=lambda body: b"Subject: e\r\n\r\n"),
            message(6),
        ]
    )
    with smtp_server(script) as server:
        send(server, store, connections=1)
    assert {number: (outcome.fate, outcome.text) for number, outcome in store.outcomes.items()} == {
        1: (Fate.FAILED, "the address needs SMTPUTF8, which the server does not offer"),
        2: (Fate.FAILED, "the message needs 8BITMIME, which the server does not offer"),
        3: (Fate.FAILED, "the message is larger than the server takes (1000 bytes)"),
        4: (Fate.FAILED, "address cannot be sent to: 'a b@example.com'"),
        5: (SENT, ""),
        6: (SENT, ""),
    }
    assert [mail.body for mail in server.mails] == [b"Subject: e\r\n\r\n", BODY]


def test_extensions_are_asked_for_where_they_are_needed() -> None:
    store = MemoryStore(messages=[message(1, recipient="علی@example.com", body="Subject: é\r\n\r\n".encode()), message(2)])
    with smtp_server() as server:
        send(server, store, connections=1)
    assert [(mail.recipient, mail.options) for mail in server.mails] == [
        ("علی@example.com", "BODY=8BITMIME SMTPUTF8"),
        ("person2@example.net", ""),
    ]
    assert isinstance(server.mails[0], Mail)
