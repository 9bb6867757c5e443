"""Editing a profile: nothing is lost that the form cannot offer, or that somebody else wrote meanwhile."""

import re
from datetime import date
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEntry, Location
from accounts.tenancy import tenant
from crm.actions import create_customer, update_customer
from crm.models import AttributeDefinition, AttributeType, Customer
from tests.conftest import Cast
from tests.crm.counter import NOW

MEANWHILE = "Somebody changed this to “{}” meanwhile. Save again to replace it with yours."


def dana(cast: Cast, **values: Any) -> Customer:
    with tenant(cast.saffron.pk):
        return create_customer(actor=cast.alice_acts, now=NOW, **{"first_name": "Dana", "phone": "+12025550123"} | values)


def as_sent(form: Any, page: str = "") -> dict[str, Any]:
    """What a browser sends of a form as it was shown: of a select what is selected."""
    sent = {}
    for bound in form:
        value = bound.value() if bound.value() is not None else ""
        select = re.search(rf'<select name="{bound.html_name}".*?</select>', page, re.DOTALL)
        selected = re.search(r'<option value="([^"]*)" selected', select[0]) if select else None
        sent[bound.html_name] = value if select is None else selected[1] if selected else ""
        if bound.field.show_hidden_initial:
            sent[bound.html_initial_name] = value
    return sent


def opened(client: Client, customer: Customer, where: str) -> tuple[str, dict[str, Any]]:
    """The form of a customer on the page or in the admin, and what a browser will send of it."""
    if where == "page":
        url = f"/customers/{customer.pk}/edit/"
        page = client.get(url)
        return url, as_sent(page.context["form"], page.content.decode())
    url = f"/admin/crm/customer/{customer.pk}/change/"
    page = client.get(url)
    sent = as_sent(page.context["adminform"].form, page.content.decode())
    for inline in page.context["inline_admin_formsets"]:
        sent |= as_sent(inline.formset.management_form)
    return url, sent


def kept(cast: Cast, customer: Customer, *names: str) -> tuple[Any, ...]:
    with tenant(cast.saffron.pk):
        found: tuple[Any, ...] = Customer.objects.values_list(*names).get(pk=customer.pk)
    return found


both = pytest.mark.parametrize("where", ["page", "admin"])


@both
def test_what_the_form_could_not_offer_stays(as_alice: Client, cast: Cast, where: str) -> None:
    customer = dana(cast, language="de", preferred_location=cast.uptown)
    with tenant(cast.saffron.pk):
        Location.objects.filter(pk=cast.uptown.pk).update(is_active=False)
    url, sent = opened(as_alice, customer, where)
    assert as_alice.post(url, sent | {"city": "Boston"}).status_code == 302
    assert kept(cast, customer, "city", "language", "preferred_location") == ("Boston", "de", cast.uptown.pk)


@both
def test_a_form_opened_earlier_leaves_what_others_changed_meanwhile(as_alice: Client, as_bob: Client, cast: Cast, where: str) -> None:
    customer = dana(cast, birthday=date(1990, 3, 10), tags=["vip"])
    url, of_alice = opened(as_alice, customer, where)
    url_of_bob, of_bob = opened(as_bob, customer, "page")
    as_bob.post(url_of_bob, of_bob | {"phone": "+12025550199", "birthday": "1990-03-11", "tags": "vip, beard"})
    assert as_alice.post(url, of_alice | {"city": "Boston"}).status_code == 302
    expected = ("+12025550199", "Boston", date(1990, 3, 11), ["beard", "vip"])
    assert kept(cast, customer, "phone", "city", "birthday", "tags") == expected
    with tenant(cast.saffron.pk):
        entry = AuditEntry.objects.filter(action="customer.changed").latest("id")
    assert (entry.actor_label, entry.after) == ("Alice", {"city": "Boston"})


