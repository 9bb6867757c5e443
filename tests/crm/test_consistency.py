"""The nightly look at what is kept twice: facts against the rows they count."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.audit import SYSTEM
from crm.actions import NewLine, book_visit, record_purchase, refund_purchase
from crm.models import Customer, CustomerFacts, VisitState
from crm.queries.consistency import customers_with_wrong_facts
from tests.factories import CustomerFactory

pytestmark = pytest.mark.usefixtures("in_saffron")
NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def dana() -> Customer:
    """Somebody who bought twice, gave back once, came twice and once did not."""
    customer: Customer = CustomerFactory()
    for days in (3, 1):
        sale = record_purchase(lines=[NewLine(500)], customer=customer, purchased_at=NOW - days * DAY, now=NOW, actor=SYSTEM)
        book_visit(customer=customer, starts_at=NOW - days * DAY, state=VisitState.COMPLETED, now=NOW, actor=SYSTEM)
    refund_purchase(purchase=sale, amount_minor=100, refunded_at=NOW, actor=SYSTEM)
    book_visit(customer=customer, starts_at=NOW, state=VisitState.NO_SHOW, now=NOW, actor=SYSTEM)
    return customer


def test_facts_that_agree_are_not_told(dana: Customer) -> None:
    CustomerFactory()
    assert customers_with_wrong_facts() == []


WRONG: list[dict[str, Any]] = [
    *({name: 9} for name in ("purchase_count", "refund_count", "spent_minor", "visit_count", "no_show_count")),
    *({name: NOW - 2 * DAY} for name in ("first_purchase_at", "last_purchase_at", "first_visit_at", "last_visit_at")),
    {"last_visit_at": None},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_every_fact_that_differs_from_what_it_counts_is_told(dana: Customer, wrong: dict[str, Any]) -> None:
    CustomerFacts.objects.filter(customer=dana).update(**wrong)
    assert customers_with_wrong_facts() == [dana.pk]
