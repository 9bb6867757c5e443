import threading
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from accounts.models import AuditEntry
from accounts.tenancy import tenant
from crm.actions import (
    NewLine,
    book_visit,
    change_visit_state,
    create_customer,
    record_purchase,
    refund_purchase,
    set_consent,
    update_customer,
)
from crm.models import (
    AttributeDefinition,
    AttributeType,
    Channel,
    Consent,
    ConsentChange,
    ConsentState,
    Customer,
    CustomerFacts,
    Event,
    Purchase,
    Purpose,
    VisitState,
)
from crm.queries.search import find_customers
from segmentation.queries import rules_customers
from tests.conftest import Cast
from tests.factories import CustomerFactory
from tests.waiting import wait_until

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def test_a_new_customer_is_normalised_and_leaves_facts_audit_and_event(in_saffron: Cast) -> None:
    customer = create_customer(
        actor=in_saffron.alice_acts,
        now=NOW,
        first_name="  علي ",
        email="Dana@Example.TEST".replace(".TEST", ".com"),
        phone="(202) 555-0123",
    )
    assert (customer.first_name, customer.email, customer.phone) == ("علی", "dana@example.com", "+12025550123")
    assert CustomerFacts.objects.get(customer=customer).spent_minor == 0
    assert AuditEntry.objects.get(action="customer.created").actor_label == "Alice"
    event = Event.objects.get(customer=customer)
    assert (event.kind, event.occurred_at) == ("customer.created", NOW)


def test_two_customers_cannot_share_an_address(in_saffron: Cast) -> None:
    create_customer(actor=in_saffron.alice_acts, now=NOW, email="dana@example.com")
    with pytest.raises(ValidationError):
        create_customer(actor=in_saffron.alice_acts, now=NOW, email="DANA@example.com")
    assert Customer.objects.count() == 1
    assert Event.objects.count() == 1


@pytest.mark.parametrize("kept", ["new", "changed"])
def test_who_writes_the_same_address_at_the_same_moment_is_refused_in_the_same_words(committed_cast: Cast, kept: str) -> None:
    cast, saffron = committed_cast, committed_cast.saffron.pk
    values: dict[str, Any] = {"actor": cast.bob_acts, "now": NOW, "phone": "+12025550123"}
    with tenant(saffron):
        omid = create_customer(actor=cast.bob_acts, now=NOW, first_name="Omid")
    refused: list[list[tuple[str, str | None]]] = []

    def second() -> None:
        try:
            with tenant(saffron):
                create_customer(**values) if kept == "new" else update_customer(customer=omid, **values)
        except ValidationError as error:
            refused.append([(str(one.message), one.code) for one in error.error_dict["__all__"]])
        finally:
            connection.close()

    with tenant(saffron):
        create_customer(actor=cast.alice_acts, now=NOW, first_name="Dana", phone="+12025550123")
        thread = threading.Thread(target=second)
        thread.start()
        wait_until(somebody_waits, "the second writer did not wait for the first")
    thread.join(30)
    assert refused == [[("Another customer has this phone number.", "phone")]]
    with tenant(saffron):
        assert list(Customer.objects.order_by("id").values_list("first_name", "phone")) == [("Omid", ""), ("Dana", "+12025550123")]
        assert Event.objects.count() == AuditEntry.objects.filter(subject_type="crm.customer").count() == 2


def somebody_waits() -> bool:
    """Whether a session waits for a lock of another's."""
    with connection.cursor() as cursor:
        cursor.execute("select exists (select from pg_locks where not granted)")
        return bool(cursor.fetchone()[0])


def test_a_name_whose_letters_unfold_is_kept_and_found_by_its_beginning(in_saffron: Cast) -> None:
    name = "\ufdfa" * 80
    customer = create_customer(actor=in_saffron.alice_acts, now=NOW, first_name=name, last_name=name)
    assert (customer.first_name, len(customer.search_key)) == (name, 197)
    update_customer(customer=customer, actor=in_saffron.alice_acts, now=NOW, last_name="Reyes")
    assert list(find_customers("\ufdfa", region="US", at_most=None)) == [customer]
    assert Customer.objects.get().search_key.endswith(" reyes")


