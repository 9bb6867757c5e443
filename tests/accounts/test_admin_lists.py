"""Addresses of the admin's lists that nobody's click makes."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib import admin
from django.db import connection, models
from django.test import Client
from django.urls import reverse
from unfold.contrib.filters.admin import RangeDateTimeFilter

from accounts.admin_filters import MomentRangeFilter
from accounts.models import AuditEntry
from accounts.tenancy import tenant
from campaigns.models import Attribution
from crm.events import ensure_months
from crm.models import Consent, ConsentChange, Customer, CustomerFacts, Event, Identity, Purchase, PurchaseLine, Visit
from messaging.models import Delivery, TrackingHit
from segmentation.models import SegmentMember
from tests.conftest import Cast

MILLIONS = (
    Attribution, AuditEntry, Consent, ConsentChange, Customer, CustomerFacts, Delivery, Event, Identity, Purchase, PurchaseLine,
    SegmentMember, TrackingHit, Visit,
)  # fmt: skip
LOCATIONS = "/admin/accounts/location/"
AUDIT = "/admin/accounts/auditentry/"


def test_a_page_behind_the_last_is_the_last(as_alice: Client, cast: Cast) -> None:
    page = as_alice.get(f"{LOCATIONS}?p=2")
    assert [location.name for location in page.context["cl"].result_list] == ["Downtown", "Uptown"]
    assert page.context["cl"].page.number == 1


@pytest.mark.parametrize("query", ["actor_kind__exact=%00", "actor_kind__exact=user%00"])
def test_a_filter_of_what_text_cannot_hold_is_refused(as_alice: Client, cast: Cast, query: str) -> None:
    assert as_alice.get(f"{AUDIT}?{query}").status_code == 400


def shown_purchases(client: Client, cast: Cast, **bounds: str) -> list[str]:
    """Numbers of the sales in the list that is limited to such moments; two were made at 09:00 and 22:00 in New York."""
    with tenant(cast.saffron.pk):
        for number, hour in (("morning", 14), ("evening", 27)):
            at = datetime(2026, 3, 5, tzinfo=UTC) + timedelta(hours=hour)
            Purchase.objects.get_or_create(number=number, defaults={"purchased_at": at, "currency": "USD", "total_minor": 100})
    query = {f"purchased_at_{name}": value for name, value in bounds.items()}
    return sorted(row.number for row in client.get("/admin/crm/purchase/", query).context["cl"].result_list)


def test_a_list_is_limited_to_moments_on_the_organizations_clock(as_alice: Client, cast: Cast) -> None:
    assert shown_purchases(as_alice, cast) == ["evening", "morning"]
    assert shown_purchases(as_alice, cast, from_0="2026-03-05", from_1="09:00", to_0="2026-03-05", to_1="21:59") == ["morning"]
    assert shown_purchases(as_alice, cast, from_0="2026-03-05", from_1="22:00") == ["evening"]
    assert shown_purchases(as_alice, cast, to_0="2026-03-05", to_1="08:59") == []


def test_moments_are_typed_in_persian_as_the_list_shows_them(as_alice: Client, cast: Cast) -> None:
    cast.alice.language = "fa"
    cast.alice.save()
    assert shown_purchases(as_alice, cast, to_0="۱۴۰۴-۱۲-۱۴", to_1="09:00") == ["morning"]


def test_a_moment_that_cannot_be_read_is_told_and_limits_nothing(as_alice: Client, cast: Cast) -> None:
    assert shown_purchases(as_alice, cast, from_0="tomorrow", from_1="09:00") == ["evening", "morning"]
    page = as_alice.get("/admin/crm/purchase/", {"purchased_at_from_0": "tomorrow", "purchased_at_from_1": "09:00"})
    assert "This is not a date; write it like 2025-04-20." in page.content.decode()


def test_every_list_that_is_limited_by_moments_reads_them_so() -> None:
    others = {
        (model.__name__, each[0])
        for model, model_admin in admin.site._registry.items()
        for each in model_admin.list_filter
        if isinstance(each, tuple) and issubclass(each[1], RangeDateTimeFilter) and each[1] is not MomentRangeFilter
    }
    assert others == set()


@pytest.mark.parametrize("model", MILLIONS)
def test_the_list_of_what_there_are_millions_of_follows_an_index(as_alice: Client, cast: Cast, model: type[models.Model]) -> None:
    with tenant(cast.saffron.pk):
        ensure_months([datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)])
    page = as_alice.get(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"))
    with tenant(cast.saffron.pk), connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off; set local enable_bitmapscan = off; set local enable_sort = off")
        plan = page.context["cl"].queryset[:25].explain()
    assert "Sort  (" not in plan, plan  # a "Sort Key" is also that of merging partitions
