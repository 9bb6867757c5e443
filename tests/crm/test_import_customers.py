"""A file of customers becomes customers: created, updated, merged or refused, and the same file again changes nothing."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from accounts.models.audit import AuditEntry
from accounts.tenancy import tenant
from crm.imports.limits import UnreadableFileError
from crm.models import AttributeDefinition, Consent, ConsentChange, Customer, CustomerFacts, Event, Identity, ImportFinding, ImportJob
from tests.conftest import Cast
from tests.crm.import_files import counts, findings, imported, start

GHOST = "contacts/import_fixtures_ghost"
FIELDS = ("external_id", "first_name", "last_name", "email", "phone")


def people(cast: Cast) -> list[tuple[Any, ...]]:
    with tenant(cast.saffron.pk):
        return list(Customer.objects.order_by("id").values_list(*FIELDS))


def test_every_column_arrives_normalised(cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        AttributeDefinition.objects.create(key="hair", label="Hair", type="choice", choices=["Curly", "Straight"])
        AttributeDefinition.objects.create(key="points", label="Points", type="number")
    job = imported(
        cast.saffron,
        cast.alice_acts,
        "Customer ID;First name;Last name;E-Mail;Mobile;Date of birth;Gender;City;Country;Tags;Branch;Hair;points;Newsletter;Shoe size\n"
        "17850.0; علي ;كريمي;Ali@Example.COM;(202) 555-0125;12/05/1990;مرد;Tehran;Iran;vip, new;Downtown;curly;12.50;yes;43\n",
    )
    with tenant(cast.saffron.pk):
        customer = Customer.objects.get()
        assert (customer.external_id, customer.first_name, customer.last_name) == ("17850", "علی", "کریمی")
        assert (customer.email, customer.phone, customer.birthday) == ("ali@example.com", "+12025550125", date(1990, 12, 5))
        assert (customer.gender, customer.city, customer.country, customer.tags) == ("male", "Tehran", "IR", ["vip", "new"])
        assert (customer.attributes, customer.preferred_location_id) == ({"hair": "Curly", "points": 12.5}, cast.downtown.pk)
        assert customer.search_key == "علی کریمی"
        assert CustomerFacts.objects.get().purchase_count == 0
        assert Consent.objects.values_list("channel", "purpose", "state").get() == ("email", "marketing", "granted")
        proof = ConsentChange.objects.get()
        assert (proof.source, proof.proof) == ("import", {"import": job.pk, "row": 2})
    assert counts(job) == {"read": 1, "created": 1, "consents": 1}


def test_one_audit_entry_and_one_event_tell_of_an_import(cast: Cast) -> None:
    job = imported(cast.saffron, cast.alice_acts, "email\na@example.com\nb@example.com\n")
    again = imported(cast.saffron, cast.alice_acts, "email\na@example.com\nb@example.com\n")
    with tenant(cast.saffron.pk):
        entries = AuditEntry.objects.filter(action="customers.imported").order_by("id")
        assert [(entry.actor_label, entry.subject_id, entry.after["created"]) for entry in entries if entry.after] == [
            ("Alice", job.pk, 2),
            ("Alice", again.pk, 0),
        ]
        event = Event.objects.get(kind="customers.imported")
        assert (event.source, event.customer_id, event.properties["import"]) == ("import", None, job.pk)


def test_the_same_file_again_changes_nothing(cast: Cast) -> None:
    content = "id,email,phone,name,tags,newsletter,city\n1,a@example.com,2025550125,Ava Smith,vip,yes,Reno\n2,b@example.com,,Noah,,no,\n"
    first = imported(cast.saffron, cast.alice_acts, content)
    with tenant(cast.saffron.pk):
        before = list(Customer.objects.order_by("id").values())
    second = imported(cast.saffron, cast.alice_acts, content)
    with tenant(cast.saffron.pk):
        assert list(Customer.objects.order_by("id").values()) == before
        assert ConsentChange.objects.count() == 2
    assert counts(first) == {"read": 2, "created": 2, "consents": 2}
    assert counts(second) == {"read": 2, "unchanged": 2}


def test_an_empty_cell_never_blanks_what_is_known(cast: Cast) -> None:
    imported(cast.saffron, cast.alice_acts, "email,first name,last name,phone,tags,city\na@example.com,Ava,Smith,2025550125,vip,Reno\n")
    job = imported(cast.saffron, cast.alice_acts, "email,first name,last name,phone,tags,city\na@example.com,Eva,,,new,\n")
    with tenant(cast.saffron.pk):
        customer = Customer.objects.get()
        assert (customer.first_name, customer.last_name, customer.phone, customer.city) == ("Eva", "Smith", "+12025550125", "Reno")
        assert (customer.tags, customer.search_key) == (["vip", "new"], "eva smith")
    assert counts(job) == {"read": 1, "updated": 1}


def test_people_are_known_by_number_then_address_then_phone(cast: Cast) -> None:
    imported(cast.saffron, cast.alice_acts, "id,email,phone\n1,a@example.com,2025550125\n,b@example.com,\n,,2025550127\n")
    job = imported(
        cast.saffron,
        cast.alice_acts,
        "id,email,phone,city\n1,new@example.com,,Reno\n2,b@example.com,,Boise\n,,(202) 555-0127,Austin\n",
    )
    assert counts(job) == {"read": 3, "updated": 3}
    assert people(cast) == [
        ("1", "", "", "new@example.com", "+12025550125"),
        ("2", "", "", "b@example.com", ""),
        ("", "", "", "", "+12025550127"),
    ]
    with tenant(cast.saffron.pk):
        assert Identity.objects.values_list("kind", "value").get() == ("email", "a@example.com")
    # The former address still finds its customer.
    assert counts(imported(cast.saffron, cast.alice_acts, "email,city\na@example.com,Reno\n")) == {"read": 1, "updated": 1}


def test_identities_at_odds_are_refused_with_their_row(cast: Cast) -> None:
    imported(cast.saffron, cast.alice_acts, "id,email,phone\n1,a@example.com,2025550125\n2,b@example.com,2025550126\n")
    said = {
        "1,b@example.com,,X": "email_taken",
        "2,,2025550125,X": "phone_taken",
        "3,a@example.com,,X": "email_taken",
        ",c@example.com,2025550125,X": "phone_taken",
    }
    for line, code in said.items():
        job = imported(cast.saffron, cast.alice_acts, f"id,email,phone,city\n{line}\n")
        assert findings(job) == [(2, True, code)]
        with tenant(cast.saffron.pk):
            assert ImportFinding.objects.get(job=job).raw == line
    assert [row[:1] + row[3:] for row in people(cast)] == [("1", "a@example.com", "+12025550125"), ("2", "b@example.com", "+12025550126")]
    with tenant(cast.saffron.pk):
        assert set(Customer.objects.values_list("city", flat=True)) == {""}


def test_rows_of_one_person_in_a_file_are_taken_together(cast: Cast) -> None:
    job = imported(
        cast.saffron,
        cast.alice_acts,
        "id,email,phone,first name,tags\n1,a@example.com,,Ava,x\n2,b@example.com,,Ben,\n1,,2025550125,,y\n,a@example.com,,Eva,\n3,b@example.com,,,\n",
    )
    assert counts(job) == {"read": 5, "created": 2, "repeated": 2, "rejected": 1, "noted": 2}
    assert findings(job) == [(4, False, "repeated"), (5, False, "repeated"), (6, True, "email_taken")]
    assert people(cast) == [("1", "Eva", "", "a@example.com", "+12025550125"), ("2", "Ben", "", "b@example.com", "")]
    with tenant(cast.saffron.pk):
        assert Customer.objects.get(external_id="1").tags == ["x", "y"]


def test_two_rows_that_name_one_known_customer_differently_are_one(cast: Cast) -> None:
    imported(cast.saffron, cast.alice_acts, "id,email\n1,a@example.com\n")
    content = "id,email,city\n1,,Reno\n,a@example.com,Boise\n"
    assert counts(imported(cast.saffron, cast.alice_acts, content)) == {"read": 2, "updated": 1, "repeated": 1, "noted": 1}
    assert counts(imported(cast.saffron, cast.alice_acts, content)) == {"read": 2, "unchanged": 1, "repeated": 1, "noted": 1}


def test_rows_that_name_one_known_customer_and_contradict_each_other_are_not_one(cast: Cast) -> None:
    imported(cast.saffron, cast.alice_acts, "email,phone,first name\na@example.com,2025550125,Family\n")
    job = imported(cast.saffron, cast.alice_acts, "id,email,phone,first name\nX8,a@example.com,,Ann\nX9,,2025550125,Ben\n")
    assert counts(job) == {"read": 2, "updated": 1, "rejected": 1}
    assert findings(job) == [(3, True, "phone_taken")]
    assert people(cast) == [("X8", "Ann", "", "a@example.com", "+12025550125")]
    with tenant(cast.saffron.pk):
        refused = ImportFinding.objects.get(job=job)
        assert (refused.raw, refused.reason) == ("X9,,2025550125,Ben", "The phone number belongs to another person, in row 2.")


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    ("rows", "refused", "first_name"),
    [
        (["8,old@example.com,,Ann", ",new@example.com,2025550125,Ben"], [], "Ben"),
        ([",new@example.com,,Ann", ",old@example.com,2025550125,Ben"], [], "Ben"),
        ([",newest@example.com,2025550125,Ann", ",new@example.com,,Ben"], ["phone_taken"], "Ben"),
        (["8,old@example.com,,Ann", "9,new@example.com,,Ben"], ["email_taken"], "Ann"),
        (["8,new@example.com,,Ann", "9,,2025550125,Ben"], ["phone_taken"], "Ann"),
        (["8,new@example.com,,Ann", "9,old@example.com,2025550125,Ben"], ["email_taken"], "Ann"),
    ],
)
def test_rows_that_name_a_customer_by_former_addresses_fare_in_one_file_as_in_two(
    cast: Cast, rows: list[str], refused: list[str], first_name: str, together: bool
) -> None:
    imported(cast.saffron, cast.alice_acts, "email,phone\nold@example.com,2025550125\n")
    with tenant(cast.saffron.pk):
        Customer.objects.update(email="new@example.com")
        Identity.objects.create(customer=Customer.objects.get(), kind="email", value="old@example.com")
    files = [rows] if together else [[row] for row in rows]
    jobs = [imported(cast.saffron, cast.alice_acts, "id,email,phone,first name\n" + "\n".join(file) + "\n") for file in files]
    assert [code for job in jobs for _row, is_refused, code in findings(job) if is_refused] == refused
    with tenant(cast.saffron.pk):
        assert Customer.objects.values_list("first_name", flat=True).get() == first_name


@pytest.mark.parametrize("are_known", [True, False])
def test_attributes_and_consents_of_rows_of_one_person_are_taken_together(cast: Cast, are_known: bool) -> None:
    with tenant(cast.saffron.pk):
        for key in ("hair", "eyes"):
            AttributeDefinition.objects.create(key=key, label=key.title(), type="text")
    header, rows = "id,email,newsletter,hair,eyes\n", ["1,a@example.com,,red,", ",a@example.com,yes,,blue"]
    if are_known:
        imported(cast.saffron, cast.alice_acts, "id,email\n1,a@example.com\n")
        rows = ["1,,,red,", rows[1]]
    job = imported(cast.saffron, cast.alice_acts, header + "\n".join(rows) + "\n")
    assert counts(job) == {"read": 2, "updated" if are_known else "created": 1, "consents": 1, "repeated": 1, "noted": 1}
    with tenant(cast.saffron.pk):
        assert Customer.objects.get().attributes == {"hair": "red", "eyes": "blue"}
        assert Consent.objects.values_list("channel", "state").get() == ("email", "granted")


@pytest.mark.parametrize("are_known", [True, False])
def test_of_a_no_and_a_later_yes_in_one_file_the_no_holds(cast: Cast, are_known: bool) -> None:
    if are_known:
        imported(cast.saffron, cast.alice_acts, "email,phone\na@example.com,2025550125\n")
    rows = ["a@example.com,2025550125,no,", ",2025550125,yes,yes"]
    imported(cast.saffron, cast.alice_acts, "email,phone,newsletter,sms consent\n" + "\n".join(rows) + "\n")
    with tenant(cast.saffron.pk):
        said = [("email", "withdrawn"), ("sms", "granted")]
        assert list(Consent.objects.order_by("channel").values_list("channel", "state")) == said
        assert list(ConsentChange.objects.order_by("channel").values_list("channel", "state")) == said


def test_dates_of_custom_attributes_are_read_in_the_order_of_the_file(cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        AttributeDefinition.objects.create(key="wedding", label="Wedding", type="date")
    imported(cast.saffron, cast.alice_acts, "email,wedding\na@example.com,03/04/2015\n")
    imported(cast.saffron, cast.alice_acts, "email,wedding\nb@example.com,03/04/2015\nc@example.com,25/04/2015\n")
    imported(cast.saffron, cast.alice_acts, "email,wedding\nd@example.com,03/04/2015\n", date_order="dmy")
    with tenant(cast.saffron.pk):
        weddings = [attributes["wedding"] for attributes in Customer.objects.order_by("email").values_list("attributes", flat=True)]
        assert weddings == ["2015-03-04", "2015-04-03", "2015-04-25", "2015-04-03"]


def test_a_withdrawn_consent_is_not_granted_by_a_file(cast: Cast) -> None:
    imported(cast.saffron, cast.alice_acts, "email,newsletter\na@example.com,yes\n")
    assert counts(imported(cast.saffron, cast.alice_acts, "email,newsletter\na@example.com,no\n"))["consents"] == 1
    assert "consents" not in counts(imported(cast.saffron, cast.alice_acts, "email,newsletter\na@example.com,yes\n"))
    with tenant(cast.saffron.pk):
        assert Consent.objects.get().state == "withdrawn"
        assert list(ConsentChange.objects.order_by("id").values_list("state", flat=True)) == ["granted", "withdrawn"]


def test_bad_identities_reject_their_row_and_other_bad_values_are_left_out(cast: Cast) -> None:
    job = imported(
        cast.saffron,
        cast.alice_acts,
        "email,phone,birthday,country,city\nwrong,,,,\na@example.com,12,,,\nb@example.com,,2999-01-01,Atlantis,Reno\n,,,,Reno\n,,,,\n\nc@example.com,,,,x,y\n",
    )
    assert counts(job) == {"read": 5, "created": 1, "rejected": 4, "noted": 2, "blank": 2}
    assert findings(job) == [
        (2, True, "email_invalid"),
        (3, True, "phone_short"),
        (4, False, "birthday_impossible"),
        (4, False, "country"),
        (5, True, "nobody"),
        (8, True, "too_many_cells"),
    ]
    assert people(cast) == [("", "", "", "b@example.com", "")]


def test_a_rehearsal_says_what_would_happen_and_changes_nothing(cast: Cast) -> None:
    imported(cast.saffron, cast.alice_acts, "email,city\na@example.com,Reno\n")
    job = imported(cast.saffron, cast.alice_acts, "email,city\na@example.com,Boise\nb@example.com,Reno\nwrong,\n", is_dry_run=True)
    assert counts(job) == {"read": 3, "created": 1, "updated": 1, "rejected": 1}
    with tenant(cast.saffron.pk):
        assert list(Customer.objects.values_list("email", "city")) == [("a@example.com", "Reno")]
        assert AuditEntry.objects.filter(action="customers.imported").count() == 1


def test_columns_can_be_told(cast: Cast) -> None:
    job = imported(cast.saffron, cast.alice_acts, "a,b,email\nava@example.com,Ava,x\n", columns={"email": ["a"], "first_name": ["B"]})
    assert counts(job) == {"read": 1, "created": 1}
    assert people(cast) == [("", "Ava", "", "ava@example.com", "")]
    for columns, code in (({"shoe": ["a"]}, "unknown_field"), ({"email": ["z"]}, "unknown_column"), ({"email": []}, "columns")):
        with pytest.raises(UnreadableFileError) as refused:
            start(cast.saffron, cast.alice_acts, "a,email\n1,2\n", columns=columns)
        assert refused.value.code == code
    with tenant(cast.saffron.pk):
        assert ImportJob.objects.count() == 1


def test_columns_of_one_name_are_told_apart(cast: Cast) -> None:
    content = "Email,Name,Email\nold@example.com,Ann Lee,new@example.com\n"
    chosen = {"email": ["Email (2)"], "name": ["Name"]}
    imported(cast.saffron, cast.alice_acts, content, columns=chosen, guess_columns=False)
    assert people(cast) == [("", "Ann", "Lee", "new@example.com", "")]
    imported(cast.saffron, cast.alice_acts, "Name,Name,email\n,Ben Oak,b@example.com\n")  # guessed, both are names
    assert people(cast)[1:] == [("", "Ben", "Oak", "b@example.com", "")]


def test_addresses_can_be_made_from_customer_numbers(cast: Cast) -> None:
    imported(cast.saffron, cast.alice_acts, "id,email\n17850,\n2,real@example.com\n", email_template="customer-{id}@example.test")
    assert [row[3] for row in people(cast)] == ["customer-17850@example.test", "real@example.com"]
    with pytest.raises(UnreadableFileError, match="pattern"):
        start(cast.saffron, cast.alice_acts, "id\n1\n", email_template="customer@example.test")


@pytest.mark.parametrize(("kind", "header"), [("customers", "email"), ("purchases", "invoice,date,amount,email")])
def test_addresses_are_not_made_without_a_column_of_customer_numbers(cast: Cast, kind: str, header: str) -> None:
    with pytest.raises(UnreadableFileError, match="No column holds a customer number to make addresses from"):
        start(cast.saffron, cast.alice_acts, f"{header}\n1,2025-03-01,1,\n", kind=kind, email_template="customer-{id}@example.test")
    with tenant(cast.saffron.pk):
        assert ImportJob.objects.count() == 0


def test_a_file_lands_in_its_own_organization_alone(cast: Cast) -> None:
    imported(cast.saffron, cast.alice_acts, "email\na@example.com\n")
    imported(cast.rival, cast.charlie_acts, "email\na@example.com\n")
    with tenant(cast.rival.pk):
        assert (Customer.objects.count(), ImportJob.objects.count(), ImportFinding.objects.count()) == (1, 1, 0)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("members-duplicate-emails.csv", {"read": 2, "created": 1, "repeated": 1, "noted": 1}),
        ("members-duplicate-mapping.csv", {"read": 1, "created": 1}),
        ("members-formula-like-values.csv", {"read": 2, "created": 2}),
        ("members-future-created-at.csv", {"read": 1, "created": 1}),
        ("members-invalid-values.csv", {"read": 3, "created": 1, "rejected": 2, "consents": 1}),
        ("members-ragged-row.csv", {"read": 2, "created": 2}),
        ("members-update-blank.csv", {"read": 1, "created": 1}),
        ("valid-members-import.csv", {"read": 2, "created": 2, "consents": 2}),
        ("../chat_crm_chatwoot_contacts.csv", {"read": 6, "created": 6}),
        ("../thunderbird_export.csv", {"read": 2, "rejected": 2}),
    ],
)
def test_files_of_other_programs(cast: Cast, shared_data: Path, file: str, expected: dict[str, int]) -> None:
    assert counts(imported(cast.saffron, cast.alice_acts, shared_data / GHOST / file)) == expected
    again = imported(cast.saffron, cast.alice_acts, shared_data / GHOST / file)
    assert not {"created", "updated", "consents"} & set(counts(again))


@pytest.mark.realdata
@pytest.mark.parametrize("file", ["John_Doe_IPHONE.vcf", "gmail-list.vcf"])
def test_vcards_are_refused_with_what_to_do(cast: Cast, shared_data: Path, file: str) -> None:
    with pytest.raises(UnreadableFileError, match="vCard"):
        start(cast.saffron, cast.alice_acts, shared_data / "contacts/vcards_ezvcard" / file)
