"""What the counter does: find, write down, record a visit, a sale, a refund, a consent."""

import pytest
from django.test import Client
from django.utils import timezone, translation

from accounts.formats import format_moment
from accounts.models import AuditEntry
from accounts.tenancy import tenant
from crm.models import Consent, ConsentChange, Customer, CustomerFacts, Purchase, Visit
from tests.conftest import Cast
from tests.crm.counter import NOW, Counter, open_counter

WHEN = {"starts_at_0": "2026-03-01", "starts_at_1": "10:30"}
SOLD = {"purchased_at_0": "2026-03-01", "purchased_at_1": "10:30", "payment_method": "cash", "location": "", "staff": "", "number": ""}


def _lines(*rows: tuple[str, str, str]) -> dict[str, str]:
    data = {"lines-TOTAL_FORMS": str(len(rows)), "lines-INITIAL_FORMS": "0"}
    for number, (what, quantity, price) in enumerate(rows):
        data |= {
            f"lines-{number}-description": what,
            f"lines-{number}-quantity": quantity,
            f"lines-{number}-price": price,
            f"lines-{number}-category": "",
        }
    return data


@pytest.fixture
def counter(cast: Cast) -> Counter:
    return open_counter(cast)


@pytest.mark.parametrize("text", ["dana", "DANA REY", "dana@g", "202 555 0123", "+12025550123", "2025550", "reyes", "۲۰۲۵۵۵۰۱۲۳"])
def test_a_customer_is_found_by_whatever_the_counter_types(as_bob: Client, counter: Counter, text: str) -> None:
    page = as_bob.get("/customers/", {"q": text})
    assert [customer.pk for customer in page.context["page"]] == [counter.dana.pk]


def test_nobody_found_offers_to_write_them_down_with_what_was_typed(as_bob: Client, counter: Counter) -> None:
    page = as_bob.get("/customers/", {"q": "Zoe Park"}).content.decode()
    assert "Nobody fits" in page
    assert "/customers/new/?typed=Zoe%20Park" in page
    form = as_bob.get("/customers/new/", {"typed": "Zoe Park"}).context["form"]
    assert (form["first_name"].value(), form["last_name"].value()) == ("Zoe", "Park")


def test_chips_read_back_as_a_sentence(as_alice: Client, counter: Counter) -> None:
    page = as_alice.get("/customers/", {"who": ["never", "email"]}).content.decode()
    assert "0 customers" in " ".join(page.split())
    assert "who never came and agreed to e-mail offers" in " ".join(page.split())


def test_a_new_customer_is_normalised_audited_and_shown(as_bob: Client, cast: Cast) -> None:
    response = as_bob.post(
        "/customers/new/", {"first_name": " علي ", "phone": "(202) 555-0199", "email": "Ali@Gmail.com", "tags": "vip, vip ,beard"}
    )
    with tenant(cast.saffron.pk):
        ali = Customer.objects.get()
        assert (ali.first_name, ali.phone, ali.email, ali.tags) == ("علی", "+12025550199", "ali@gmail.com", ["beard", "vip"])
        assert AuditEntry.objects.get(action="customer.created").actor_label == "Bob"
    assert response["Location"] == f"/customers/{ali.pk}/"


@pytest.mark.parametrize(
    ("field", "typed"),
    [("phone", "123"), ("email", "not-an-address"), ("email", "dana@gmail.com"), ("phone", "202-555-0123"), ("birthday", "1990-13-40")],
)
def test_what_cannot_be_kept_is_said_at_its_field_and_nothing_typed_is_lost(
    as_bob: Client, counter: Counter, field: str, typed: str
) -> None:
    page = as_bob.post("/customers/new/", {"first_name": "Zoe", "city": "Boston", field: typed})
    form = page.context["form"]
    assert page.status_code == 200
    assert list(form.errors) == [field]
    assert (form["first_name"].value(), form["city"].value(), form[field].value()) == ("Zoe", "Boston", typed)
    with tenant(counter.cast.saffron.pk):
        assert Customer.objects.count() == 1


def test_a_customer_needs_something_to_be_known_by(as_bob: Client, cast: Cast) -> None:
    page = as_bob.post("/customers/new/", {"city": "Boston"})
    assert page.context["form"].non_field_errors() == ["Give at least a name, a phone number or an e-mail address."]


def test_only_what_was_changed_is_written(as_bob: Client, counter: Counter) -> None:
    url = f"/customers/{counter.dana.pk}/edit/"
    form = as_bob.get(url).context["form"]
    values = {name: form[name].value() or "" for name in form.fields} | {"city": "Boston"}
    assert as_bob.post(url, values).status_code == 302
    with tenant(counter.cast.saffron.pk):
        entry = AuditEntry.objects.get(action="customer.changed")
    assert (entry.before, entry.after) == ({"city": ""}, {"city": "Boston"})


