"""Pages of lists while rows are added."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from accounts.tenancy import tenant
from crm.models import Customer, Visit
from tests.api.conftest import Caller, errors_of
from tests.conftest import Cast
from tests.factories import CustomerFactory


def follow(till: Caller, link: str) -> dict[str, Any]:
    parts = urlsplit(link)
    body: dict[str, Any] = till.get(f"{parts.path.removeprefix('/api/v1/')}?{parts.query}").json()
    return body


def test_the_bounds_of_a_page_are_told_in_the_digits_of_the_language(till: Caller) -> None:
    said = till.get("customers/?limit=201", HTTP_ACCEPT_LANGUAGE="fa").json()
    assert said["errors"] == [{"parameter": "limit", "code": "invalid_limit", "detail": "عددی بین ۱ تا ۲۰۰ بدهید."}]


def test_nothing_is_skipped_or_repeated_while_rows_are_added(cast: Cast, till: Caller) -> None:
    with tenant(cast.saffron.pk):
        expected = [customer.pk for customer in CustomerFactory.create_batch(7)][::-1]
    page = till.get("customers/?limit=3").json()
    assert page["previous"] is None
    seen = [row["id"] for row in page["results"]]
    while page["next"]:
        with tenant(cast.saffron.pk):
            CustomerFactory.create()
        page = follow(till, page["next"])
        seen += [row["id"] for row in page["results"]]
    assert seen == expected


def test_the_way_back_shows_the_same_rows_and_then_the_new_ones(cast: Cast, till: Caller) -> None:
    with tenant(cast.saffron.pk):
        ids = [customer.pk for customer in CustomerFactory.create_batch(5)][::-1]
    first = till.get("customers/?limit=2").json()
    second = follow(till, first["next"])
    assert [row["id"] for row in second["results"]] == ids[2:4]
    back = follow(till, second["previous"])
    assert ([row["id"] for row in back["results"]], back["previous"]) == (ids[:2], None)
    with tenant(cast.saffron.pk):
        new = CustomerFactory.create().pk
    back = follow(till, second["previous"])
    assert [row["id"] for row in back["results"]] == ids[:2]
    assert [row["id"] for row in follow(till, back["previous"])["results"]] == [new]


def test_rows_of_the_same_moment_are_told_apart(cast: Cast, till: Caller) -> None:
    with tenant(cast.saffron.pk):
        customer = CustomerFactory.create()
        moments = ["2026-05-01T09:00:00Z"] * 4 + ["2026-05-02T09:00:00Z"]
        for moment in moments:
            Visit.objects.create(customer=customer, starts_at=moment)
        expected = list(Visit.objects.order_by("-starts_at", "-id").values_list("pk", flat=True))
    page, seen = till.get("visits/?limit=2").json(), []
    while True:
        seen += [row["id"] for row in page["results"]]
        if not page["next"]:
            break
        page = follow(till, page["next"])
    assert seen == expected
    assert [row["id"] for row in follow(till, page["previous"])["results"]] == expected[2:4]


def test_filters_stay_in_the_links(cast: Cast, till: Caller) -> None:
    with tenant(cast.saffron.pk):
        CustomerFactory.create_batch(2, tags=["vip"])
        CustomerFactory.create()
        assert Customer.objects.count() == 3
    page = till.get("customers/?tag=vip&limit=1").json()
    assert "tag=vip" in page["next"]
    page = follow(till, page["next"])
    assert (len(page["results"]), page["next"]) == (1, None)


def test_a_cursor_of_another_list_is_refused(cast: Cast, till: Caller, assert_problem: Callable[..., dict[str, Any]]) -> None:
    with tenant(cast.saffron.pk):
        CustomerFactory.create_batch(2)
    cursor = urlsplit(till.get("customers/?limit=1").json()["next"]).query.partition("cursor=")[2].partition("&")[0]
    assert errors_of(assert_problem(till.get(f"visits/?cursor={cursor}"), 400, "invalid")) == {"cursor": "invalid_cursor"}
