"""The demo's data: as consistent as if the product's own actions had written it, row by row."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.db import transaction
from django.db.models import Count, F, Max, Min, Q, Sum
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import Location, Membership, Role
from accounts.tenancy import tenant
from config.demo.business import PEOPLE, open_business
from config.demo.generator import CUSTOMERS, fill_business, is_filled
from config.demo.people import AREAS
from config.reactions import REACTIONS, react
from crm.models import (
    Consent,
    ConsentChange,
    Customer,
    CustomerFacts,
    Event,
    EventCursor,
    Purchase,
    PurchaseKind,
    PurchaseLine,
    Visit,
    VisitState,
)
from crm.normalisation.phones import normalise_phone
from tests.conftest import empty_stage

NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)
COUNT = 120


@pytest.fixture(scope="module")
def saffron(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[int]:
    """Filled once; nobody here changes anything."""
    with django_db_blocker.unblock(), empty_stage(), transaction.atomic():
        organization_id = open_business()
        fill_business(organization_id, now=NOW, progress=lambda _line: None, count=COUNT)
        yield organization_id
        transaction.set_rollback(True)


def test_it_fills_the_business_once(saffron: int) -> None:
    assert is_filled(saffron)
    assert open_business() == saffron
    with tenant(saffron):
        assert Customer.objects.count() == CustomerFacts.objects.count() == COUNT
        assert Location.objects.count() == 3
        assert sorted(Membership.objects.values_list("role", flat=True)) == sorted(person.role for person in PEOPLE)
        assert {person.role for person in PEOPLE} == set(Role)
        assert 8 <= Customer.objects.filter(language="fa").count() <= 40


def test_every_invented_phone_is_one_that_an_import_takes(saffron: int) -> None:
    assert 100 * len(AREAS) >= CUSTOMERS
    assert [area for area in AREAS if normalise_phone(f"({area}) 555-0100", region="US") != f"+1{area}5550100"] == []


def test_facts_are_what_counting_gives(saffron: int) -> None:
    sale, ended = Q(purchases__kind=PurchaseKind.SALE), Q(visits__state=VisitState.COMPLETED)
    with tenant(saffron):
        bought = Customer.objects.annotate(
            count=Count("purchases", filter=sale), spent=Sum("purchases__total_minor"), back=Count("purchases", filter=~sale),
            first=Min("purchases__purchased_at", filter=sale), last=Max("purchases__purchased_at", filter=sale),
        )  # fmt: skip
        for customer in bought.select_related("facts"):
            facts = customer.facts
            counted = (customer.count, customer.spent or 0, customer.back, customer.first, customer.last)
            assert counted == (
                facts.purchase_count, facts.spent_minor, facts.refund_count, facts.first_purchase_at, facts.last_purchase_at,
            )  # fmt: skip
        came = Customer.objects.annotate(count=Count("visits", filter=ended), last=Max("visits__starts_at", filter=ended))
        assert not came.exclude(facts__visit_count=F("count")).exists()
        assert all(customer.last == customer.facts.last_visit_at for customer in came.select_related("facts"))


def test_receipts_add_up_and_every_ended_thing_has_its_event(saffron: int) -> None:
    with tenant(saffron):
        receipts = Purchase.objects.annotate(lines_total=Sum("lines__amount_minor"))
        assert not receipts.exclude(total_minor=F("lines_total")).exists()
        assert not PurchaseLine.objects.exclude(amount_minor=F("quantity") * F("unit_price_minor")).exists()
        kinds = dict(Event.objects.values_list("kind").annotate(count=Count("pk")).order_by())
        assert kinds["purchase.completed"] == Purchase.objects.filter(kind=PurchaseKind.SALE).count()
        assert kinds["visit.completed"] == Visit.objects.filter(state=VisitState.COMPLETED).count()
        assert kinds["customer.created"] == COUNT
        assert kinds["consent.granted"] == ConsentChange.objects.filter(state="granted").count()


def test_nobody_consented_without_proof(saffron: int) -> None:
    with tenant(saffron):
        assert Consent.objects.count() > COUNT / 2
        for consent in Consent.objects.all():
            last = ConsentChange.objects.filter(customer=consent.customer_id).latest("at")
            assert (last.state, last.at) == (consent.state, consent.changed_at)
            assert last.proof["words"]


def test_nothing_but_bookings_lies_ahead(saffron: int) -> None:
    with tenant(saffron):
        assert set(Visit.objects.filter(starts_at__gt=NOW).values_list("state", flat=True)) == {VisitState.BOOKED}
        assert not Purchase.objects.filter(purchased_at__gt=NOW).exists()
        assert not Event.objects.filter(occurred_at__gt=NOW).exists()


def test_history_is_no_news_to_reactions(saffron: int) -> None:
    with tenant(saffron):
        assert EventCursor.objects.count() == len({handler for handlers in REACTIONS.values() for handler in handlers})
    assert react(organization_id=saffron) == 0
