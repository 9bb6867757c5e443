"""Sending through a provider's API: django-anymail's own test service, and SendGrid's contract on the wire."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from accounts.tenancy import tenant
from messaging.channels.base import Fate, Stage, UnsupportedFeatureError
from messaging.channels.email.anymail import AnymailMessenger, AnymailSettings, as_django_message
from messaging.channels.registry import open_messenger
from messaging.models import DispatchState, SenderAccount
from messaging.sending.run import Ended
from tests.conftest import Cast
from tests.messaging.memory_store import MemoryStore, message
from tests.messaging.sending_stage import set_stage
from tests.smtp_server import self_signed

MIME = (
    b"From: Saffron Barbers <shop@saffron.example>\r\nTo: =?utf-8?b?2KfYsdiv2LTbjNix?= <person1@example.net>\r\n"
    b"Subject: =?utf-8?b?2LPZhNin2YU=?=\r\nDate: Fri, 20 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@saffron.example>\r\n"
    b"Reply-To: answers@saffron.example\r\nMIME-Version: 1.0\r\n"
    b"List-Unsubscribe: <https://saffron.example/t/u/x>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    b'Content-Type: multipart/alternative; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n'
    b"Content-Transfer-Encoding: 8bit\r\n\r\n\xd8\xb3\xd9\x84\xd8\xa7\xd9\x85\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n\r\n<p>\xd8\xb3\xd9\x84\xd8\xa7\xd9\x85</p>\r\n--b--\r\n"
)

Answer = tuple[int, dict[str, str], str]


@dataclass
class Provider:
    """An HTTP server in the provider's place, and what was asked of it."""

    answer: Callable[[dict[str, Any]], Answer]
    port: int = 0
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def provider(answer: Callable[[dict[str, Any]], Answer], tls: ssl.SSLContext | None = None) -> Iterator[Provider]:
    state = Provider(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.requests.append(body)
            state.headers.append({"path": self.path, **dict(self.headers)})
            status, headers, text = state.answer(body)
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {"Content-Length": str(len(text)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.port = server.server_address[1]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def accepted(_: dict[str, Any]) -> Answer:
    return 202, {"X-Message-Id": "abc"}, ""


def sendgrid(port: int, **values: Any) -> AnymailMessenger:
    options = {"api_key": "SG.secret", "api_url": f"http://127.0.0.1:{port}/v3/", "connections": 3} | values
    return AnymailMessenger(AnymailSettings.from_account("sendgrid", options))


def to(body: dict[str, Any]) -> str:
    return str(body["personalizations"][0]["to"][0]["email"])


def test_a_rendered_message_is_taken_apart_for_an_api() -> None:
    made = as_django_message(MIME, "person1@example.net")
    assert made.subject == "سلام"
    assert made.from_email == "Saffron Barbers <shop@saffron.example>"
    assert made.to == ["اردشیر <person1@example.net>"]
    assert made.reply_to == ["answers@saffron.example"]
    assert made.body.strip() == "سلام"
    assert [(str(content).strip(), kind) for content, kind in made.alternatives] == [("<p>سلام</p>", "text/html")]
    assert made.extra_headers == {
        "List-Unsubscribe": "<https://saffron.example/t/u/x>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def test_a_dispatch_leaves_through_anymails_test_service(committed_cast: Cast) -> None:
    mail.outbox = []
    stage = set_stage(committed_cast.saffron.pk, 1, people=25, kind="test", options={}, connections=3)
    assert stage.run().ended is Ended.STOPPED
    assert stage.dispatch().state == DispatchState.COMPLETED
    assert stage.states() == {"sent": 25}
    assert sorted(each.to[0] for each in mail.outbox) == sorted(f"Person{n} <person{n}@example.net>" for n in range(1, 26))
    assert mail.outbox[0].subject.startswith("Hello Person")
    assert "List-Unsubscribe" in mail.outbox[0].extra_headers
    mail.outbox = []


@pytest.mark.realdata
def test_what_sendgrid_is_asked_fits_its_own_contract(shared_data: Path) -> None:
    document = json.loads((shared_data / "provider_specs/sendgrid/oai_v3_stoplight.json").read_text())
    schema = {**document, "$ref": "#/paths/~1mail~1send/post/requestBody/content/application~1json/schema"}
    validator = Draft202012Validator(schema)
    with provider(accepted) as asked:
        report = sendgrid(asked.port).run(MemoryStore(messages=[message(1, body=MIME)]))
    assert report.fates[Fate.SENT] == 1
    (request,) = asked.requests
    assert [error.message for error in validator.iter_errors(request)] == []
    assert list(validator.iter_errors({**request, "from": {"name": "nobody"}})) != [], "the contract itself is read"
    assert to(request) == "person1@example.net"
    assert request["from"] == {"email": "shop@saffron.example", "name": "Saffron Barbers"}
    assert request["subject"] == "سلام"
    assert [part["type"] for part in request["content"]] == ["text/plain", "text/html"]
    assert request["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert asked.headers[0]["path"] == "/v3/mail/send"
    assert asked.headers[0]["Authorization"] == "Bearer SG.secret"


def test_every_answer_of_a_provider_has_its_meaning() -> None:
    answers: dict[str, Answer] = {
        "person2@example.net": (429, {}, '{"errors": [{"message": "too many requests"}]}'),
        "person3@example.net": (503, {}, "upstream"),
        "person4@example.net": (400, {}, '{"errors": [{"message": "Does not contain a valid address.", "field": "personalizations"}]}'),
        "person5@example.net": (0, {}, ""),
        "person7@example.net": (502, {}, "bad gateway"),
        "person8@example.net": (504, {}, "the gateway waited too long"),
        "person9@example.net": (500, {}, "internal error"),
    }
    store = MemoryStore(messages=[message(n, body=MIME.replace(b"person1@", f"person{n}@".encode())) for n in range(1, 10)])
    with provider(lambda body: answers.get(to(body), accepted(body))) as asked:
        report = sendgrid(asked.port).run(store)
    assert store.fates() == {
        1: Fate.SENT, 2: Fate.RETRY, 3: Fate.RETRY, 4: Fate.FAILED, 5: Fate.AMBIGUOUS, 6: Fate.SENT,
        7: Fate.AMBIGUOUS, 8: Fate.AMBIGUOUS, 9: Fate.AMBIGUOUS,
    }  # fmt: skip
    assert (store.outcomes[4].stage, store.outcomes[4].code) == (Stage.CONTENT, 400)
    assert "Does not contain a valid address." in store.outcomes[4].text
    assert report.trouble is None
    assert store.most_flying <= 3
    assert len(asked.requests) == 9, "none was asked twice"


def test_a_provider_that_breaks_every_time_is_trouble_before_many_are_in_doubt() -> None:
    store = MemoryStore(messages=[message(n, body=MIME) for n in range(1, 200)])
    with provider(lambda body: (502, {}, "bad gateway")) as asked:
        report = sendgrid(asked.port).run(store)
    assert report.trouble is not None
    assert not report.trouble.permanent
    assert set(store.fates().values()) == {Fate.AMBIGUOUS}
    assert len(asked.requests) < 70


def test_a_refused_key_stops_at_once_and_shows_no_secret() -> None:
    store = MemoryStore(messages=[message(n, body=MIME) for n in range(1, 100)])
    with provider(lambda body: (401, {}, '{"errors": [{"message": "The provided authorization grant is invalid"}]}')) as asked:
        report = sendgrid(asked.port).run(store)
    assert report.trouble is not None
    assert report.trouble.permanent
    assert "authorization grant is invalid" in report.trouble.reason
    assert "SG.secret" not in report.trouble.reason
    assert len(asked.requests) <= 6
    assert set(store.fates().values()) == {Fate.RETRY}


@pytest.mark.parametrize("status", [402, 404, 405])
def test_an_account_that_is_refused_loses_no_message(status: int) -> None:
    store = MemoryStore(messages=[message(n, body=MIME) for n in range(1, 100)])
    with provider(lambda body: (status, {}, '{"message": "no credits"}')) as asked:
        report = sendgrid(asked.port).run(store)
    assert report.trouble is not None
    assert report.trouble.permanent
    assert "no credits" in report.trouble.reason
    assert set(store.fates().values()) == {Fate.RETRY}
    assert len(asked.requests) <= 6


@pytest.mark.parametrize("connections", [1, 2, 8])
def test_messages_that_are_all_refused_alike_are_the_accounts_trouble(connections: int) -> None:
    words = '{"errors": [{"message": "The from address does not match a verified Sender Identity."}]}'
    store = MemoryStore(messages=[message(n, body=MIME) for n in range(1, 100)])
    with provider(lambda body: (400, {}, words)) as asked:
        report = sendgrid(asked.port, connections=connections).run(store)
    assert report.trouble is not None
    assert report.trouble.permanent
    assert "verified Sender Identity" in report.trouble.reason
    assert set(store.fates().values()) == {Fate.RETRY}
    assert len(store.fates()) == len(asked.requests) <= connections + 5
    assert store.most_flying <= max(3, connections)


def test_messages_that_are_refused_each_for_itself_are_lost_alone() -> None:
    alike: Answer = (400, {}, '{"errors": [{"message": "Does not contain a valid address."}]}')
    store = MemoryStore(messages=[message(n, body=MIME.replace(b"person1@", f"person{n}@".encode())) for n in range(1, 8)])
    refused = {f"person{n}@example.net" for n in (2, 3, 5, 6)}
    with provider(lambda body: alike if to(body) in refused else accepted(body)) as asked:
        report = sendgrid(asked.port, connections=1).run(store)
    assert report.trouble is None
    assert {n: fate for n, fate in store.fates().items() if fate is not Fate.SENT} == dict.fromkeys((2, 3, 5, 6), Fate.FAILED)
    assert len(asked.requests) == 7


def test_messages_refused_again_when_tried_again_are_themselves_at_fault() -> None:
    store = MemoryStore(messages=[message(n, body=MIME, attempts=1) for n in range(1, 6)])
    with provider(lambda body: (400, {}, "{}")) as asked:
        report = sendgrid(asked.port).run(store)
    assert report.trouble is None
    assert list(store.fates().values()) == [Fate.FAILED] * 5
    assert len(asked.requests) == 5


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("sendgrid", {"api_key": "k", "api_url": "api.sendgrid.com/v3/"}),
        ("sendgrid", {"api_key": "k", "api_url": "ftp://api.sendgrid.com/v3/"}),
        ("sendgrid", {"api_key": "k", "api_url": "http://*/v3/"}),
        ("postmark", {"server_token": " KEY", "api_url": "http://127.0.0.1:9/"}),
        ("postmark", {"server_token": "کلید", "api_url": "http://127.0.0.1:9/"}),
    ],
)
def test_settings_that_make_no_request_stop_at_once_and_leave_nothing_in_doubt(kind: str, options: dict[str, Any]) -> None:
    store = MemoryStore(messages=[message(n, body=MIME) for n in range(1, 100)])
    report = AnymailMessenger(AnymailSettings.from_account(kind, options)).run(store)
    assert report.trouble is not None
    assert report.trouble.permanent
    assert set(store.fates().values()) == {Fate.RETRY}
    assert len(store.fates()) <= 8


@pytest.mark.parametrize("address", ["http://no-such-host.invalid/v3/", "https://127.0.0.1:{port}/v3/"])
def test_a_connection_that_never_stood_leaves_nothing_in_doubt(address: str) -> None:
    store = MemoryStore(messages=[message(n, body=MIME) for n in range(1, 30)])
    with provider(accepted) as asked:
        report = sendgrid(asked.port, api_url=address.format(port=asked.port), refusals_until_trouble=5).run(store)
    assert report.trouble is not None
    assert not report.trouble.permanent
    assert set(store.fates().values()) == {Fate.RETRY}
    assert asked.requests == []


def test_a_provider_whose_certificate_is_not_trusted_stops_at_once(tmp_path: Path) -> None:
    store = MemoryStore(messages=[message(n, body=MIME) for n in range(1, 100)])
    with provider(accepted, self_signed(tmp_path)[0]) as asked:
        report = sendgrid(asked.port, api_url=f"https://127.0.0.1:{asked.port}/v3/").run(store)
    assert report.trouble is not None
    assert report.trouble.permanent
    assert "certificate verify failed" in report.trouble.reason
    assert set(store.fates().values()) == {Fate.RETRY}
    assert asked.requests == []


def test_tls_that_ends_in_the_middle_of_an_answer_leaves_the_message_in_doubt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, trusted = self_signed(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
    store = MemoryStore(messages=[message(1, body=MIME)])
    with provider(lambda body: (0, {}, ""), context) as asked:
        sendgrid(asked.port, api_url=f"https://127.0.0.1:{asked.port}/v3/").run(store)
    assert len(asked.requests) == 1
    assert store.fates() == {1: Fate.AMBIGUOUS}


def test_a_proxy_that_is_not_there_leaves_nothing_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    store = MemoryStore(messages=[message(n, body=MIME) for n in range(1, 30)])
    report = sendgrid(1, api_url="https://provider.example/v3/", refusals_until_trouble=5).run(store)
    assert report.trouble is not None
    assert set(store.fates().values()) == {Fate.RETRY}


def test_a_provider_that_falls_silent_leaves_the_message_in_doubt() -> None:
    heard = threading.Event()

    def silent(body: dict[str, Any]) -> Answer:
        heard.wait(20)
        return accepted(body)

    store = MemoryStore(messages=[message(1, body=MIME)])
    with provider(silent) as asked:
        sendgrid(asked.port, timeout=0.2).run(store)
        heard.set()
    assert store.fates() == {1: Fate.AMBIGUOUS}
    assert "Read timed out" in store.outcomes[1].text


def test_a_provider_that_is_not_there_leaves_nothing_in_doubt() -> None:
    with provider(accepted) as asked:
        port = asked.port
    store = MemoryStore(messages=[message(n, body=MIME) for n in range(1, 30)])
    report = sendgrid(port, refusals_until_trouble=5).run(store)
    assert report.trouble is not None
    assert report.fates[Fate.AMBIGUOUS] == 0
    assert set(store.fates().values()) == {Fate.RETRY}


def test_stopping_keeps_the_rest_for_later() -> None:
    store = MemoryStore(messages=[message(n, body=MIME) for n in range(1, 200)])

    def stop_after_a_while(body: dict[str, Any]) -> Answer:
        store.is_stopped = len(asked.requests) >= 20
        return accepted(body)

    with provider(stop_after_a_while) as asked:
        report = sendgrid(asked.port).run(store)
    assert 20 <= report.fates[Fate.SENT] <= 30
    assert report.fates[Fate.SENT] == len(asked.requests)


def test_a_sender_without_its_key_or_of_no_known_kind_is_refused(in_saffron: Cast) -> None:
    with pytest.raises(UnsupportedFeatureError, match="sendgrid"):
        open_messenger(SenderAccount(kind="sendgrid"))
    with pytest.raises(UnsupportedFeatureError, match="pigeon"):
        open_messenger(SenderAccount(kind="pigeon"))
    with pytest.raises(UnsupportedFeatureError, match="SMTP"):
        open_messenger(SenderAccount(kind="smtp", options={"host": "mx", "security": "perhaps"}))
    with pytest.raises(UnsupportedFeatureError, match="SMTP"):
        open_messenger(SenderAccount(kind="smtp", options={}))


def test_credentials_stand_encrypted_in_the_database(committed_cast: Cast) -> None:
    from django.db import connection

    with tenant(committed_cast.saffron.pk):
        values: dict[str, Any] = {"name": "SendGrid", "kind": "sendgrid", "credentials": {"api_key": "SG.secret"}}
        account = SenderAccount.objects.create(**values)
        with connection.cursor() as cursor:
            cursor.execute("select credentials from messaging_senderaccount")
            stored = cursor.fetchone()[0]
        assert "SG.secret" not in stored
        assert SenderAccount.objects.get(pk=account.pk).credentials == {"api_key": "SG.secret"}
        messenger = open_messenger(SenderAccount.objects.get(pk=account.pk))
    assert isinstance(messenger, AnymailMessenger)
    assert messenger.settings.options == {"api_key": "SG.secret"}
