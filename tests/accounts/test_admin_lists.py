"""Addresses of the admin's lists that nobody's click makes."""

import pytest
from django.test import Client

from tests.conftest import Cast

LOCATIONS = "/admin/accounts/location/"
AUDIT = "/admin/accounts/auditentry/"


def test_a_page_behind_the_last_is_the_last(as_alice: Client, cast: Cast) -> None:
    page = as_alice.get(f"{LOCATIONS}?p=2")
    assert [location.name for location in page.context["cl"].result_list] == ["Downtown", "Uptown"]
    assert page.context["cl"].page.number == 1


@pytest.mark.parametrize("query", ["actor_kind__exact=%00", "actor_kind__exact=user%00"])
def test_a_filter_of_what_text_cannot_hold_is_refused(as_alice: Client, cast: Cast, query: str) -> None:
    assert as_alice.get(f"{AUDIT}?{query}").status_code == 400
