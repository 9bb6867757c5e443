"""The local inbox: SMTP with PIPELINING in, pages out."""

import asyncio
import smtplib
import socket
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from config.demo.inbox.pages import page_server
from config.demo.inbox.smtp import serve_smtp
from config.demo.inbox.store import Store

MESSAGE = b"Subject: =?utf-8?b?2LPZhNin2YU=?=\r\nMessage-ID: <1.2.abc@saffron.example>\r\n\r\n.a line\r\n<b>Hello</b>\r\n"


@dataclass(frozen=True)
class Inbox:
    store: Store
    smtp_port: int
    page: str


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    store, port = Store(tmp_path / "inbox.sqlite"), _free_port()
    pages = page_server(store, host="127.0.0.1", port=0)
    loop = asyncio.new_event_loop()
    task = loop.create_task(serve_smtp(store, host="127.0.0.1", port=port))
    threads = [threading.Thread(target=pages.serve_forever), threading.Thread(target=_run, args=(loop, task))]
    for thread in threads:
        thread.start()
    while not _accepts(port):
        pass
    yield Inbox(store, port, f"http://127.0.0.1:{pages.server_port}")
    pages.shutdown()
    pages.server_close()
    loop.call_soon_threadsafe(task.cancel)
    for thread in threads:
        thread.join()
    loop.close()
    store.close()


def _run(loop: asyncio.AbstractEventLoop, task: "asyncio.Task[None]") -> None:
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _get(address: str) -> str:
    with urllib.request.urlopen(address, timeout=60) as answer:
        text: str = answer.read().decode()
        return text


def test_a_message_is_kept_as_it_was_sent(inbox: Inbox) -> None:
    with smtplib.SMTP("127.0.0.1", inbox.smtp_port) as client:
        client.sendmail("shop@saffron.example", ["sara@example.com"], MESSAGE)
    assert inbox.store.count() == 1
    kept = inbox.store.get(1)
    assert kept is not None
    assert (kept.sender, kept.recipient, kept.subject) == ("shop@saffron.example", "sara@example.com", "سلام")
    assert kept.message_id == "<1.2.abc@saffron.example>"
    assert kept.source == MESSAGE


def test_commands_may_come_many_at_a_time(inbox: Inbox) -> None:
    envelope = b"MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n"
    with socket.create_connection(("127.0.0.1", inbox.smtp_port)) as connection, connection.makefile("rb") as answers:
        connection.sendall(b"EHLO me\r\n")
        greeting = [answers.readline() for _ in range(6)]
        assert b"250-PIPELINING\r\n" in greeting
        connection.sendall(envelope + (MESSAGE + b".\r\n" + envelope) * 20 + MESSAGE + b".\r\nQUIT\r\n")
        replies = answers.read().splitlines()
    assert replies == [*[b"250 OK", b"250 OK", b"354 Go on", b"250 Kept"] * 21, b"221 Goodbye"]
    assert inbox.store.count() == 21


def test_a_mailbox_that_is_gone_is_refused(inbox: Inbox) -> None:
    with smtplib.SMTP("127.0.0.1", inbox.smtp_port) as client, pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        client.sendmail("shop@saffron.example", ["gone.sara@example.com"], MESSAGE)
    assert refused.value.recipients == {"gone.sara@example.com": (550, b"5.1.1 There is no such mailbox here")}
    assert inbox.store.count() == 0


def test_pages_list_find_and_show_messages(inbox: Inbox) -> None:
    inbox.store.add("a@x.example", "sara@example.com", "<1@x>", "Hello <you>", b"Content-Type: text/html\r\n\r\n<p>Hi</p>")
    inbox.store.add("a@x.example", "omid@example.com", "<2@x>", "Second", MESSAGE)
    assert "Inbox: 2 messages" in _get(inbox.page)
    assert "Hello &lt;you&gt;" in _get(inbox.page)
    found = _get(f"{inbox.page}/?q=omid")
    assert "Inbox: 1 messages" in found
    assert "Second" in found
    assert "sara@example.com" not in found
    assert "<p>Hi</p>" in _get(f"{inbox.page}/message/1/body")
    assert "&lt;b&gt;Hello&lt;/b&gt;" in _get(f"{inbox.page}/message/2/body")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        _get(f"{inbox.page}/message/9")