def test_an_unreadable_phone_is_refused_at_its_field_and_nothing_is_kept(in_saffron: Cast) -> None:
    with pytest.raises(ValidationError) as refused:
        create_customer(actor=in_saffron.alice_acts, now=NOW, first_name="Dana", phone="12")
    assert set(refused.value.message_dict) == {"phone"}
    assert not Customer.objects.exists()


IMPOSSIBLE = [
    ("time_zone", "Mars/Base", "This is not a time zone such as Asia/Tehran."),
    ("time_zone", "America", "This is not a time zone such as Asia/Tehran."),
    ("language", "klingon", "This is not a language code such as en or fa."),
    ("country", "Q1", "This is not a country code such as US or IR."),
    ("birthday", date(2026, 5, 2), "The birthday is in the future or too long ago."),
    ("birthday", date(300, 1, 1), "The birthday is in the future or too long ago."),
]


@pytest.mark.parametrize(("field", "value", "reason"), IMPOSSIBLE)
def test_what_no_customer_can_have_is_refused_at_its_field(in_saffron: Cast, field: str, value: Any, reason: str) -> None:
    kept: dict[str, Any] = {"time_zone": "Asia/Tehran", "language": "pt-BR", "country": "ir", "birthday": date(2026, 5, 1)}
    dana = create_customer(actor=in_saffron.alice_acts, now=NOW, first_name="Dana", **kept)
    with pytest.raises(ValidationError) as of_new:
        create_customer(actor=in_saffron.alice_acts, now=NOW, first_name="Omid", **{field: value})
    with pytest.raises(ValidationError) as of_old:
        update_customer(customer=dana, actor=in_saffron.alice_acts, now=NOW, **{field: value})
    assert of_new.value.message_dict == of_old.value.message_dict == {field: [reason]}
    assert Customer.objects.values(*kept).get() == kept | {"country": "IR"}


def test_what_was_kept_before_it_was_refused_stands_in_no_ones_way(in_saffron: Cast) -> None:
    dana = CustomerFactory.create(time_zone="Mars/Base")
    update_customer(customer=dana, actor=in_saffron.alice_acts, now=NOW, city="Boston", time_zone="Mars/Base")
    assert Customer.objects.values_list("city", "time_zone").get() == ("Boston", "Mars/Base")


def test_an_update_audits_only_what_differs(in_saffron: Cast) -> None:
    customer = create_customer(actor=in_saffron.alice_acts, now=NOW, first_name="Dana", city="Boston")
    update_customer(customer=customer, actor=in_saffron.bob_acts, now=NOW, first_name="Dana", city="Austin")
    entry = AuditEntry.objects.get(action="customer.changed")
    assert (entry.before, entry.after, entry.actor_label) == ({"city": "Boston"}, {"city": "Austin"}, "Bob")


def test_an_update_that_changes_nothing_leaves_no_trace(in_saffron: Cast) -> None:
    customer = create_customer(actor=in_saffron.alice_acts, now=NOW, first_name="Dana")
    update_customer(customer=customer, actor=in_saffron.alice_acts, now=NOW, first_name=" Dana ")
    assert AuditEntry.objects.filter(action="customer.changed").count() == 0


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        (AttributeType.TEXT, "green", 5),
        (AttributeType.NUMBER, 4.5, "4.5"),
        (AttributeType.BOOLEAN, True, 1),
        (AttributeType.DATE, "2026-02-28", "2026-02-30"),
        (AttributeType.CHOICE, "oat", "cow"),
    ],
)
def test_custom_attributes_keep_their_declared_type(in_saffron: Cast, type_: AttributeType, good: object, bad: object) -> None:
    AttributeDefinition.objects.create(key="milk", label="Milk", type=type_, choices=["oat", "soy"])
    customer = create_customer(actor=in_saffron.alice_acts, now=NOW, attributes={"milk": good})
    assert customer.attributes == {"milk": good}
    with pytest.raises(ValidationError):
        update_customer(customer=customer, actor=in_saffron.alice_acts, now=NOW, attributes={"milk": bad})
    assert Customer.objects.get(pk=customer.pk).attributes == {"milk": good}


@pytest.mark.parametrize("typed", ["20240501", "2024-W18-3", "2024-05-01"])
def test_days_are_kept_in_one_spelling_and_found_by_segments(in_saffron: Cast, typed: str) -> None:
    AttributeDefinition.objects.create(key="wed", label="Wedding", type=AttributeType.DATE)
    customer = create_customer(actor=in_saffron.alice_acts, now=NOW, attributes={"wed": typed})
    assert Customer.objects.get(pk=customer.pk).attributes == {"wed": "2024-05-01"}
    rules = {"all": [{"field": "attribute.wed", "op": "on", "value": "2024-05-01"}]}
    assert list(rules_customers(rules, now=NOW)) == [customer]


