"""Who is invited proves that the address is theirs before the seat is worth anything; nobody else gets the link."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client

from accounts.models import Membership, User
from accounts.tenancy import tenant
from tests.conftest import PASSWORD, Cast, signed_in

ADD = "/admin/accounts/membership/add/"
FORGOTTEN = "/password/forgotten/"
CHOOSE = "/password/choose/"
FAY = {"email": "Fay@Example.com", "name": "Fay", "role": "owner"}


@pytest.fixture(autouse=True)
def nobody_asked_lately(cast: Cast) -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def _link(number: int = -1) -> str:
    link = next(word for word in mail.outbox[number].body.split() if CHOOSE in word)
    return link.removeprefix("http://testserver")


def _choose_password(link: str, password: str) -> Client:
    client = Client()
    form = client.get(link, follow=True).redirect_chain[-1][0]
    assert client.post(form, {"new_password1": password, "new_password2": password}).status_code == 302
    return client


def test_the_link_goes_to_the_invited_address_and_is_not_shown_to_the_inviter(
    cast: Cast, as_alice: Client, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        page = as_alice.post(ADD, FAY, follow=True).content.decode()
    assert "A link to choose a password goes to fay@example.com by mail." in page
    assert CHOOSE not in page
    assert [(message.to, message.subject) for message in mail.outbox] == [(["fay@example.com"], "Your account at Regulars")]
    assert "Saffron Barbers invites you" in mail.outbox[0].body
    fay = _choose_password(_link(), "chosen by fay herself")
    fay.post("/admin/login/", {"username": "fay@example.com", "password": "chosen by fay herself"})
    assert fay.get("/").context["access"].organization_id == cast.saffron.pk


def test_the_link_is_written_in_the_language_of_the_organization(
    cast: Cast, as_alice: Client, django_capture_on_commit_callbacks: Any
) -> None:
    with tenant(cast.saffron.pk):
        type(cast.saffron).objects.update(language="fa")
    as_alice.cookies["django_language"] = "en"
    with django_capture_on_commit_callbacks(execute=True):
        as_alice.post(ADD, FAY)
    assert mail.outbox[0].subject == "حساب شما در Regulars"


def test_another_organization_that_invites_the_same_person_gets_no_hold_of_the_account(
    cast: Cast, as_alice: Client, as_charlie: Client, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        as_alice.post(ADD, FAY)
        page = as_charlie.post(ADD, {**FAY, "role": "analyst"}, follow=True).content.decode()
    assert CHOOSE not in page
    assert [message.to for message in mail.outbox] == [["fay@example.com"]] * 2
    assert not User.objects.get(email="fay@example.com").has_usable_password()


def test_nobody_gets_hold_of_a_platform_administrator_without_a_password(
    as_charlie: Client, django_capture_on_commit_callbacks: Any
) -> None:
    User.objects.create_user("boss@example.com", None, is_superuser=True)
    with django_capture_on_commit_callbacks(execute=True):
        page = as_charlie.post(ADD, {**FAY, "email": "boss@example.com"}, follow=True).content.decode()
    assert (CHOOSE in page, mail.outbox[0].to) == (False, ["boss@example.com"])


def test_an_invitation_that_is_refused_mails_nothing(cast: Cast, as_alice: Client, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        assert as_alice.post(ADD, {**FAY, "role": "emperor"}).status_code == 200
    assert mail.outbox == []
    with tenant(cast.saffron.pk):
        assert not Membership.objects.filter(user__email="fay@example.com").exists()


def test_a_platform_administrator_sees_no_link_either(django_capture_on_commit_callbacks: Any) -> None:
    boss = signed_in(User.objects.create_user("boss@example.com", PASSWORD, is_superuser=True))
    values = {"email": "fay@example.com", "name": "Fay", "language": "", "is_active": "on"}
    with django_capture_on_commit_callbacks(execute=True):
        page = boss.post("/admin/accounts/user/add/", values, follow=True).content.decode()
    assert CHOOSE not in page
    assert [message.to for message in mail.outbox] == [["fay@example.com"]]


def test_who_was_invited_and_lost_the_link_asks_for_another_as_if_the_password_were_forgotten(cast: Cast, as_alice: Client) -> None:
    as_alice.post(ADD, FAY)
    Client().post(FORGOTTEN, {"email": "fay@example.com"})
    fay = _choose_password(_link(), "chosen by fay herself")
    assert fay.post("/admin/login/", {"username": "fay@example.com", "password": "chosen by fay herself"}).status_code == 302


def test_an_address_is_sent_three_links_an_hour_and_others_theirs() -> None:
    answers = {
        (answer.status_code, answer["Location"]) for answer in (Client().post(FORGOTTEN, {"email": "alice@example.com"}) for _ in range(5))
    }
    assert answers == {(302, "/password/forgotten/sent/")}
    Client().post(FORGOTTEN, {"email": "bob@example.com"})
    assert [message.to for message in mail.outbox] == [["alice@example.com"]] * 3 + [["bob@example.com"]]


def test_one_client_asks_for_thirty_links_a_minute_at_most() -> None:
    for number in range(30):
        Client().post(FORGOTTEN, {"email": f"nobody{number}@example.com"})
    refused = Client().post(FORGOTTEN, {"email": "alice@example.com"})
    assert refused.context["form"].errors["email"] == ["Too many links were asked for from here. Try again in a minute."]
    assert mail.outbox == []
    assert Client(REMOTE_ADDR="203.0.113.5").post(FORGOTTEN, {"email": "alice@example.com"}).status_code == 302
    assert len(mail.outbox) == 1
