"""Searches that are narrowed further look at everybody who fits, and no text is too odd to be searched for."""

import pytest
from django.test import Client
from django.utils import timezone

from accounts.tenancy import tenant
from crm.actions import create_customer, set_consent
from crm.models import Channel, ConsentState, Customer, Purpose
from crm.queries.search import find_by_any_word, find_customers
from crm.views.customers import found
from tests.conftest import Cast
from tests.factories import CustomerFactory

LAST = "\U0010ffff"


@pytest.fixture
def cut_at_three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those who fit a name three are looked at, as if they were ten thousand."""
    for search in (find_customers, found):
        monkeypatch.setitem(search.__kwdefaults__ or {}, "at_most", 3)


@pytest.fixture
def five_anns(cast: Cast) -> Cast:
    """Five who agreed to e-mail offers, and whose names begin alike."""
    with tenant(cast.saffron.pk):
        for number in range(5):
            now = timezone.now()
            ann = create_customer(actor=cast.alice_acts, now=now, first_name=f"Ann{number}")
            set_consent(
                customer=ann,
                channel=Channel.EMAIL,
                purpose=Purpose.MARKETING,
                state=ConsentState.GRANTED,
                source="page",
                now=now,
                actor=cast.alice_acts,
            )
    return cast


def test_a_list_that_chips_narrow_looks_behind_the_cut(as_alice: Client, five_anns: Cast, cut_at_three: None) -> None:
    assert as_alice.get("/customers/?q=ann").context["page"].paginator.count == 3
    assert as_alice.get("/customers/?q=ann&who=email").context["page"].paginator.count == 5


@pytest.mark.parametrize("model", ["customer", "consent"])
def test_the_admin_finds_behind_the_cut(as_alice: Client, five_anns: Cast, cut_at_three: None, model: str) -> None:
    assert as_alice.get(f"/admin/crm/{model}/?q=ann").context["cl"].result_count == 5


@pytest.mark.parametrize("text", ["\0", "a@\0", "dana\0", "+1202\0", "7\0"])
def test_a_text_that_cannot_be_kept_finds_nobody(as_alice: Client, cast: Cast, text: str) -> None:
    with tenant(cast.saffron.pk):
        create_customer(actor=cast.alice_acts, now=timezone.now(), first_name="Dana", email="a@example.com", phone="+12025550123")
        assert list(find_customers(text, region="US")) == list(find_by_any_word(text)) == []
    for path in ("/customers/", "/admin/crm/customer/", "/admin/crm/consentchange/", "/admin/crm/purchase/"):
        assert as_alice.get(path, {"q": text}).status_code == 400
    choices = {"app_label": "crm", "model_name": "visit", "field_name": "customer", "term": text}
    assert as_alice.get("/admin/autocomplete/", choices).status_code == 400


@pytest.mark.parametrize(
    ("text", "emails"),
    [
        ("a@", ["a@example.com", f"a@{LAST}b"]),
        (f"a@{LAST}", [f"a@{LAST}b"]),
        (f"a@{LAST}{LAST}", []),
        (f"{LAST}@", [f"{LAST}@example.com"]),
    ],
)
def test_the_last_code_point_is_searched_for_like_any_other(as_alice: Client, cast: Cast, text: str, emails: list[str]) -> None:
    kept = ["a@example.com", f"a@{LAST}b", "b@example.com", f"{LAST}@example.com"]
    with tenant(cast.saffron.pk):
        for email in kept:
            CustomerFactory.create(email=email)
        assert list(find_customers(text, region="US").order_by("pk").values_list("email", flat=True)) == emails
        assert Customer.objects.filter(email__prefix=LAST).count() == 1
    assert as_alice.get("/customers/", {"q": text}).status_code == 200


@pytest.mark.parametrize("typed", ["info@münchen.example", "Info@MÜNCHEN.example", "info@xn--mnchen-3ya.example", "info@xn--mn"])
def test_an_address_is_found_by_its_domain_in_either_spelling(cast: Cast, typed: str) -> None:
    with tenant(cast.saffron.pk):
        dana = create_customer(actor=cast.alice_acts, now=timezone.now(), email="info@münchen.example")
        assert list(find_customers(typed, region="US")) == [dana]


def test_the_api_finds_an_address_as_it_was_given(as_alice: Client, cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        dana = create_customer(actor=cast.alice_acts, now=timezone.now(), email="info@münchen.example")
    for typed in ("info@münchen.example", "info@xn--mnchen-3ya.example"):
        found_there = as_alice.get("/api/v1/customers/", {"email": typed}).json()["results"]
        assert [customer["id"] for customer in found_there] == [dana.pk]
