"""The inbox's pages: what arrived, one message, and a stand-in for the web site that the demo's links lead to."""

import email
import email.policy
from email.message import EmailMessage
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, quote, urlsplit

from config.demo.inbox.store import PAGE, Store, StoredMessage

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { margin: 0 auto; max-width: 60rem; padding: 1rem }
table { border-collapse: collapse; width: 100% } th, td { text-align: start; padding: .5rem; border-block-end: 1px solid #8884 }
td { overflow-wrap: anywhere } iframe { width: 100%; height: 70vh; border: 1px solid #8884; background: white }
input, button { font: inherit; padding: .5rem } pre { overflow: auto; padding: 1rem; border: 1px solid #8884 }
nav { display: flex; gap: 1rem; flex-wrap: wrap; margin-block: 1rem }
"""
# The message is shown as its reader would see it, but may run nothing and reach nothing else.
POLICY = "default-src 'none'; img-src * data:; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'; base-uri 'none'"


class Pages(BaseHTTPRequestHandler):
    """Answers GET; there is nothing to change here."""

    store: ClassVar[Store]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        parts, query = address.path.strip("/").split("/"), parse_qs(address.query)
        match parts:
            case [""]:
                search, page = query.get("q", [""])[0], query.get("page", ["1"])[0]
                self.answer(listing(self.store, search, int(page) if page.isdecimal() and page != "0" else 1))
            case ["message", number, *form] if number.isdecimal() and (message := self.store.get(int(number))):
                self.answer(body_of(message) if form == ["body"] else one(message), isolated=form == ["body"])
            case ["site", *_]:
                self.answer(SITE)
            case _:
                self.answer(shell("Not found", "<p>There is no such page. <a href='/'>Back to the inbox</a></p>"), HTTPStatus.NOT_FOUND)

    def answer(self, html: str, status: HTTPStatus = HTTPStatus.OK, *, isolated: bool = False) -> None:
        body = html.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", f"{POLICY}; sandbox allow-popups" if isolated else POLICY)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing; the log is for what goes wrong."""


def listing(store: Store, search: str, page: int) -> str:
    """The list of messages, the newest first."""
    count = store.count(search)
    rows = "".join(
        f"<tr><td><a href='/message/{message.id}'>{escape(message.subject or '(no subject)')}</a></td>"
        f"<td dir='ltr'>{escape(message.recipient)}</td><td dir='ltr'>{escape(message.received_at)}</td></tr>"
        for message in store.newest(search, page=page)
    )
    table = f"<table><thead><tr><th>Subject</th><th>To</th><th>Arrived</th></tr></thead><tbody>{rows}</tbody></table>"
    if not count:
        table = "<p>Nothing here yet. Messages that the demo sends arrive on this page.</p>"
    older = f"<a href='/?q={quote(search)}&amp;page={page + 1}'>Older</a>" if count > page * PAGE else ""
    newer = f"<a href='/?q={quote(search)}&amp;page={page - 1}'>Newer</a>" if page > 1 else ""
    form = f"<form><label>Address or subject <input name='q' value='{escape(search, quote=True)}'></label> <button>Search</button></form>"
    return shell(f"Inbox: {count:,} messages", f"{form}{table}<nav>{newer}{older}</nav>")


def one(message: StoredMessage) -> str:
    """One message: its headers, its body as a reader sees it, its source."""
    source = message.source.decode("utf-8", "replace")
    return shell(
        message.subject or "(no subject)",
        f"<nav><a href='/'>All messages</a><span dir='ltr'>To {escape(message.recipient)}</span>"
        f"<span dir='ltr'>{escape(message.received_at)}</span></nav>"
        f"<iframe title='The message' src='/message/{message.id}/body' sandbox='allow-popups'></iframe>"
        f"<details><summary>Source</summary><pre dir='ltr'>{escape(source)}</pre></details>",
    )


def body_of(message: StoredMessage) -> str:
    """The HTML part, or the text part in its own lines; links open in a new tab."""
    parsed = email.message_from_bytes(message.source, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    part = parsed.get_body(("html", "plain"))
    content = str(part.get_content()) if part else ""
    if part is None or part.get_content_type() == "text/plain":
        content = f"<pre>{escape(content)}</pre>"
    return f"<base target='_blank'>{content}"


def shell(title: str, body: str) -> str:
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>{escape(title)}</title><style>{STYLE}</style><body><main><h1 dir='auto'>{escape(title)}</h1>{body}</main></body></html>"
    )


SITE = shell(
    "Saffron Barbers", "<p>This is where your own web site would be: the link of the message led here, and the click was counted.</p>"
)


def page_server(store: Store, *, host: str, port: int) -> ThreadingHTTPServer:
    """The server of the pages, not yet serving."""
    handler = type("InboxPages", (Pages,), {"store": store})
    return ThreadingHTTPServer((host, port), handler)
