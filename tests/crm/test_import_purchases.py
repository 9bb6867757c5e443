"""Lines of receipts become purchases and refunds, their totals exact, and the same file again changes nothing."""

from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db.models import Count, Sum

from accounts.models import Organization
from accounts.models.audit import AuditEntry
from accounts.tenancy import tenant
from crm.models import Customer, CustomerFacts, Event, ImportFinding, Purchase, PurchaseLine
from tests.conftest import Cast
from tests.crm.import_files import counts, findings, imported, start

TILL = (
    "Receipt,Date,Customer number,SKU,Product,Category,Qty,Price,Paid by,Store\n"
    "A1,2025-03-01 10:00,7,S1,Shampoo,Care,2,4.50,card,Downtown\n"
    "A1,2025-03-01 10:00,7,S2,Cut,Service,1,20.00,card,Downtown\n"
    "A1,2025-03-01 10:00,7,S2,Cut,Service,1,20.00,card,Downtown\n"
    "A2,2025-03-02 11:00,,S1,Shampoo,Care,1,4.50,cash,\n"
    "A3,2025-04-02 11:00,7,S1,Shampoo,Care,-1,4.50,,\n"
)


def test_lines_of_one_receipt_are_one_purchase(cast: Cast) -> None:
    job = imported(cast.saffron, cast.alice_acts, TILL, kind="purchases")
    assert counts(job) == {
        "read": 5, "lines": 5, "sales": 2, "refunds": 1, "repeated": 1, "noted": 1, "anonymous_lines": 1, "customers_created": 1,
        "total_minor": 4900,
    }  # fmt: skip
    assert findings(job) == [(4, False, "repeated_line")]
    with tenant(cast.saffron.pk):
        assert list(Purchase.objects.order_by("number").values_list("number", "kind", "total_minor", "payment_method", "location_id")) == [
            ("A1", "sale", 4900, "card", cast.downtown.pk),
            ("A2", "sale", 450, "cash", None),
            ("A3", "refund", -450, "", None),
        ]
        assert Purchase.objects.get(number="A1").purchased_at == datetime(2025, 3, 1, 15, 0, tzinfo=UTC)  # New York's clock
        lines = Purchase.objects.get(number="A1").lines.order_by("id")
        assert list(lines.values_list("product_code", "description", "category", "quantity", "unit_price_minor", "amount_minor")) == [
            ("S1", "Shampoo", "Care", 2, 450, 900),
            ("S2", "Cut", "Service", 1, 2000, 2000),
            ("S2", "Cut", "Service", 1, 2000, 2000),
        ]
        facts = CustomerFacts.objects.get(customer__external_id="7")
        assert (facts.purchase_count, facts.refund_count, facts.spent_minor) == (1, 1, 4450)
        assert facts.first_purchase_at == facts.last_purchase_at == datetime(2025, 3, 1, 15, 0, tzinfo=UTC)
        events = Event.objects.filter(kind__startswith="purchase.").order_by("occurred_at")
        assert list(events.values_list("kind", "customer_id", "source")) == [
            ("purchase.completed", facts.customer_id, "import"),
            ("purchase.completed", None, "import"),
            ("purchase.refunded", facts.customer_id, "import"),
        ]
        first = events[0]
        assert (first.occurred_at, first.properties["total_minor"], first.properties["categories"]) == (
            datetime(2025, 3, 1, 15, 0, tzinfo=UTC), 4900, ["Care", "Service"],
        )  # fmt: skip
        assert AuditEntry.objects.filter(action="purchases.imported").count() == 1


def test_the_same_receipts_again_change_nothing(cast: Cast) -> None:
    imported(cast.saffron, cast.alice_acts, TILL, kind="purchases")
    again = imported(cast.saffron, cast.alice_acts, TILL, kind="purchases")
    assert {name: again.counts[name] for name in ("sales", "refunds", "lines", "customers_created", "unchanged")} == {
        "sales": 0, "refunds": 0, "lines": 0, "customers_created": 0, "unchanged": 3,
    }  # fmt: skip
    with tenant(cast.saffron.pk):
        assert (Purchase.objects.count(), PurchaseLine.objects.count()) == (3, 5)
        assert CustomerFacts.objects.get().spent_minor == 4450
        assert Event.objects.filter(kind__startswith="purchase").count() == 4


def test_a_known_receipt_with_another_total_is_refused_and_left(cast: Cast) -> None:
    imported(cast.saffron, cast.alice_acts, "invoice,date,amount\n1,2025-03-01,10\n", kind="purchases")
    job = imported(
        cast.saffron, cast.alice_acts, "invoice,date,amount\n1,2025-03-01,10\n1,2025-03-01,5\n2,2025-03-01,7\n", kind="purchases"
    )
    assert findings(job) == [(2, True, "receipt_changed"), (3, True, "receipt_changed")]
    with tenant(cast.saffron.pk):
        assert list(Purchase.objects.order_by("number").values_list("number", "total_minor")) == [("1", 1000), ("2", 700)]
        assert list(ImportFinding.objects.filter(job=job).values_list("raw", flat=True)) == ["1,2025-03-01,10", "1,2025-03-01,5"]


