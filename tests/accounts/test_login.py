import pytest
from django.conf import LazySettings
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accounts.invitations import password_link
from accounts.models import User
from tests.conftest import PASSWORD, Cast, signed_in

LOGIN = "/admin/login/"


@pytest.fixture(autouse=True)
def nobody_asked_lately() -> None:
    cache.clear()


def _log_in(client: Client, email: str, password: str, **extra: str) -> int:
    return client.post(
        f"{LOGIN}?next=/customers/", {"username": email, "password": password, "next": extra.get("next", "/customers/")}
    ).status_code


def test_people_log_in_by_their_e_mail_in_any_case_and_land_where_they_wanted(cast: Cast) -> None:
    client = Client()
    response = client.post(LOGIN, {"username": " Alice@Example.com ", "password": PASSWORD, "next": "/customers/"})
    assert (response.status_code, response["Location"]) == (302, "/customers/")
    assert client.get("/customers/").status_code == 200


def test_a_login_never_leads_to_another_site(cast: Cast) -> None:
    for target in ("https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"):
        response = Client().post(LOGIN, {"username": "alice@example.com", "password": PASSWORD, "next": target})
        assert (response.status_code, response["Location"]) == (302, "/")


def test_the_session_gets_a_new_key_at_the_login(cast: Cast) -> None:
    client = Client()
    client.get("/")
    client.session["anything"] = 1
    before = client.session.session_key
    _log_in(client, "alice@example.com", PASSWORD)
    assert client.session.session_key != before


def test_ten_wrong_passwords_pause_the_login_with_plain_words(cast: Cast) -> None:
    client = Client()
    statuses = [_log_in(client, "alice@example.com", f"wrong {n}") for n in range(10)]
    assert statuses == [200] * 9 + [429]
    refused = client.post(LOGIN, {"username": "alice@example.com", "password": PASSWORD})
    assert refused.status_code == 429
    assert "paused for 15 minutes" in refused.content.decode()
    assert not client.session.get("_auth_user_id")


def test_a_pause_for_one_person_leaves_the_others_in_peace(cast: Cast) -> None:
    client = Client()
    for n in range(10):
        _log_in(client, "alice@example.com", f"wrong {n}")
    assert _log_in(Client(), "bob@example.com", PASSWORD) == 302


def test_a_pause_for_one_address_behind_the_proxy_leaves_the_others_in_peace(cast: Cast, settings: LazySettings) -> None:
    settings.TRUSTED_PROXIES = 1
    for n in range(10):
        _log_in(Client(headers={"X-Forwarded-For": f"198.51.100.{n}, 6.6.6.6"}), "alice@example.com", f"wrong {n}")
    assert _log_in(Client(headers={"X-Forwarded-For": "6.6.6.6"}), "alice@example.com", PASSWORD) == 429
    assert _log_in(Client(headers={"X-Forwarded-For": "203.0.113.9"}), "alice@example.com", PASSWORD) == 302


def test_who_has_left_every_organization_gets_no_page(cast: Cast) -> None:
    User.objects.create_user("eve@example.com", PASSWORD)
    client = signed_in(User.objects.get(email="eve@example.com"))
    assert client.get("/").status_code == 403
    assert client.get("/admin/").status_code == 302


def test_a_closed_account_cannot_log_in(cast: Cast) -> None:
    User.objects.filter(pk=cast.bob.pk).update(is_active=False)
    assert _log_in(Client(), "bob@example.com", PASSWORD) == 200


def test_strangers_are_sent_to_the_login_and_fragments_leave_the_page_to_log_in_over_it(cast: Cast) -> None:
    assert Client().get("/customers/?q=a")["Location"] == "/admin/login/?next=/customers/%3Fq%3Da"
    response = Client().get("/customers/1/timeline/", headers={"HX-Request": "true"})
    assert (response.status_code, response["HX-Trigger"], response.content) == (204, "loggedOut", b"")


def test_logging_out_needs_a_form_and_ends_the_session(as_alice: Client) -> None:
    assert as_alice.get("/admin/logout/").status_code == 405
    as_alice.post("/admin/logout/")
    assert as_alice.get("/").status_code == 302


def test_only_the_shell_lets_scripts_be_evaluated(as_alice: Client) -> None:
    assert "script-src 'self' 'unsafe-eval';" in as_alice.get("/")["Content-Security-Policy"] + ";"
    public = Client().get(reverse("admin_password_reset"))["Content-Security-Policy"]
    assert "unsafe-eval" not in public
    for policy in (public, as_alice.get("/")["Content-Security-Policy"]):
        assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]


def test_what_a_password_has_to_be_is_told_in_persian_digits(cast: Cast) -> None:
    client = signed_in(cast.alice)
    client.cookies["django_language"] = "fa"
    page = client.get("/admin/password_change/")
    told = "گذرواژه دست‌کم ۱۰ نویسه لازم دارد."
    assert told in page.content.decode()
    refused = client.post("/admin/password_change/", {"old_password": PASSWORD, "new_password1": "gTz!84", "new_password2": "gTz!84"})
    assert refused.context["form"].errors["new_password2"] == ["این گذرواژه کوتاه است؛ دست‌کم ۱۰ نویسه لازم است."]
    cast.alice.refresh_from_db()
    assert cast.alice.check_password(PASSWORD)


def test_a_forgotten_password_is_chosen_anew_by_a_link_that_works_once(cast: Cast, settings: object) -> None:
    Client().post(reverse("admin_password_reset"), {"email": "alice@example.com"})
    link = next(word for word in mail.outbox[0].body.split() if word.startswith("http"))
    client = Client()
    page = client.get(link.split("testserver")[1], follow=True)
    form = page.redirect_chain[-1][0]
    done = client.post(form, {"new_password1": "a brand new password", "new_password2": "a brand new password"})
    assert done["Location"] == reverse("password_reset_complete")
    assert _log_in(Client(), "alice@example.com", "a brand new password") == 302
    again = Client().get(link.split("testserver")[1], follow=True)
    assert "used already" in again.content.decode()


def test_an_unknown_address_is_not_told_apart(cast: Cast) -> None:
    known = Client().post(reverse("admin_password_reset"), {"email": "alice@example.com"})
    unknown = Client().post(reverse("admin_password_reset"), {"email": "nobody@example.com"})
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])


def test_a_link_to_choose_a_password_belongs_to_one_person(cast: Cast, rf: object) -> None:
    request = rf.get("/")  # type: ignore[attr-defined]  # pytest-django's request factory
    assert password_link(request, cast.alice) != password_link(request, cast.bob)
