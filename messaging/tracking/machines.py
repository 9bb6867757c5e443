"""Telling people from machines: mail proxies, link scanners, previews and prefetchers.

Pure rules. A hit that a machine made is kept and marked with the reason; it never counts as a
person's interest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from crawleruseragents import is_crawler
from ua_parser import parse_device

# Nobody reads a message and presses a link within these of its leaving.
FASTEST_OPEN = timedelta(seconds=1)
FASTEST_CLICK = timedelta(seconds=2)
# A hit from well before the ledger's sending time says that the ledger was late, not that a machine was fast.
CLOCK_DOUBT = timedelta(seconds=1)
# So many different links of one message within a moment are a scanner's.
BURST_LINKS = 3
BURST = timedelta(seconds=1)
PREFETCH_HEADERS = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_PREFETCH_WORDS = ("prefetch", "preview", "prerender")
# Apple's Mail Privacy Protection says this and no more; every browser goes on.
_APPLES_PROXY = "Mozilla/5.0"
_MAIL_PROXIES = ("GoogleImageProxy", "YahooMailProxy", "YahooCacheSystem")


class Machine(StrEnum):
    """Why a hit is taken for a machine's; empty for people."""

    PERSON = ""
    MAIL_PROXY = "mail_proxy"
    CRAWLER = "crawler"
    NO_USER_AGENT = "no_user_agent"
    PREFETCH = "prefetch"
    HEAD = "head_request"
    TOO_FAST = "too_fast"
    BURST = "burst"


def judge_request(method: str, user_agent: str, headers: Mapping[str, str]) -> Machine:
    """What the request itself gives away; `headers` by lower-case name."""
    if method == "HEAD":
        return Machine.HEAD
    for name in PREFETCH_HEADERS:
        value = headers.get(name)
        if value and any(word in value.lower() for word in _PREFETCH_WORDS):
            return Machine.PREFETCH
    return judge_user_agent(user_agent)


@lru_cache(maxsize=4096)
def judge_user_agent(user_agent: str) -> Machine:
    """What the name that the client gives itself says."""
    if not user_agent.strip():
        return Machine.NO_USER_AGENT
    if user_agent.strip() == _APPLES_PROXY or any(proxy in user_agent for proxy in _MAIL_PROXIES):
        return Machine.MAIL_PROXY
    if is_crawler(user_agent) or is_crawler(user_agent, case_sensitive=False):
        return Machine.CRAWLER
    device = parse_device(user_agent)
    return Machine.CRAWLER if device is not None and device.family == "Spider" else Machine.PERSON


def find_bursts(clicks: Sequence[tuple[datetime, int]]) -> set[int]:
    """Positions of the clicks (time, link) of one message that belong to a scanner's run."""
    order = sorted(range(len(clicks)), key=lambda position: clicks[position][0])
    found: set[int] = set()
    start = 0
    for end in range(len(order)):
        while clicks[order[end]][0] - clicks[order[start]][0] > BURST:
            start += 1
        window = order[start : end + 1]
        if len({clicks[position][1] for position in window}) >= BURST_LINKS:
            found.update(window)
    return found