def test_a_visit_is_recorded_in_the_organizations_time_zone_and_counted(as_bob: Client, counter: Counter) -> None:
    values = WHEN | {"service": "Beard trim", "state": "completed", "location": counter.cast.uptown.pk, "amount_minor": "35.50", "note": ""}
    assert as_bob.post(f"/customers/{counter.dana.pk}/visits/new/", values).status_code == 302
    with tenant(counter.cast.saffron.pk):
        visit = Visit.objects.get(service="Beard trim")
        facts = CustomerFacts.objects.get(customer=counter.dana)
    assert (visit.starts_at.isoformat(), visit.amount_minor) == ("2026-03-01T15:30:00+00:00", 3550)
    assert facts.visit_count == 3


def test_a_booked_visit_moves_on_and_not_back(as_bob: Client, counter: Counter) -> None:
    as_bob.post(f"/customers/{counter.dana.pk}/visits/new/", WHEN | {"service": "Later", "state": "booked"})
    with tenant(counter.cast.saffron.pk):
        visit = Visit.objects.get(service="Later")
    for state, then in (("arrived", "arrived"), ("completed", "completed"), ("no_show", "completed"), ("nonsense", "completed")):
        response = as_bob.post(f"/visits/{visit.pk}/move/", {"state": state, "back": "https://evil.example/"})
        assert response["Location"] == "/"
        with tenant(counter.cast.saffron.pk):
            visit.refresh_from_db()
        assert visit.state == then


@pytest.mark.parametrize(("day", "state"), [("2099-11-01", "completed"), ("2099-11-01", "arrived"), ("9999-12-31", "booked")])
def test_a_visit_that_cannot_have_been_is_not_recorded(as_bob: Client, counter: Counter, day: str, state: str) -> None:
    page = as_bob.post(f"/customers/{counter.dana.pk}/visits/new/", {"state": state, "starts_at_0": day, "starts_at_1": "23:30"})
    assert list(page.context["form"].errors) == ["starts_at"]
    assert as_bob.get("/visits/").status_code == 200
    with tenant(counter.cast.saffron.pk):
        assert Visit.objects.count() == 2
        assert CustomerFacts.objects.get(customer=counter.dana).last_visit_at == NOW


def test_a_visit_booked_for_later_is_not_completed_before_its_time_and_can_be_cancelled(as_bob: Client, counter: Counter) -> None:
    later = {"state": "booked", "starts_at_0": "2099-11-01", "starts_at_1": "10:00", "service": "Later"}
    as_bob.post(f"/customers/{counter.dana.pk}/visits/new/", later)
    for state, then in (("completed", "booked"), ("no_show", "booked"), ("cancelled", "cancelled")):
        with tenant(counter.cast.saffron.pk):
            visit = Visit.objects.get(service="Later")
        as_bob.post(f"/visits/{visit.pk}/move/", {"state": state})
        with tenant(counter.cast.saffron.pk):
            visit.refresh_from_db()
            assert (visit.state, CustomerFacts.objects.get(customer=counter.dana).last_visit_at) == (then, NOW)


@pytest.mark.parametrize("day", ["2099-01-01", "9999-12-31", "0203-11-20"])
def test_a_sale_that_cannot_have_been_is_not_recorded(as_bob: Client, counter: Counter, day: str) -> None:
    page = as_bob.post("/purchases/new/anonymous/", SOLD | {"purchased_at_0": day} | _lines(("Wax", "1", "5")))
    assert list(page.context["form"].errors) == ["purchased_at"]
    with tenant(counter.cast.saffron.pk):
        assert Purchase.objects.count() == 2


def test_a_sale_is_recorded_with_its_lines(as_bob: Client, counter: Counter) -> None:
    values = SOLD | _lines(("Wax", "2", "12.50"), ("", "", ""), ("Comb", "1", "۷٫۲۵"))
    assert as_bob.post(f"/customers/{counter.dana.pk}/sales/new/", values).status_code == 302
    with tenant(counter.cast.saffron.pk):
        sale = Purchase.objects.get(number="", customer=counter.dana)
        assert [(line.description, line.quantity, line.amount_minor) for line in sale.lines.all()] == [("Wax", 2, 2500), ("Comb", 1, 725)]
        assert CustomerFacts.objects.get(customer=counter.dana).spent_minor == 3000 + 900 + 3225