def test_bad_lines_are_refused_and_the_rest_is_taken(cast: Cast) -> None:
    job = imported(
        cast.saffron,
        cast.alice_acts,
        "invoice,date,qty,price,customer id\n,2025-03-01,1,1,\n1,soon,1,1,\n2,2025-03-01,one,1,\n3,2025-03-01,1,free,\n4,2025-03-01,1,,\n"
        "5,2025-03-01,1,0.005,\n6,2025-03-01,1,1,a\n6,2025-03-01,1,1,b\n7,2025-03-01,,3,\n,,,,\n8,2150-03-01,1,1,\n",
        kind="purchases",
    )
    assert findings(job) == [
        (2, True, "number_missing"), (3, True, "date_invalid"), (4, True, "number_invalid"), (5, True, "number_invalid"),
        (6, True, "price_missing"), (7, True, "money_too_fine"), (8, True, "receipt_customers"), (9, True, "receipt_customers"),
        (12, True, "date_ahead"),
    ]  # fmt: skip
    with tenant(cast.saffron.pk):
        assert list(Purchase.objects.values_list("number", "total_minor")) == [("7", 300)]
        assert Customer.objects.count() == 0


def test_lines_of_no_pieces_are_taken_where_they_are_about_money(cast: Cast) -> None:
    rows = ("1,0.0,4.20,", "1,2,3.00,", "2,0,-1.40,", "3,0,0.00,", "4,0,,5.00", "5,,0.00,", "1,0.0,0.0,")
    body = "".join(f"{number},2025-03-01,{rest}\n" for number, rest in (row.split(",", 1) for row in rows))
    job = imported(cast.saffron, cast.alice_acts, f"invoice,date,qty,amount,price\n{body}", kind="purchases")
    assert findings(job) == [(5, True, "line_empty"), (6, True, "line_empty"), (8, True, "line_empty")]
    assert (job.counts["read"], job.counts["lines"], job.counts["total_minor"]) == (7, 4, 580)
    with tenant(cast.saffron.pk):
        assert list(Purchase.objects.order_by("number").values_list("number", "kind", "total_minor")) == [
            ("1", "sale", 720), ("2", "refund", -140), ("5", "sale", 0),
        ]  # fmt: skip
        assert list(PurchaseLine.objects.order_by("id").values_list("quantity", "unit_price_minor", "amount_minor")) == [
            (1, 420, 420), (2, 150, 300), (-1, 140, -140), (1, 0, 0),
        ]  # fmt: skip


def test_a_receipt_number_is_never_cut_to_that_of_another(cast: Cast) -> None:
    long = "R" * 60
    job = imported(cast.saffron, cast.alice_acts, f"invoice,date,amount\n{long},2025-03-01,1\n{long}1,2025-03-01,2\n", kind="purchases")
    assert findings(job) == [(3, True, "number_long")]
    with tenant(cast.saffron.pk):
        assert list(Purchase.objects.values_list("number", "total_minor")) == [(long, 100)]


def test_a_person_of_a_receipt_may_have_a_last_name_alone(cast: Cast) -> None:
    content = 'invoice,date,amount,email,customer name\n1,2025-03-01,1,a@example.com,"Lee, Ann"\n2,2025-03-01,1,b@example.com,"Oak,"\n'
    imported(cast.saffron, cast.alice_acts, content, kind="purchases")
    with tenant(cast.saffron.pk):
        names = Customer.objects.order_by("email").values_list("first_name", "last_name", "search_key")
        assert list(names) == [("Ann", "Lee", "ann lee"), ("", "Oak", "oak")]


def test_people_of_receipts_are_those_that_are_known(cast: Cast) -> None:
    imported(cast.saffron, cast.alice_acts, "id,email\n7,a@example.com\n,b@example.com\n")
    job = imported(
        cast.saffron,
        cast.alice_acts,
        "invoice,date,amount,customer id,email\n1,2025-03-01,1,7,\n2,2025-03-01,2,8,b@example.com\n3,2025-03-01,3,,a@example.com\n4,2025-03-01,4,9,a@example.com\n",
        kind="purchases",
    )
    assert counts(job)["customers_created"] == 1
    with tenant(cast.saffron.pk):
        assert list(Customer.objects.order_by("id").values_list("external_id", "email", "facts__spent_minor")) == [
            ("7", "a@example.com", 400),
            ("8", "b@example.com", 200),
            ("9", "", 400),
        ]


