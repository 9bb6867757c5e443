"""A tracking request read: which delivery, what is answered, what is to be kept of it."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from messaging.tracking.machines import PREFETCH_HEADERS, Machine, judge_request
from messaging.tracking.tokens import DeliveryRef, TokenReader

OPEN, CLICK = "open", "click"
_OPEN_PATH = re.compile(r"/t/o/([^/]+)")
_CLICK_PATH = re.compile(r"/t/c/([^/]+)/(0|[1-9]\d{0,2})/([^/]+)")
_PIXEL = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_PRIVATE = (
    ("Cache-Control", "no-store, private"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Robots-Tag", "noindex, nofollow"),
)
_PIXEL_HEADERS = (("Content-Type", "image/gif"), ("Content-Length", str(len(_PIXEL))), *_PRIVATE)

_TELLING_HEADERS = tuple(("HTTP_" + name.upper().replace("-", "_"), name) for name in PREFETCH_HEADERS)
_PLAIN = {machine: machine.value for machine in Machine}


@dataclass(slots=True)
class Hit:
    """What is kept of one request; `machine` is what the request alone gave away."""

    ref: DeliveryRef
    kind: str
    at: datetime
    machine: str
    user_agent: str
    link_index: int | None = None
    address: str = ""


@dataclass(slots=True)
class Answer:
    """What the client gets, whatever becomes of the hit."""

    status: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    hit: Hit


def read_request(environ: Mapping[str, Any], reader: TokenReader, now: datetime) -> Answer | None:
    """The answer to a request for a pixel or a tracked link; None if it is neither, or forged."""
    method, path = environ.get("REQUEST_METHOD", ""), environ.get("PATH_INFO", "")
    if method not in {"GET", "HEAD"}:
        return None
    match = _OPEN_PATH.fullmatch(path)
    if match:
        ref = reader.read_track(match[1])
        return None if ref is None else _pixel(ref, environ, method, now)
    match = _CLICK_PATH.fullmatch(path)
    if match is None:
        return None
    ref = reader.read_track(match[1])
    address = None if ref is None else reader.read_link(ref, int(match[2]), match[3])
    if ref is None or address is None:
        return None
    return _redirect(ref, int(match[2]), address, environ, method, now)


def _pixel(ref: DeliveryRef, environ: Mapping[str, Any], method: str, now: datetime) -> Answer:
    hit = Hit(ref, OPEN, now, _judge(environ, method), _user_agent(environ))
    return Answer("200 OK", _PIXEL_HEADERS, b"" if method == "HEAD" else _PIXEL, hit)


def _redirect(ref: DeliveryRef, index: int, address: str, environ: Mapping[str, Any], method: str, now: datetime) -> Answer:
    hit = Hit(ref, CLICK, now, _judge(environ, method), _user_agent(environ), index, address)
    headers = (("Location", address), ("Content-Length", "0"), *_PRIVATE)
    return Answer("302 Found", headers, b"", hit)


def _judge(environ: Mapping[str, Any], method: str) -> str:
    headers = {name: environ[key] for key, name in _TELLING_HEADERS if key in environ}
    return _PLAIN[judge_request(method, _user_agent(environ), headers)]


def _user_agent(environ: Mapping[str, Any]) -> str:
    # The database cannot hold NUL; nothing else is touched.
    return str(environ.get("HTTP_USER_AGENT", ""))[:300].replace("\0", "")