def test_a_value_that_is_no_choice_any_more_stands_in_no_ones_way(in_saffron: Cast) -> None:
    milk = AttributeDefinition.objects.create(key="milk", label="Milk", type=AttributeType.CHOICE, choices=["oat", "soy"])
    AttributeDefinition.objects.create(key="note", label="Note", type=AttributeType.TEXT)
    dana = create_customer(actor=in_saffron.alice_acts, now=NOW, first_name="Dana", attributes={"milk": "oat"})
    milk.choices = ["soy"]
    milk.save()
    update_customer(customer=dana, actor=in_saffron.bob_acts, now=NOW, attributes={"milk": "oat", "note": "by the window"})
    assert Customer.objects.get().attributes == {"milk": "oat", "note": "by the window"}
    with pytest.raises(ValidationError, match="milk"):
        create_customer(actor=in_saffron.alice_acts, now=NOW, first_name="Omid", attributes={"milk": "oat"})
    assert Customer.objects.count() == 1


def test_an_undeclared_attribute_is_refused(in_saffron: Cast) -> None:
    with pytest.raises(ValidationError, match="not declared"):
        create_customer(actor=in_saffron.alice_acts, now=NOW, attributes={"shoe": 43})


def test_consent_keeps_its_history_and_saying_it_twice_changes_nothing(in_saffron: Cast) -> None:
    customer = CustomerFactory.create()

    def say(state: ConsentState, minutes: int) -> None:
        set_consent(
            customer=customer,
            channel=Channel.EMAIL,
            purpose=Purpose.MARKETING,
            state=state,
            source="page",
            now=NOW + timedelta(minutes=minutes),
            actor=in_saffron.bob_acts,
            proof={"form": "counter"},
        )

    say(ConsentState.GRANTED, 0)
    say(ConsentState.GRANTED, 1)
    say(ConsentState.WITHDRAWN, 2)
    consent = Consent.objects.get(customer=customer)
    assert (consent.state, consent.changed_at) == ("withdrawn", NOW + timedelta(minutes=2))
    assert list(ConsentChange.objects.values_list("state", flat=True)) == ["withdrawn", "granted"]
    assert sorted(Event.objects.values_list("kind", flat=True)) == ["consent.granted", "consent.withdrawn"]


def test_purchases_and_refunds_keep_the_facts_in_step(in_saffron: Cast) -> None:
    customer = CustomerFactory.create()
    sale = record_purchase(
        lines=[NewLine(unit_price_minor=1250, quantity=2, category="care"), NewLine(unit_price_minor=500)],
        purchased_at=NOW,
        now=NOW,
        actor=in_saffron.bob_acts,
        customer=customer,
        number="A-1",
    )
    refund = refund_purchase(purchase=sale, amount_minor=1000, refunded_at=NOW + timedelta(days=1), actor=in_saffron.bob_acts)
    facts = CustomerFacts.objects.get(customer=customer)
    assert (sale.total_minor, refund.total_minor) == (3000, -1000)
    assert (facts.purchase_count, facts.refund_count, facts.spent_minor) == (1, 1, 2000)
    assert (facts.first_purchase_at, facts.last_purchase_at) == (NOW, NOW)
    assert list(Event.objects.order_by("occurred_at").values_list("kind", flat=True)) == ["purchase.completed", "purchase.refunded"]


def test_no_more_can_be_refunded_than_was_paid(in_saffron: Cast) -> None:
    sale = record_purchase(lines=[NewLine(unit_price_minor=1000)], purchased_at=NOW, now=NOW, actor=in_saffron.bob_acts)
    refund_purchase(purchase=sale, amount_minor=600, refunded_at=NOW, actor=in_saffron.bob_acts)
    with pytest.raises(ValidationError, match="400"):
        refund_purchase(purchase=sale, amount_minor=401, refunded_at=NOW, actor=in_saffron.bob_acts)
    assert Purchase.objects.filter(kind="refund").count() == 1