@pytest.mark.parametrize(
    ("rows", "where"),
    [([("", "", "")], "lines"), ([("Wax", "1", "")], "price"), ([("Wax", "1", "-5")], "price"), ([("Wax", "0", "5")], "quantity")],
)
def test_a_sale_without_a_price_is_not_recorded(as_bob: Client, counter: Counter, rows: list[tuple[str, str, str]], where: str) -> None:
    page = as_bob.post("/purchases/new/anonymous/", SOLD | _lines(*rows))
    lines = page.context["lines"]
    found = "lines" if lines.non_form_errors() else next(iter(lines.forms[0].errors))
    assert found == where
    with tenant(counter.cast.saffron.pk):
        assert Purchase.objects.count() == 2


def test_a_receipt_number_is_used_once(as_bob: Client, counter: Counter) -> None:
    page = as_bob.post("/purchases/new/anonymous/", SOLD | {"number": "D-1"} | _lines(("Wax", "1", "5")))
    assert page.context["form"].errors["number"] == ["Another receipt has this number."]


def test_money_is_given_back_once_and_no_more_than_was_paid(as_bob: Client, counter: Counter) -> None:
    url = f"/purchases/{counter.downtown_sale.pk}/refund/"
    assert as_bob.get(url).context["form"]["amount_minor"].value() == "30.00"
    for amount in ("30.01", "0", "-1"):
        refused = as_bob.post(url, {"amount_minor": amount, "number": ""}).context["form"]
        assert refused.errors["amount_minor"] == ["More than nothing and at most $30.00 can be given back."]
        assert refused["amount_minor"].value() == amount
    assert as_bob.post(url, {"amount_minor": "20", "number": ""}).status_code == 302
    assert as_bob.get(f"/purchases/{counter.downtown_sale.pk}/").context["left_minor"] == 1000
    with tenant(counter.cast.saffron.pk):
        assert CustomerFacts.objects.get(customer=counter.dana).spent_minor == 3000 + 900 - 2000


def test_the_number_sign_stays_in_front_among_persian_words(as_bob: Client, counter: Counter) -> None:
    as_bob.cookies["django_language"] = "fa"
    sale = counter.downtown_sale.pk
    with tenant(counter.cast.saffron.pk):
        Purchase.objects.filter(pk=sale).update(number="")
    titles = [as_bob.get(f"/purchases/{sale}/{page}").context["title"] for page in ("", "refund/")]
    assert titles == [f"رسید \u2066#{sale}\u2069", f"بازپرداخت \u2066#{sale}\u2069"]


def test_what_a_record_shows_and_does_not_let_edit_is_in_the_readers_calendar(as_bob: Client, counter: Counter) -> None:
    as_bob.cookies["django_language"] = "fa"
    page = as_bob.get(f"/admin/crm/visit/{counter.downtown_visit.pk}/change/").content.decode()
    with translation.override("fa"), timezone.override(counter.cast.saffron.time_zone):
        assert format_moment(counter.downtown_visit.starts_at) in page
    assert "ساعت" not in page  # as Django writes Gregorian moments in Persian


def test_a_consent_is_changed_with_its_proof(as_bob: Client, counter: Counter) -> None:
    values = {"channel": "email", "purpose": "marketing", "state": "withdrawn", "how": "phone_call", "words": "Please stop"}
    assert as_bob.post(f"/customers/{counter.dana.pk}/consent/", values).status_code == 302
    with tenant(counter.cast.saffron.pk):
        assert Consent.objects.get().state == "withdrawn"
        change = ConsentChange.objects.order_by("-id").first()
    assert change is not None
    assert change.proof == {"how": "phone_call", "words": "Please stop", "told": "Bob"}
    assert (change.source_words, change.proof_words) == (
        "a page of the product",
        [("How they told us", "On the phone"), ("Told to", "Bob"), ("What was said or signed", "Please stop")],
    )
    assert "Please stop" in as_bob.get(f"/customers/{counter.dana.pk}/").content.decode()


def test_the_timeline_tells_everything_in_words_and_pages_on(as_bob: Client, counter: Counter) -> None:
    page = as_bob.get(f"/customers/{counter.dana.pk}/timeline/")
    told = [(entry.headline, entry.detail) for entry in page.context["told"]]
    assert ("Bought", "$30.00") in told
    assert ("Was here", "Haircut") in told
    assert ("Agreed to messages", "E-mail · Offers and news") in told
    last = page.context["told"][0].event
    later = as_bob.get(f"/customers/{counter.dana.pk}/timeline/", {"before": f"{last.occurred_at.isoformat()}~{last.pk}"})
    assert [entry.event.pk for entry in later.context["told"]] == [entry.event.pk for entry in page.context["told"]][1:]
    assert as_bob.get(f"/customers/{counter.dana.pk}/timeline/", {"before": "rubbish"}).status_code == 200