def test_addresses_can_be_made_for_the_people_of_receipts(cast: Cast) -> None:
    template = "customer-{id}@example.test"
    imported(cast.saffron, cast.alice_acts, "id,email\n8,real@example.com\n", kind="customers")
    imported(cast.saffron, cast.alice_acts, TILL, kind="purchases")
    job = imported(
        cast.saffron,
        cast.alice_acts,
        TILL + "A4,2025-04-03,8,,,,1,1,,\nA5,2025-04-03,9,,,,1,1,,\n",
        kind="purchases",
        email_template=template,
    )
    assert (job.counts["customers_created"], job.counts["customers_completed"], job.counts["sales"]) == (1, 1, 2)
    again = imported(cast.saffron, cast.alice_acts, TILL, kind="purchases", email_template=template)
    assert (again.counts["customers_created"], again.counts["customers_completed"]) == (0, 0)
    with tenant(cast.saffron.pk):
        assert dict(Customer.objects.values_list("external_id", "email")) == {
            "7": "customer-7@example.test", "8": "real@example.com", "9": "customer-9@example.test",
        }  # fmt: skip


def test_receipts_known_already_still_say_whose_address_they_filled(cast: Cast, tmp_path: Path) -> None:
    imported(cast.saffron, cast.alice_acts, TILL, kind="purchases")
    told = StringIO()
    file = tmp_path / "till.csv"
    file.write_text(TILL)
    template = "customer-{id}@example.test"
    call_command("import_data", "purchases", str(file), organization=cast.saffron.slug, email_template=template, stdout=told)
    assert "1 customers got the e-mail address they lacked." in told.getvalue()
    assert "Nothing changed" not in told.getvalue()


def pounds(cast: Cast) -> Organization:
    Organization.objects.filter(pk=cast.saffron.pk).update(currency="GBP", time_zone="Europe/London", region="GB")
    return Organization.objects.get(pk=cast.saffron.pk)


@pytest.mark.realdata
def test_four_months_of_a_web_shop_add_up_to_the_penny(committed_cast: Cast, shared_data: Path) -> None:
    cast = committed_cast
    with tenant(cast.saffron.pk):
        pounds(cast)
    file = shared_data / "retail/online_retail_2010-12_2011-03.csv.gz"
    job = imported(cast.saffron, cast.alice_acts, file, kind="purchases", email_template="customer-{id}@example.test")
    assert counts(job) == {
        "read": 142_083, "lines": 142_083, "sales": 5_406, "refunds": 1_471, "repeated": 1_284, "noted": 1_284,
        "anonymous_lines": 45_136, "customers_created": 2_189, "total_minor": 249_028_701,
    }  # fmt: skip
    with tenant(cast.saffron.pk):
        assert PurchaseLine.objects.aggregate(lines=Count("id"), total=Sum("amount_minor")) == {"lines": 142_083, "total": 249_028_701}
        assert Purchase.objects.aggregate(total=Sum("total_minor")) == {"total": 249_028_701}
        assert Purchase.objects.filter(number__startswith="C").exclude(kind="refund").count() == 0
        assert Customer.objects.filter(email="customer-17850@example.test").count() == 1
        named = Purchase.objects.filter(customer__isnull=False).aggregate(total=Sum("total_minor"))["total"]
        assert CustomerFacts.objects.aggregate(total=Sum("spent_minor"))["total"] == named
        assert Event.objects.filter(kind__startswith="purchase.").count() == 6_877
    again = imported(cast.saffron, cast.alice_acts, file, kind="purchases", email_template="customer-{id}@example.test")
    assert (again.counts["sales"], again.counts["refunds"], again.counts["unchanged"]) == (0, 0, 6_877)


def test_only_receipts_of_nothing_or_less_are_refunds_whatever_their_number(cast: Cast) -> None:
    lines = {"C1001": "1,10.00", "C1002": "-1,10.00", "C1003": "1,0.00", "1004": "-1,0.00", "1005": "1,0.00", "1006": "-2,3.00"}
    rows = "".join(f"{number},2025-01-02,X1,{rest}\n" for number, rest in lines.items())
    imported(cast.saffron, cast.alice_acts, f"invoice,date,customer id,quantity,price\n{rows}", kind="purchases")
    with tenant(cast.saffron.pk):
        assert dict(Purchase.objects.values_list("number", "kind")) == {
            "C1001": "sale", "C1002": "refund", "C1003": "refund", "1004": "refund", "1005": "sale", "1006": "refund",
        }  # fmt: skip
        facts = CustomerFacts.objects.get()
        assert (facts.purchase_count, facts.refund_count, facts.spent_minor) == (2, 4, -600)
        assert facts.last_purchase_at == datetime(2025, 1, 2, 5, tzinfo=UTC)


def test_a_file_without_what_a_receipt_needs_is_refused(cast: Cast) -> None:
    for header in ("date,amount", "invoice,amount", "invoice,date"):
        with pytest.raises(ValueError, match="No column holds"):
            start(cast.saffron, cast.alice_acts, f"{header}\n1,2,3\n", kind="purchases")
