"""Customers over the API."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import AuditEntry, Organization
from accounts.tenancy import tenant
from crm.models import AttributeDefinition, Consent, ConsentChange, Customer, CustomerFacts, Event
from crm.queries.search import find_customers
from tests.api.conftest import Caller, errors_of
from tests.conftest import Cast, signed_in
from tests.factories import CustomerFactory

Problem = Callable[..., dict[str, Any]]


def test_a_customer_is_created_in_one_spelling_with_audit_and_event(cast: Cast, till: Caller) -> None:
    response = till.post(
        "customers/",
        {
            "first_name": " Sara ",
            "last_name": "كريمي",
            "email": "Sara@Example.COM",
            "phone": "(202) 555-0123",
            "tags": ["vip", "vip"],
            "preferred_location": cast.downtown.pk,
            "birthday": "1990-05-17",
        },
    )
    assert response.status_code == 201
    body = response.json()
    assert response["Location"] == f"/api/v1/customers/{body['id']}/"
    assert {name: body[name] for name in ("first_name", "last_name", "email", "phone", "tags", "birthday", "preferred_location")} == {
        "first_name": "Sara",
        "last_name": "کریمی",
        "email": "sara@example.com",
        "phone": "+12025550123",
        "tags": ["vip"],
        "birthday": "1990-05-17",
        "preferred_location": cast.downtown.pk,
    }
    assert body["facts"]["purchase_count"] == 0
    assert body["created_at"].endswith("Z")
    assert "organization" not in body
    with tenant(cast.saffron.pk):
        assert Event.objects.values_list("kind", "source", "customer_id").get() == ("customer.created", "api", body["id"])
        entry = AuditEntry.objects.get(action="customer.created")
        assert (entry.actor_kind, entry.subject_id) == ("api_key", body["id"])


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"#": "empty"}),
        ({"email": "nobody"}, {"#/email": "invalid"}),
        ({"first_name": "x" * 81}, {"#/first_name": "max_length"}),
        ({"first_name": "a\u0000b"}, {"#/first_name": "null_characters_not_allowed"}),
        ({"first_name": "A", "country": "de"}, {"#/country": "invalid"}),
        ({"first_name": "A", "time_zone": "Mars/Olympus"}, {"#/time_zone": "unknown"}),
        ({"first_name": "A", "gender": "robot"}, {"#/gender": "invalid_choice"}),
        ({"first_name": "A", "birthday": "2090-01-01"}, {"#/birthday": "impossible"}),
        ({"first_name": "A", "shoe_size": 44}, {"#/shoe_size": "unknown_field"}),
        ({"first_name": "A", "tags": ["x" * 61]}, {"#/tags/0": "max_length"}),
        ({"first_name": "A", "attributes": {"undeclared": 1}}, {"#/attributes": "invalid"}),
        ({"first_name": "A", "attributes": []}, {"#/attributes": "not_a_dict"}),
        ({"first_name": "A", "preferred_location": True}, {"#/preferred_location": "incorrect_type"}),
        ({"first_name": "A", "preferred_location": 2**63 - 1}, {"#/preferred_location": "does_not_exist"}),
        ({"first_name": "A", "preferred_location": 2**70}, {"#/preferred_location": "max_value"}),
    ],
)
def test_what_cannot_be_kept_is_named_and_nothing_is_written(
    cast: Cast, till: Caller, assert_problem: Problem, body: dict[str, Any], errors: dict[str, str]
) -> None:
    assert errors_of(assert_problem(till.post("customers/", body), 400, "invalid")) == errors
    with tenant(cast.saffron.pk):
        assert (Customer.objects.count(), Event.objects.count()) == (0, 0)


def test_a_second_customer_with_the_same_address_is_refused(cast: Cast, till: Caller, assert_problem: Problem) -> None:
    till.post("customers/", {"email": "sara@example.com"})
    body = assert_problem(till.post("customers/", {"email": "SARA@example.com"}), 400, "invalid")
    assert len(body["errors"]) == 1
    with tenant(cast.saffron.pk):
        assert Customer.objects.count() == 1


def test_a_change_writes_what_differs(cast: Cast, till: Caller) -> None:
    with tenant(cast.saffron.pk):
        AttributeDefinition.objects.create(key="shoe-size", label="Shoe size", type="number")
        customer = CustomerFactory.create(first_name="Dana", city="Rome")
    response = till.patch(f"customers/{customer.pk}/", {"city": "Paris", "first_name": "Dana", "attributes": {"shoe-size": 44}})
    assert response.status_code == 200
    body = response.json()
    assert (body["city"], body["first_name"], body["attributes"]) == ("Paris", "Dana", {"shoe-size": 44})
    with tenant(cast.saffron.pk):
        entry = AuditEntry.objects.get(action="customer.changed")
        assert (entry.before, entry.after) == ({"city": "Rome", "attributes": {}}, {"city": "Paris", "attributes": {"shoe-size": 44}})


def test_search_finds_by_every_name_people_know(cast: Cast, till: Caller) -> None:
    with tenant(cast.saffron.pk):
        dana = CustomerFactory.create(first_name="Dana", last_name="Öztürk", phone="+12025550123", external_id="T-7", tags=["vip"])
        CustomerFactory.create(first_name="Bo", last_name="Li", email="bo@example.com")

    def found(query: str) -> list[str]:
        return [row["first_name"] for row in till.get(f"customers/?{query}").json()["results"]]

    assert found("search=dana") == ["Dana"]
    assert found("search=ozt") == ["Dana"]
    assert found("search=202-555-0123") == ["Dana"]
    assert found("search=T-7") == ["Dana"]
    assert found("search=bo@ex") == ["Bo"]
    assert found("search=nobody") == []
    assert found("tag=vip") == ["Dana"]
    assert found(f"email={dana.email.upper()}") == ["Dana"]
    assert found("external_id=T-7") == ["Dana"]
    assert found("created_before=2001-01-01T00:00:00Z") == []


@pytest.mark.parametrize(
    ("region", "kept", "filters"),
    [
        ("US", {"phone": "+12025550123"}, ["phone=+12025550123", "phone=%2B12025550123", "phone=(202)%20555-0123", "phone=۲۰۲۵۵۵۰۱۲۳"]),
        (
            "IR",
            {"phone": "+989123456789"},
            ["phone=0912%20345%206789", "phone=۰۹۱۲۳۴۵۶۷۸۹", "phone=00989123456789", "phone=%2B98912-3456789"],
        ),
        ("US", {"email": "dana@xn--mnchen-3ya.de"}, ["email=%20Dana@München.DE%20", "email=dana@xn--mnchen-3ya.de"]),
        ("US", {"external_id": "کی-7"}, ["external_id=%20كي-7%20", "external_id=کی-7%E2%80%8F"]),
        ("US", {"tags": ["کافی"]}, ["tag=كافي", "tag=%20کافی%E2%80%8E"]),
    ],
)
def test_a_filter_finds_who_is_meant_however_it_is_typed(
    cast: Cast, till: Caller, region: str, kept: dict[str, Any], filters: list[str]
) -> None:
    with tenant(cast.saffron.pk):
        Organization.objects.filter(pk=cast.saffron.pk).update(region=region)
        CustomerFactory.create(first_name="Dana", **kept)
        CustomerFactory.create(first_name="Bo")
    assert {one: [row["first_name"] for row in till.get(f"customers/?{one}").json()["results"]] for one in filters} == {
        one: ["Dana"] for one in filters
    }


def test_a_customer_number_names_its_customer_however_it_is_typed(cast: Cast, till: Caller) -> None:
    dana = till.post("customers/", {"first_name": "Dana", "external_id": "كي-7"}).json()
    assert dana["external_id"] == "کی-7"
    named = {"customer_external_id": "كي-7\u200f"}
    assert till.post("visits/", {**named, "starts_at": "2026-05-01T09:30:00Z"}).json()["customer"] == dana["id"]
    told = till.post("events/batch/", {"events": [{**named, "kind": "class.attended", "key": "1"}]})
    assert told.json() == {"recorded": 1, "duplicates": 0}


def test_a_search_narrowed_by_a_tag_looks_at_everybody_who_fits(cast: Cast, till: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(find_customers.__kwdefaults__ or {}, "at_most", 2)
    with tenant(cast.saffron.pk):
        for number in range(4):
            CustomerFactory.create(first_name=f"Ann{number}", tags=["vip"])
    rows = till.get("customers/?search=ann&tag=vip").json()["results"]
    assert sorted(row["first_name"] for row in rows) == ["Ann0", "Ann1", "Ann2", "Ann3"]


def test_a_search_for_the_last_code_point_finds_nobody(cast: Cast, till: Caller) -> None:
    for query in ("%F4%8F%BF%BF", "a@%F4%8F%BF%BF"):
        assert till.get(f"customers/?search={query}").json()["results"] == []


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ("limit=0", {"limit": "invalid_limit"}),
        ("limit=1000", {"limit": "invalid_limit"}),
        ("limit=ten", {"limit": "invalid_limit"}),
        ("cursor=forged", {"cursor": "invalid_cursor"}),
        ("cursor=WzEsMl0", {"cursor": "invalid_cursor"}),
        ("emial=a@b.c", {"emial": "unknown_parameter"}),
        ("search=a%00b", {"search": "null_characters_not_allowed"}),
        ("created_from=yesterday", {"created_from": "invalid"}),
        ("phone=dana", {"phone": "invalid"}),
        ("phone=12", {"phone": "invalid"}),
        ("email=dana", {"email": "invalid"}),
        ("tag=%E2%80%8F", {"tag": "invalid"}),
        ("external_id=%E2%80%8F", {"external_id": "invalid"}),
    ],
)
def test_parameters_that_cannot_be_used_are_named(till: Caller, assert_problem: Problem, query: str, errors: dict[str, str]) -> None:
    assert errors_of(assert_problem(till.get(f"customers/?{query}"), 400, "invalid")) == errors


def test_the_timeline_is_latest_first_and_filtered(cast: Cast, till: Caller) -> None:
    customer = till.post("customers/", {"first_name": "Dana"}).json()["id"]
    till.post(
        "events/", {"customer": customer, "kind": "class.attended", "occurred_at": "2026-01-05T10:00:00+02:00", "properties": {"room": 3}}
    )
    body = till.get(f"customers/{customer}/events/").json()
    assert [event["kind"] for event in body["results"]] == ["customer.created", "class.attended"]
    assert body["results"][1]["occurred_at"] == "2026-01-05T08:00:00Z"
    only = till.get(f"customers/{customer}/events/?kind=class.attended").json()["results"]
    assert [(event["kind"], event["properties"], event["source"]) for event in only] == [("class.attended", {"room": 3}, "api")]


def test_consent_is_recorded_with_its_proof_once(cast: Cast, till: Caller) -> None:
    with tenant(cast.saffron.pk):
        customer = CustomerFactory.create()
    said = {"channel": "email", "purpose": "marketing", "state": "granted", "proof": {"page": "/join", "words": "Yes, send me offers"}}
    first = till.post(f"customers/{customer.pk}/consents/", said)
    again = till.post("consents/", {**said, "customer": customer.pk})
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert (first.json()["state"], first.json()["channel"]) == ("granted", "email")
    till.post(f"customers/{customer.pk}/consents/", {**said, "state": "withdrawn", "proof": {}})
    with tenant(cast.saffron.pk):
        assert Consent.objects.get().state == "withdrawn"
        assert ConsentChange.objects.count() == 2
    listed = till.get(f"customers/{customer.pk}/consents/").json()["results"]
    assert [(row["channel"], row["purpose"], row["state"]) for row in listed] == [("email", "marketing", "withdrawn")]
    assert till.get("consents/?state=granted").json()["results"] == []
    history = till.get(f"customers/{customer.pk}/consent-history/").json()["results"]
    assert [(row["state"], row["source"]) for row in history] == [("withdrawn", "api"), ("granted", "api")]
    assert history[1]["proof"] == said["proof"]


def test_consent_of_nobody_is_refused(cast: Cast, till: Caller, assert_problem: Problem) -> None:
    said = {"channel": "email", "purpose": "marketing", "state": "granted"}
    assert errors_of(assert_problem(till.post("consents/", said), 400, "invalid")) == {"#/customer": "required"}
    assert_problem(till.post("customers/999/consents/", said), 404, "not_found")
    with tenant(cast.saffron.pk):
        assert Consent.objects.count() == 0


def test_a_member_limited_to_a_location_prefers_only_their_own(cast: Cast, limited: Any) -> None:
    client = signed_in(cast.bob)
    body = {"first_name": "Dana", "preferred_location": cast.uptown.pk}
    response = client.post("/api/v1/customers/", body, content_type="application/json")
    assert response.status_code == 400
    assert errors_of(response.json()) == {"#/preferred_location": "does_not_exist"}
    response = client.post("/api/v1/customers/", {**body, "preferred_location": cast.downtown.pk}, content_type="application/json")
    assert response.status_code == 201


def test_what_is_counted_elsewhere_is_not_told_to_who_is_limited(limited: Cast, till: Caller) -> None:
    with tenant(limited.saffron.pk):
        customer = CustomerFactory.create(facts__spent_minor=12_345)
    assert signed_in(limited.bob).get(f"/api/v1/customers/{customer.pk}/").json()["facts"] is None
    assert till.get(f"customers/{customer.pk}/").json()["facts"]["spent_minor"] == 12_345


def test_facts_come_with_the_customer(cast: Cast, till: Caller) -> None:
    with tenant(cast.saffron.pk):
        customer = CustomerFactory.create(facts__spent_minor=12_345, facts__last_visit_at=timezone.now())
    facts = till.get(f"customers/{customer.pk}/").json()["facts"]
    assert facts["spent_minor"] == 12_345
    with tenant(cast.saffron.pk):
        assert set(facts) == {field.name for field in CustomerFacts._meta.fields} - {"organization", "customer"}