@both
def test_two_changes_of_one_field_are_told_and_the_second_is_saved_when_sent_again(as_alice: Client, cast: Cast, where: str) -> None:
    customer = dana(cast)
    url, sent = opened(as_alice, customer, where)
    with tenant(cast.saffron.pk):
        update_customer(customer=customer, actor=cast.bob_acts, now=NOW, phone="+12025550199")
    page = as_alice.post(url, sent | {"phone": "+12025550155", "city": "Boston"})
    form = page.context["form"] if where == "page" else page.context["adminform"].form
    assert form.errors == {"phone": [MEANWHILE.format("+12025550199")]}
    assert (form["phone"].value(), form["city"].value()) == ("+12025550155", "Boston")
    assert 'name="initial-phone" value="+12025550199"' in page.content.decode()
    assert kept(cast, customer, "phone", "city") == ("+12025550199", "")
    again = sent | {"phone": "+12025550155", "city": "Boston", "initial-phone": "+12025550199"}
    assert as_alice.post(url, again).status_code == 302
    assert kept(cast, customer, "phone", "city") == ("+12025550155", "Boston")


def test_the_same_change_by_two_is_no_conflict(as_alice: Client, cast: Cast) -> None:
    customer = dana(cast)
    url, sent = opened(as_alice, customer, "page")
    with tenant(cast.saffron.pk):
        update_customer(customer=customer, actor=cast.bob_acts, now=NOW, city="Boston")
    assert as_alice.post(url, sent | {"city": "Boston"}).status_code == 302


def test_one_attribute_is_changed_without_the_others(as_alice: Client, cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        AttributeDefinition.objects.create(key="milk", label="Milk", type=AttributeType.CHOICE, choices=["oat", "soy"])
        AttributeDefinition.objects.create(key="wed", label="Wedding", type=AttributeType.DATE)
    customer = dana(cast, attributes={"milk": "oat", "wed": "2024-05-01"})
    url, sent = opened(as_alice, customer, "page")
    with tenant(cast.saffron.pk):
        update_customer(customer=customer, actor=cast.bob_acts, now=NOW, attributes={"milk": "oat", "wed": "2024-05-02"})
    assert as_alice.post(url, sent | {"attribute_milk": "soy"}).status_code == 302
    assert kept(cast, customer, "attributes") == ({"milk": "soy", "wed": "2024-05-02"},)


@pytest.mark.parametrize("path", ["/customers/new/", "/customers/{}/edit/"])
def test_all_mistakes_of_a_profile_are_told_at_once(as_alice: Client, cast: Cast, path: str) -> None:
    customer = dana(cast, external_id="D-1")
    dana(cast, first_name="Kim", phone="+12025550199", external_id="K-1")
    with tenant(cast.saffron.pk):
        AttributeDefinition.objects.create(key="visits_wanted", label="Visits wanted", type=AttributeType.NUMBER)
    typed = {
        "first_name": "D" * 81, "phone": "12", "email": "dana@", "birthday": "soon", "language": "xx", "external_id": "K-1",
        "attribute_visits_wanted": "many",
    }  # fmt: skip
    page = as_alice.post(path.format(customer.pk), typed)
    assert set(page.context["form"].errors) == set(typed)
    assert page.context["form"].errors["external_id"] == ["Another customer has this customer number."]
    with tenant(cast.saffron.pk):
        assert sorted(Customer.objects.values_list("first_name", "external_id")) == [("Dana", "D-1"), ("Kim", "K-1")]
        assert Customer.objects.get(pk=customer.pk).phone == "+12025550123"


def test_what_was_searched_for_in_vain_is_kept_of_the_new_customer(as_alice: Client, cast: Cast) -> None:
    url = "/customers/new/?typed=Zoe%20Park"
    as_alice.post(url, as_sent(as_alice.get(url).context["form"]) | {"city": "Boston"})
    with tenant(cast.saffron.pk):
        assert Customer.objects.values_list("first_name", "last_name", "city").get() == ("Zoe", "Park", "Boston")