def test_a_sale_cannot_come_to_less_than_nothing(in_saffron: Cast) -> None:
    dana = create_customer(actor=in_saffron.alice_acts, now=NOW, first_name="Dana")
    sell = partial(record_purchase, customer=dana, purchased_at=NOW, now=NOW, actor=in_saffron.alice_acts)
    with pytest.raises(ValidationError) as refused:
        sell(lines=[NewLine(400), NewLine(500, -1)])
    assert list(refused.value.message_dict) == ["lines"]
    assert (Purchase.objects.count(), CustomerFacts.objects.get().purchase_count) == (0, 0)
    sell(lines=[NewLine(500), NewLine(500, -1)])  # an exchange
    assert CustomerFacts.objects.values_list("purchase_count", "spent_minor").get() == (1, 0)


def test_a_receipt_number_counts_once(in_saffron: Cast) -> None:
    record_purchase(lines=[NewLine(unit_price_minor=1)], purchased_at=NOW, now=NOW, actor=in_saffron.bob_acts, number="A-1")
    with pytest.raises(ValidationError):
        record_purchase(lines=[NewLine(unit_price_minor=1)], purchased_at=NOW, now=NOW, actor=in_saffron.bob_acts, number="A-1")
    assert Purchase.objects.count() == 1


def test_a_visit_moves_only_forward_and_counts_when_it_ends(in_saffron: Cast) -> None:
    customer = CustomerFactory.create()
    visit = book_visit(
        customer=customer, starts_at=NOW, actor=in_saffron.bob_acts, now=NOW, service="Haircut", location=in_saffron.downtown
    )
    for state in (VisitState.ARRIVED, VisitState.COMPLETED, VisitState.COMPLETED):
        change_visit_state(visit=visit, state=state, actor=in_saffron.bob_acts, now=NOW)
    with pytest.raises(ValidationError):
        change_visit_state(visit=visit, state=VisitState.BOOKED, actor=in_saffron.bob_acts, now=NOW)
    facts = CustomerFacts.objects.get(customer=customer)
    assert (facts.visit_count, facts.no_show_count, facts.last_visit_at) == (1, 0, NOW)
    assert list(Event.objects.order_by("id").values_list("kind", flat=True)) == ["visit.booked", "visit.arrived", "visit.completed"]


@pytest.mark.parametrize("state", [VisitState.COMPLETED, VisitState.NO_SHOW])
def test_a_visit_of_long_ago_that_is_closed_today_happened_then(in_saffron: Cast, state: VisitState) -> None:
    customer, then = CustomerFactory.create(), NOW - timedelta(days=400)
    visit = book_visit(customer=customer, starts_at=then, actor=in_saffron.bob_acts, now=then - timedelta(days=1))
    change_visit_state(visit=visit, state=state, actor=in_saffron.bob_acts, now=NOW)
    event, facts = Event.objects.get(kind=f"visit.{state}"), CustomerFacts.objects.get(customer=customer)
    assert (event.occurred_at, facts.last_visit_at) == (then, then if state == VisitState.COMPLETED else None)

    def within(days: int) -> list[Customer]:
        rules = {"all": [{"event": f"visit.{state}", "count": {"op": "at_least", "value": 1}, "when": {"last": {"days": days}}}]}
        return list(rules_customers(rules, now=NOW))

    assert (within(30), within(500)) == ([], [customer])


def test_what_is_done_about_an_appointment_happened_when_it_was_done(in_saffron: Cast) -> None:
    book = partial(book_visit, customer=CustomerFactory.create(), actor=in_saffron.bob_acts, now=NOW)
    cancelled = book(starts_at=NOW - timedelta(days=400))
    change_visit_state(visit=cancelled, state=VisitState.CANCELLED, actor=in_saffron.bob_acts, now=NOW)
    book(starts_at=NOW + timedelta(days=7), state=VisitState.CANCELLED)
    assert set(Event.objects.values_list("kind", "occurred_at")) == {("visit.booked", NOW), ("visit.cancelled", NOW)}


def test_whoever_came_before_their_time_was_here_by_now(in_saffron: Cast) -> None:
    visit = book_visit(customer=CustomerFactory.create(), starts_at=NOW + timedelta(hours=3), actor=in_saffron.bob_acts, now=NOW)
    change_visit_state(visit=visit, state=VisitState.COMPLETED, actor=in_saffron.bob_acts, now=NOW)
    assert Event.objects.get(kind="visit.completed").occurred_at == NOW
