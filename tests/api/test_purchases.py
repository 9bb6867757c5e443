"""Purchases and refunds over the API."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.tenancy import tenant
from crm.models import CustomerFacts, Purchase, PurchaseLine
from tests.api.conftest import Caller, errors_of
from tests.conftest import Cast, signed_in
from tests.factories import CustomerFactory

Problem = Callable[..., dict[str, Any]]
CUT = {"description": "Haircut", "category": "Cuts", "unit_price_minor": 3_500}
WAX = {"description": "Wax", "category": "Products", "quantity": 2, "unit_price_minor": 1_250}


def test_a_receipt_is_recorded_with_its_lines_and_facts(cast: Cast, till: Caller) -> None:
    with tenant(cast.saffron.pk):
        customer = CustomerFactory.create(external_id="T-7")
    response = till.post(
        "purchases/",
        {
            "customer_external_id": "T-7",
            "number": "R-1",
            "purchased_at": "2026-03-01T10:00:00Z",
            "payment_method": "card",
            "location": cast.downtown.pk,
            "lines": [CUT, WAX],
        },
    )
    assert response.status_code == 201
    body = response.json()
    assert (body["customer"], body["total_minor"], body["currency"], body["kind"], body["number"]) == (
        customer.pk,
        6_000,
        "USD",
        "sale",
        "R-1",
    )
    assert (body["purchased_at"], body["source"], body["location"]) == ("2026-03-01T10:00:00Z", "api", cast.downtown.pk)
    assert [(line["description"], line["quantity"], line["amount_minor"]) for line in body["lines"]] == [
        ("Haircut", 1, 3_500),
        ("Wax", 2, 2_500),
    ]
    shown = till.get(f"purchases/{body['id']}/").json()
    assert shown | {"loyalty": []} == body
    with tenant(cast.saffron.pk):
        facts = CustomerFacts.objects.get(customer=customer)
        assert (facts.purchase_count, facts.spent_minor) == (1, 6_000)


def test_nothing_is_given_back_before_it_was_sold(cast: Cast, till: Caller) -> None:
    sale = till.post("purchases/", {"purchased_at": "2026-03-01T10:00:00Z", "lines": [CUT]}).json()["id"]
    refused = till.post(f"purchases/{sale}/refund/", {"amount_minor": 500, "refunded_at": "2026-03-01T09:59:59Z"})
    assert (refused.status_code, list(errors_of(refused.json()))) == (400, ["#/refunded_at"])
    with tenant(cast.saffron.pk):
        assert Purchase.objects.count() == 1
    assert till.post(f"purchases/{sale}/refund/", {"amount_minor": 500, "refunded_at": "2026-03-01T10:00:00Z"}).status_code == 201


def test_what_a_till_sold_whose_clock_runs_ahead_can_be_given_back_at_once(till: Caller) -> None:
    ahead = (timezone.now() + timedelta(hours=3)).isoformat()
    sale = till.post("purchases/", {"purchased_at": ahead, "lines": [CUT]}).json()["id"]
    assert till.post(f"purchases/{sale}/refund/", {"amount_minor": 500}).status_code == 201


def test_a_part_is_given_back_and_never_more_than_was_paid(cast: Cast, till: Caller, assert_problem: Problem) -> None:
    with tenant(cast.saffron.pk):
        customer = CustomerFactory.create()
    sale = till.post("purchases/", {"customer": customer.pk, "lines": [CUT]}).json()["id"]
    refund = till.post(f"purchases/{sale}/refund/", {"amount_minor": 500, "number": "C-1"})
    assert refund.status_code == 201
    body = refund.json()
    assert (body["kind"], body["total_minor"], body["refund_of"], body["customer"]) == ("refund", -500, sale, customer.pk)
    too_much = assert_problem(till.post(f"purchases/{sale}/refund/", {"amount_minor": 3_001}), 400, "invalid")
    assert errors_of(too_much) == {"#/amount_minor": "invalid"}
    assert errors_of(assert_problem(till.post(f"purchases/{sale}/refund/", {"amount_minor": 0}), 400, "invalid")) == {
        "#/amount_minor": "min_value"
    }
    assert_problem(till.post(f"purchases/{body['id']}/refund/", {"amount_minor": 1}), 409, "wrong_kind")
    with tenant(cast.saffron.pk):
        facts = CustomerFacts.objects.get(customer=customer)
        assert (facts.purchase_count, facts.refund_count, facts.spent_minor) == (1, 1, 3_000)
    assert [row["id"] for row in till.get(f"purchases/?refund_of={sale}").json()["results"]] == [body["id"]]


@pytest.mark.parametrize(
    ("change", "errors"),
    [
        ({"lines": []}, {"#/lines": "min_length"}),
        ({"lines": [CUT] * 501}, {"#/lines": "max_length"}),
        ({"lines": "none"}, {"#/lines": "not_a_list"}),
        ({"lines": [{"unit_price_minor": 10**15 + 1}]}, {"#/lines/0/unit_price_minor": "max_value"}),
        ({"lines": [CUT, {"unit_price_minor": 10**15, "quantity": 1_000_000}]}, {"#/lines": "max_value"}),
        ({"lines": [CUT, {"unit_price_minor": 1.5}]}, {"#/lines/1/unit_price_minor": "invalid"}),
        ({"lines": [CUT, {**CUT, "quantity": 0}]}, {"#/lines/1/quantity": "zero"}),
        ({"lines": [{**CUT, "colour": "red"}]}, {"#/lines/0/colour": "unknown_field"}),
        ({"currency": "EUR"}, {"#/currency": "invalid"}),
        ({"purchased_at": "1815-06-18T12:00:00Z"}, {"#/purchased_at": "too_early"}),
        ({"purchased_at": "2099-06-18T12:00:00Z"}, {"#/purchased_at": "too_late"}),
        ({"purchased_at": "0001-01-01T00:00:00+14:00"}, {"#/purchased_at": "overflow"}),
        ({"purchased_at": 12}, {"#/purchased_at": "invalid"}),
        ({"payment_method": "barter"}, {"#/payment_method": "invalid_choice"}),
        ({"customer": 10**12}, {"#/customer": "does_not_exist"}),
        ({"customer_external_id": "T-404"}, {"#/customer_external_id": "does_not_exist"}),
        ({"number": "x" * 61}, {"#/number": "max_length"}),
    ],
)
def test_a_receipt_that_cannot_be_is_refused(
    cast: Cast, till: Caller, assert_problem: Problem, change: dict[str, Any], errors: dict[str, str]
) -> None:
    assert errors_of(assert_problem(till.post("purchases/", {"lines": [CUT], **change}), 400, "invalid")) == errors
    with tenant(cast.saffron.pk):
        assert (Purchase.objects.count(), PurchaseLine.objects.count()) == (0, 0)


def test_receipts_are_found_by_time_kind_and_number(cast: Cast, till: Caller) -> None:
    for day in (1, 2, 3):
        till.post("purchases/", {"number": f"R-{day}", "purchased_at": f"2026-03-0{day}T10:00:00Z", "lines": [CUT]})

    def numbers(query: str) -> list[str]:
        return [row["number"] for row in till.get(f"purchases/?{query}").json()["results"]]

    assert numbers("") == ["R-3", "R-2", "R-1"]
    assert numbers("purchased_from=2026-03-02T00:00:00Z&purchased_before=2026-03-03T00:00:00Z") == ["R-2"]
    assert numbers("number=R-1") == ["R-1"]
    assert numbers("kind=refund") == []
    assert "lines" not in till.get("purchases/").json()["results"][0]


def test_a_member_limited_to_a_location_sees_and_sells_only_there(limited: Cast, till: Caller) -> None:
    uptown = till.post("purchases/", {"number": "UP", "location": limited.uptown.pk, "lines": [CUT]}).json()["id"]
    till.post("purchases/", {"number": "DOWN", "location": limited.downtown.pk, "lines": [CUT]})
    bob = signed_in(limited.bob)
    assert [row["number"] for row in bob.get("/api/v1/purchases/").json()["results"]] == ["DOWN"]
    assert bob.get(f"/api/v1/purchases/{uptown}/").status_code == 404
    assert bob.post(f"/api/v1/purchases/{uptown}/refund/", {"amount_minor": 1}, content_type="application/json").status_code == 404
    nowhere = bob.post("/api/v1/purchases/", {"lines": [CUT]}, content_type="application/json")
    assert (nowhere.status_code, errors_of(nowhere.json())) == (400, {"#/location": "required"})
    elsewhere = bob.post("/api/v1/purchases/", {"lines": [CUT], "location": limited.uptown.pk}, content_type="application/json")
    assert (elsewhere.status_code, errors_of(elsewhere.json())) == (400, {"#/location": "does_not_exist"})
    here = bob.post("/api/v1/purchases/", {"lines": [CUT], "location": limited.downtown.pk}, content_type="application/json")
    assert here.status_code == 201
    with tenant(limited.saffron.pk):
        assert Purchase.objects.count() == 3
    kinds = [event["properties"]["location"] for event in bob.get("/api/v1/events/?kind=purchase.completed").json()["results"]]
    assert kinds == [limited.downtown.pk, limited.downtown.pk]
