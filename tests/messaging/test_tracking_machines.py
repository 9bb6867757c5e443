"""Machines are recognised by what they say, how they ask and how fast they are."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from messaging.tracking.machines import Machine, find_bursts, judge_request, judge_user_agent

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
PEOPLE = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Safari/537.36 Edg/122.0.0.0",
    "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/121.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Thunderbird/115.8.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)",
    "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/7.0; Microsoft Outlook 16.0.4266; ms-office; MSOffice 16)",
]


@pytest.mark.parametrize("user_agent", PEOPLE)
def test_readers_of_people_are_people(user_agent: str) -> None:
    assert judge_request("GET", user_agent, {"accept": "*/*"}) is Machine.PERSON


@pytest.mark.realdata
def test_real_machines_are_recognised(shared_data: Path) -> None:
    entries = json.loads((shared_data / "user_agents" / "crawlers" / "crawler-user-agents.json").read_text(encoding="utf-8"))
    examples = [example for entry in entries for example in entry.get("instances", [])]
    missed = [example for example in examples if judge_user_agent(example) is Machine.PERSON]
    assert len(examples) > 1_000
    assert missed == []


def test_mail_proxies_are_named_apart() -> None:
    proxy = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
    assert judge_user_agent(proxy) is Machine.MAIL_PROXY
    assert judge_user_agent("Mozilla/5.0") is Machine.MAIL_PROXY, "Apple's Mail Privacy Protection"


def test_a_mail_program_that_says_more_than_apples_proxy_is_a_person() -> None:
    agent = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    assert judge_user_agent(agent) is Machine.PERSON


@pytest.mark.parametrize(
    ("method", "headers", "machine"),
    [
        ("HEAD", {}, Machine.HEAD),
        ("GET", {"purpose": "prefetch"}, Machine.PREFETCH),
        ("GET", {"sec-purpose": "prefetch;anonymous-client-ip"}, Machine.PREFETCH),
        ("GET", {"x-purpose": "preview"}, Machine.PREFETCH),
        ("GET", {"x-moz": "prefetch"}, Machine.PREFETCH),
        ("GET", {"purpose": "reading"}, Machine.PERSON),
    ],
)
def test_the_way_of_asking_gives_machines_away(method: str, headers: dict[str, str], machine: Machine) -> None:
    assert judge_request(method, PEOPLE[0], headers) is machine


def test_silence_is_a_machine() -> None:
    assert judge_request("GET", " ", {}) is Machine.NO_USER_AGENT


def test_many_links_within_a_moment_are_a_scanners() -> None:
    def at(seconds: float, link: int) -> tuple[datetime, int]:
        return NOW + timedelta(seconds=seconds), link

    assert find_bursts([at(0, 0), at(0.4, 1), at(0.9, 2)]) == {0, 1, 2}
    assert find_bursts([at(0, 0), at(0.9, 1), at(1.8, 2)]) == set()
    assert find_bursts([at(0, 0), at(0.1, 0), at(0.2, 0), at(0.3, 1)]) == set()
    assert find_bursts([at(9, 5), at(0.9, 2), at(0.4, 1), at(0, 0)]) == {1, 2, 3}
