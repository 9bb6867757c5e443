"""A little of Saffron's life for tests of pages: a customer with visits, purchases and consents at two locations."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from accounts.actions import add_member
from accounts.models import Membership, Role
from accounts.tenancy import tenant
from crm.actions import NewLine, book_visit, create_customer, record_purchase, set_consent
from crm.models import Channel, ConsentState, Customer, Purchase, Purpose, Visit, VisitState
from tests.conftest import Cast

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Counter:
    """Dana was at both locations, and bought at both."""

    cast: Cast
    dana: Customer
    downtown_visit: Visit
    uptown_visit: Visit
    downtown_sale: Purchase
    uptown_sale: Purchase


def open_counter(cast: Cast) -> Counter:
    """Write it all down as the pages would."""
    with tenant(cast.saffron.pk):
        dana = create_customer(
            actor=cast.alice_acts,
            now=NOW,
            first_name="Dana",
            last_name="Reyes",
            phone="(202) 555-0123",
            email="Dana@gmail.com",
        )
        book = {"customer": dana, "actor": cast.alice_acts, "now": NOW, "state": VisitState.COMPLETED}
        downtown = book_visit(starts_at=NOW, location=cast.downtown, service="Haircut", **book)  # type: ignore[arg-type]  # one dict for both
        uptown = book_visit(starts_at=NOW - timedelta(days=1), location=cast.uptown, service="Shave", **book)  # type: ignore[arg-type]  # as above
        sell = {"customer": dana, "actor": cast.alice_acts, "purchased_at": NOW, "now": NOW}
        sale = record_purchase(lines=[NewLine(1500, 2, description="Wax")], location=cast.downtown, number="D-1", **sell)  # type: ignore[arg-type]  # as above
        other = record_purchase(lines=[NewLine(900)], location=cast.uptown, number="U-1", **sell)  # type: ignore[arg-type]  # as above
        set_consent(
            customer=dana,
            channel=Channel.EMAIL,
            purpose=Purpose.MARKETING,
            state=ConsentState.GRANTED,
            source="page",
            now=NOW,
            actor=cast.alice_acts,
            proof={"words": "Yes, send me offers"},
        )
    return Counter(cast, dana, downtown, uptown, sale, other)


def limit_bob_to_downtown(cast: Cast, role: Role = Role.FRONT_DESK) -> None:
    """Bob works at Downtown only."""
    with tenant(cast.saffron.pk):
        Membership.objects.filter(user=cast.bob).delete()
        add_member(user=cast.bob, role=role, actor=cast.alice_acts, locations=[cast.downtown])
