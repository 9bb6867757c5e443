"""Variables come from namespaces that floors plug in: one load per chunk, absent values left out."""

from datetime import UTC, date, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tenancy import TenantScopeError, tenant
from crm.models import AttributeDefinition, AttributeType
from messaging.content.frame import MessageSource
from messaging.content.validation import validate_message
from messaging.variables import Namespace, known_variables, load_contexts, register
from tests.conftest import Cast
from tests.factories import CustomerFactory

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


def test_a_context_holds_what_is_asked_and_leaves_out_what_is_not_known(in_saffron: Cast) -> None:
    full = CustomerFactory(
        first_name="Sara",
        last_name="Ahmadi",
        city="Oslo",
        birthday=date(1990, 5, 1),
        preferred_location=in_saffron.downtown,
        facts__visit_count=3,
        facts__last_visit_at=datetime(2026, 1, 2, 3, 0, tzinfo=UTC),
    )
    bare = CustomerFactory(first_name="", last_name="")
    names = [
        "customer.first_name",
        "customer.city",
        "customer.birthday",
        "customer.visit_count",
        "customer.last_visit_on",
        "location.name",
        "organization.name",
    ]
    contexts = load_contexts(customer_ids=[full.pk, bare.pk, 999_999], names=names, language="en", now=NOW)
    assert contexts == {
        full.pk: {
            "customer": {
                "first_name": "Sara", "last_name": "Ahmadi", "name": "Sara Ahmadi", "city": "Oslo", "birthday": "May 1, 1990",
                "visit_count": 3, "last_visit_on": "Jan 1, 2026",
            },
            "location": {"name": "Downtown"},
            "organization": {"name": "Saffron Barbers", "postal_address": "1 Main St, New York", "brand_color": "#7c3aed"},
            "recipient": {"name": "Sara Ahmadi"},
        },
        bare.pk: {
            "customer": {"visit_count": 0},
            "location": {},
            "organization": {"name": "Saffron Barbers", "postal_address": "1 Main St, New York", "brand_color": "#7c3aed"},
            "recipient": {"name": ""},
        },
    }  # fmt: skip


def test_dates_are_jalali_in_persian(in_saffron: Cast) -> None:
    customer = CustomerFactory(birthday=date(2026, 3, 21))
    contexts = load_contexts(customer_ids=[customer.pk], names=["customer.birthday"], language="fa", now=NOW)
    assert contexts[customer.pk]["customer"]["birthday"] == "۱ فروردین ۱۴۰۵"


def test_custom_attributes_have_a_namespace_of_their_own(in_saffron: Cast) -> None:
    AttributeDefinition.objects.create(key="shoe-size", label="Shoe size", type=AttributeType.NUMBER)
    AttributeDefinition.objects.create(key="member_since", label="Member since", type=AttributeType.DATE)
    customer = CustomerFactory(attributes={"shoe-size": 43, "member_since": "2020-02-01", "secret": "x"})
    assert {"custom.shoe_size", "custom.member_since"} <= set(known_variables())
    names = ["custom.shoe_size", "custom.member_since", "custom.secret"]
    contexts = load_contexts(customer_ids=[customer.pk], names=names, language="en", now=NOW)
    assert contexts[customer.pk]["custom"] == {"shoe_size": 43, "member_since": "Feb 1, 2020"}


def test_a_chunk_costs_as_many_queries_as_a_single_recipient(in_saffron: Cast) -> None:
    customers = [CustomerFactory() for _ in range(20)]
    names = ["customer.first_name", "location.name", "organization.name"]
    counts = []
    for some in (customers[:1], customers):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            load_contexts(customer_ids=[customer.pk for customer in some], names=names, language="en", now=NOW)
        counts.append(len(queries))
    assert counts == [3, 3]


def test_other_organizations_customers_have_no_context(cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        customer = CustomerFactory()
    with tenant(cast.rival.pk):
        assert load_contexts(customer_ids=[customer.pk], names=["customer.first_name"], language="en", now=NOW) == {}


def test_variables_are_those_of_an_organization(db: None) -> None:
    with pytest.raises(TenantScopeError):
        known_variables()


@pytest.mark.parametrize("key", ["customer", "recipient"])
def test_a_namespace_is_plugged_in_once(key: str) -> None:
    with pytest.raises(ValueError, match=key):
        register(Namespace(key, "", list, lambda loading: {}))


def test_every_attribute_has_a_variable_that_can_be_written(in_saffron: Cast) -> None:
    for key in ("title", "2nd-visit", "favourite-style"):
        AttributeDefinition.objects.create(key=key, label=key, type="text")
    customer = CustomerFactory.create(attributes={"title": "Dr.", "2nd-visit": "May", "favourite-style": "short"})
    names = sorted(name for name in known_variables() if name.startswith("custom."))
    assert names == ["custom.attribute_2nd_visit", "custom.attribute_title", "custom.favourite_style"]
    words = " ".join(f'{{{{ {name} | default("x") }}}}' for name in names)
    assert validate_message(MessageSource("Hi", f"<p>{words}</p>{{{{ footer }}}}"), known_variables()) == []
    found = load_contexts(customer_ids=[customer.pk], names=names, language="en", now=NOW)[customer.pk]
    assert found["custom"] == {"attribute_2nd_visit": "May", "attribute_title": "Dr.", "favourite_style": "short"}
