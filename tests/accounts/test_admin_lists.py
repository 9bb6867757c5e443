"""Addresses of the admin's lists that nobody's click makes."""

from datetime import UTC, datetime

import pytest
from django.db import connection, models
from django.test import Client
from django.urls import reverse

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


@pytest.mark.parametrize("model", MILLIONS)
def test_the_list_of_what_there_are_millions_of_follows_an_index(as_alice: Client, cast: Cast, model: type[models.Model]) -> None:
    with tenant(cast.saffron.pk):
        ensure_months([datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)])
    page = as_alice.get(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"))
    with tenant(cast.saffron.pk), connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off; set local enable_bitmapscan = off; set local enable_sort = off")
        plan = page.context["cl"].queryset[:25].explain()
    assert "Sort  (" not in plan, plan  # a "Sort Key" is also that of merging partitions
