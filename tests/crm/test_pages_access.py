"""Who sees what: members limited to locations, other organizations, the language of the reader, and what a page costs."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEntry, Role
from accounts.tenancy import tenant
from crm.actions import NewLine, book_visit, create_customer, record_purchase
from crm.models import AttributeDefinition, AttributeType, Customer, ImportJob, Visit, VisitState
from tests.conftest import Cast, signed_in
from tests.crm.counter import NOW, Counter, limit_bob_to_downtown, open_counter
from tests.crm.import_files import imported


@pytest.fixture
def counter(cast: Cast) -> Counter:
    return open_counter(cast)


@pytest.fixture
def downtown_bob(counter: Counter) -> Client:
    limit_bob_to_downtown(counter.cast, Role.MANAGER)
    return signed_in(counter.cast.bob)


def test_a_member_of_one_location_sees_its_visits_and_purchases_alone(downtown_bob: Client, counter: Counter) -> None:
    assert [visit.pk for visit in downtown_bob.get("/visits/").context["page"]] == [counter.downtown_visit.pk]
    assert [sale.pk for sale in downtown_bob.get("/purchases/").context["page"]] == [counter.downtown_sale.pk]
    assert downtown_bob.get(f"/purchases/{counter.uptown_sale.pk}/").status_code == 404
    assert downtown_bob.get(f"/purchases/{counter.uptown_sale.pk}/refund/").status_code == 404
    assert downtown_bob.post(f"/visits/{counter.uptown_visit.pk}/move/", {"state": "cancelled"}).status_code == 404
    page = downtown_bob.get(f"/customers/{counter.dana.pk}/").content.decode()
    assert "Haircut" in page
    assert "Shave" not in page


def test_their_figures_and_timeline_are_of_their_location_too(downtown_bob: Client, counter: Counter) -> None:
    figures = downtown_bob.get(f"/customers/{counter.dana.pk}/").context["figures"]
    assert (figures.visits, figures.purchases, figures.spent_minor) == (1, 1, 3000)
    told = downtown_bob.get(f"/customers/{counter.dana.pk}/timeline/").context["told"]
    assert {entry.detail for entry in told if entry.headline in ("Was here", "Bought")} == {"Haircut", "$30.00"}


def test_the_admin_keeps_to_the_same_limit(downtown_bob: Client, counter: Counter) -> None:
    assert downtown_bob.get("/admin/crm/visit/").context["cl"].result_count == 1
    assert downtown_bob.get("/admin/crm/purchase/").context["cl"].result_count == 1
    assert downtown_bob.get("/admin/crm/purchaseline/").context["cl"].result_count == 1
    assert downtown_bob.get("/admin/crm/customerfacts/").status_code == 403
    kinds = [event.kind for event in downtown_bob.get("/admin/crm/event/").context["cl"].result_list]
    assert sorted(kinds) == ["consent.granted", "customer.created", "purchase.completed", "visit.completed"]


def test_files_of_purchases_are_none_of_theirs(downtown_bob: Client, as_alice: Client, counter: Counter) -> None:
    saffron, alice = counter.cast.saffron, counter.cast.alice_acts
    sales = imported(saffron, alice, "invoice,date,amount,branch\n1,soon,10,Uptown\n", kind="purchases", is_dry_run=True)
    people = imported(saffron, alice, "email\nwrong\n")
    for client, jobs in ((as_alice, [people.pk, sales.pk]), (downtown_bob, [people.pk])):
        assert [job.pk for job, _tone in client.get("/imports/").context["rows"]] == jobs
        assert [row["id"] for row in client.get("/api/v1/imports/").json()["results"]] == jobs
        assert client.get("/admin/crm/importjob/").context["cl"].result_count == len(jobs)
        assert client.get("/admin/crm/importfinding/").context["cl"].result_count == len(jobs)
    for path in (
        f"/imports/{sales.pk}/",
        f"/imports/{sales.pk}/rows.csv",
        f"/imports/{sales.pk}/columns/",
        f"/api/v1/imports/{sales.pk}/findings/",
    ):
        assert downtown_bob.get(path).status_code == 404, path
    assert downtown_bob.post(f"/imports/{sales.pk}/again/").status_code == 404
    content = b"invoice,date,amount,branch\n2,2025-03-01,10,Uptown\n"
    page, answer = (
        downtown_bob.post(path, {"kind": "purchases", "file": SimpleUploadedFile("sales.csv", content)})
        for path in ("/imports/new/", "/api/v1/imports/")
    )
    assert list(page.context["form"].errors) == ["kind"]
    assert (answer.status_code, "somebody of all locations" in answer.content.decode()) == (400, True)
    with tenant(saffron.pk):
        assert ImportJob.objects.count() == 2


def test_the_admin_shows_them_nothing_that_is_counted_over_all_locations(downtown_bob: Client, as_alice: Client, counter: Counter) -> None:
    path = f"/admin/crm/customer/{counter.dana.pk}/change/"
    assert "$39.00" in as_alice.get("/admin/crm/customer/").content.decode()
    assert "$39.00" not in downtown_bob.get("/admin/crm/customer/").content.decode()
    columns = [
        [name for name in browser.get("/admin/crm/customer/").context["cl"].list_display if isinstance(name, str)]
        for browser in (as_alice, downtown_bob)
    ]
    assert [name for name in columns[0] if name not in columns[1]] == ["visits", "last_visit", "spent"]
    inlines = [
        [formset.opts.__class__.__name__ for formset in browser.get(path).context["inline_admin_formsets"]]
        for browser in (as_alice, downtown_bob)
    ]
    assert inlines == [["FactsInline", "ConsentInline", "IdentityInline"], ["ConsentInline", "IdentityInline"]]


def test_they_record_only_at_their_location(downtown_bob: Client, counter: Counter) -> None:
    values = {
        "service": "Trim",
        "state": "completed",
        "starts_at_0": "2026-03-01",
        "starts_at_1": "10:00",
        "location": counter.cast.uptown.pk,
    }
    page = downtown_bob.post(f"/customers/{counter.dana.pk}/visits/new/", values)
    assert "location" in page.context["form"].errors


@pytest.mark.parametrize("place", ["uptown", ""])
def test_the_admin_records_only_at_their_location_too(downtown_bob: Client, counter: Counter, place: str) -> None:
    values = {
        "customer": counter.dana.pk,
        "service": "Trim",
        "state": "completed",
        "starts_at_0": "2026-03-01",
        "starts_at_1": "10:00",
        "amount_minor": "500",
        "location": counter.cast.uptown.pk if place else "",
    }
    page = downtown_bob.post("/admin/crm/visit/add/", values)
    assert list(page.context["adminform"].form.errors) == ["location"]
    page = downtown_bob.post("/admin/crm/visit/add/", values | {"location": counter.cast.downtown.pk, "amount_minor": "-5000"})
    assert page.context["adminform"].form.errors == {"amount_minor": ["An amount cannot be below zero."]}
    with tenant(counter.cast.saffron.pk):
        assert Visit.objects.count() == 2
    assert downtown_bob.post("/admin/crm/visit/add/", values | {"location": counter.cast.downtown.pk}).status_code == 302
    with tenant(counter.cast.saffron.pk):
        assert Visit.objects.values_list("location", "amount_minor").get(service="Trim") == (counter.cast.downtown.pk, 500)


def test_another_organization_finds_nothing(as_charlie: Client, counter: Counter) -> None:
    assert list(as_charlie.get("/customers/", {"q": "dana"}).context["page"]) == []
    assert as_charlie.get(f"/customers/{counter.dana.pk}/").status_code == 404
    assert (
        as_charlie.get(
            "/admin/autocomplete/", {"app_label": "crm", "model_name": "visit", "field_name": "customer", "term": "dana"}
        ).json()["results"]
        == []
    )


def test_persian_pages_are_mirrored_with_jalali_dates_and_persian_digits(as_alice: Client, counter: Counter) -> None:
    as_alice.cookies["django_language"] = "fa"
    page = as_alice.get(f"/customers/{counter.dana.pk}/").content.decode()
    assert '<html lang="fa" dir="rtl"' in page
    assert "۱۱ اسفند ۱۴۰۴" in page
    assert "$۳۹٫۰۰" in page
    assert "+12025550123" in page


def test_a_jalali_date_is_kept_gregorian(as_alice: Client, counter: Counter) -> None:
    as_alice.cookies["django_language"] = "fa"
    as_alice.post("/customers/new/", {"first_name": "Nima", "birthday": "۱۳۷۰-۰۱-۰۱"})
    with tenant(counter.cast.saffron.pk):
        nima = Customer.objects.get(first_name="Nima")
    assert str(nima.birthday) == "1991-03-21"
    assert 'value="۱۳۷۰-۰۱-۰۱"' in as_alice.get(f"/customers/{nima.pk}/edit/").content.decode()


def _more_life(cast: Cast, count: int) -> None:
    with tenant(cast.saffron.pk):
        for number in range(count):
            one = create_customer(actor=cast.alice_acts, now=NOW, first_name=f"Many{number}")
            at = NOW - timedelta(hours=number)
            book_visit(customer=one, starts_at=at, actor=cast.alice_acts, now=at, location=cast.downtown, state=VisitState.COMPLETED)
            record_purchase(lines=[NewLine(100)], purchased_at=at, now=at, actor=cast.alice_acts, customer=one, location=cast.downtown)


# Ten of these are the session, the person, their seats and the tenant scope.
BUDGETS = {
    "/": 15, "/customers/": 14, "/customers/?q=many": 15, "/customers/?q=many&who=recent": 15, "/customers/{dana}/": 16, "/customers/{dana}/timeline/": 13,
    "/visits/": 13, "/purchases/": 13, "/visits/new/?q=many": 14, "/customers/{dana}/sales/new/": 15, "/admin/crm/customer/": 14, "/admin/crm/visit/": 14,
    "/admin/crm/purchase/": 14, "/admin/crm/event/": 13, "/admin/accounts/auditentry/": 13, "/admin/crm/consentchange/": 13,
}  # fmt: skip


@pytest.mark.parametrize("path", BUDGETS)
def test_a_page_costs_as_many_queries_for_many_rows_as_for_few(as_alice: Client, counter: Counter, path: str) -> None:
    url = path.format(dana=counter.dana.pk)
    as_alice.get(url)
    with CaptureQueriesContext(connection) as few:
        as_alice.get(url)
    _more_life(counter.cast, 12)
    with CaptureQueriesContext(connection) as many:
        assert as_alice.get(url).status_code == 200
    assert len(many) <= len(few) + 1, [query["sql"][:150] for query in many]
    assert len(many) <= BUDGETS[path], [query["sql"][:150] for query in many]


def test_the_admin_changes_a_customer_through_the_action_and_says_at_the_field_what_is_wrong(as_alice: Client, counter: Counter) -> None:
    url = f"/admin/crm/customer/{counter.dana.pk}/change/"
    form = as_alice.get(url).context["adminform"].form
    values = {name: form[name].value() or "" for name in form.fields} | {"phone": "123", "attributes": "{}", "tags": ""}
    for inline in as_alice.get(url).context["inline_admin_formsets"]:
        prefix = inline.formset.prefix
        values |= {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}
    refused = as_alice.post(url, values)
    assert list(refused.context["adminform"].form.errors) == ["phone"]
    assert as_alice.post(url, values | {"phone": "202 555 0177"}).status_code == 302
    with tenant(counter.cast.saffron.pk):
        entry = AuditEntry.objects.get(action="customer.changed")
    assert (entry.before, entry.after) == ({"phone": "+12025550123"}, {"phone": "+12025550177"})


def test_the_admin_writes_the_columns_that_were_changed_alone(as_alice: Client, cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        milk = AttributeDefinition.objects.create(key="milk", label="Milk", type=AttributeType.CHOICE, choices=["oat", "soy"])
    values = {"label": "Which milk", "choices": "oat,soy", "initial-choices": "oat,soy"}
    with CaptureQueriesContext(connection) as queries:
        assert as_alice.post(f"/admin/crm/attributedefinition/{milk.pk}/change/", values).status_code == 302
    (update,) = [query["sql"] for query in queries if query["sql"].startswith('UPDATE "crm_attributedefinition"')]
    assert [column for column in ("key", "label", "type", "choices") if f'"{column}" =' in update] == ["label"]


@pytest.mark.parametrize("name", ["event", "consentchange", "consent", "purchase", "customerfacts", "eventkey"])
def test_ledgers_are_read_only(as_alice: Client, counter: Counter, name: str) -> None:
    assert as_alice.get(f"/admin/crm/{name}/").status_code == 200
    assert as_alice.get(f"/admin/crm/{name}/add/").status_code == 403
