"""A caller's address is the one that trusted proxies saw; what the caller writes there counts for nothing."""

import pytest
from django.conf import LazySettings
from django.test import RequestFactory

from accounts.client_addresses import client_address

PROXY = "10.0.0.1"


@pytest.mark.parametrize(
    ("proxies", "header", "address"),
    [
        (0, None, PROXY),
        (0, "6.6.6.6", PROXY),
        (1, None, PROXY),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (1, "6.6.6.6,203.0.113.9", "203.0.113.9"),
        (2, "6.6.6.6, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (2, "203.0.113.9", PROXY),
        (1, "2001:DB8::1", "2001:db8::1"),
        (1, "6.6.6.6, unknown", PROXY),
        (1, "<script>", PROXY),
        (-1, "6.6.6.6, 203.0.113.9", PROXY),
    ],
)
def test_forwarded_addresses_are_believed_as_far_as_proxies_are_trusted(
    settings: LazySettings, proxies: int, header: str | None, address: str
) -> None:
    settings.TRUSTED_PROXIES = proxies
    headers = {"X-Forwarded-For": header} if header is not None else {}
    assert client_address(RequestFactory().get("/", headers=headers, REMOTE_ADDR=PROXY)) == address
