"""What a recipient decides on the public pages is done at once, with proof; what is forged changes nothing."""

from datetime import timedelta

import pytest
import time_machine
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.tenancy import tenant
from crm.models import ConsentChange, ConsentState, Customer, Purpose
from tests.conftest import Cast, signed_in
from tests.messaging.tracking_stage import PHONE, SentMessage, sent_message

MARKETING, FEEDBACK = ("email", "marketing"), ("email", "feedback")
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def message(cast: Cast) -> SentMessage:
    return sent_message(cast.saffron.pk)


@pytest.fixture
def client() -> Client:
    return Client(enforce_csrf_checks=True, headers={"User-Agent": PHONE})


def changes(message: SentMessage) -> list[tuple[str, str, str]]:
    with tenant(message.organization_id):
        return list(ConsentChange.objects.order_by("id").values_list("purpose", "state", "source"))


def test_looking_at_the_page_never_unsubscribes(client: Client, message: SentMessage) -> None:
    for page in ("u", "p"):
        response = client.get(message.manage(page))
        assert (response.status_code, "noindex" in response["X-Robots-Tag"]) == (200, True)
        assert client.head(message.manage(page)).status_code == 200
    assert "Saffron Barbers" in response.content.decode()
    assert message.consents() == {MARKETING: "granted"}
    assert message.delivery().unsubscribed_at is None
    assert changes(message) == []


@pytest.mark.parametrize(("proxies", "address"), [(0, "127.0.0.1"), (1, "203.0.113.9")])
def test_the_proof_has_the_address_that_a_trusted_proxy_saw(
    client: Client, message: SentMessage, settings: LazySettings, proxies: int, address: str
) -> None:
    settings.TRUSTED_PROXIES = proxies
    client.post(message.manage("u"), headers={"X-Forwarded-For": "6.6.6.6, 203.0.113.9"})
    with tenant(message.organization_id):
        assert ConsentChange.objects.get().proof["ip"] == address


def test_the_button_unsubscribes_with_proof(client: Client, message: SentMessage) -> None:
    response = client.post(message.manage("u"))
    assert (response.status_code, "You are unsubscribed" in response.content.decode()) == (200, True)
    delivery = message.delivery()
    assert message.consents() == {MARKETING: "withdrawn"}
    assert delivery.unsubscribed_at is not None
    about = {"delivery": delivery.pk, "dispatch": message.dispatch_id, "way": "unsubscribe_page"}
    assert message.events("message.unsubscribed") == [("message.unsubscribed", delivery.customer_id, about)]
    with tenant(message.organization_id):
        change = ConsentChange.objects.get()
        assert (change.source, change.proof) == (
            "unsubscribe_page",
            {"delivery": delivery.pk, "dispatch": message.dispatch_id, "address": delivery.address, "user_agent": PHONE, "ip": "127.0.0.1"},
        )
        assert AuditEntry.objects.filter(action="consent.withdrawn", actor_kind="customer", actor_id=delivery.customer_id).count() == 1
    assert message.consents(1) == {MARKETING: "granted"}


def test_one_click_needs_no_page_and_bears_repetition(client: Client, message: SentMessage) -> None:
    for _ in range(3):
        assert client.post(message.manage("u"), ONE_CLICK).status_code == 200
    assert changes(message) == [("marketing", "withdrawn", "one_click")]
    assert len(message.events("message.unsubscribed")) == 1


def test_pages_belong_to_the_links_organization_whoever_is_signed_in(cast: Cast, message: SentMessage) -> None:
    for user in (cast.alice, cast.charlie):
        assert signed_in(user).get(message.manage("p")).status_code == 200
    assert signed_in(cast.charlie).post(message.manage("u")).status_code == 200
    assert message.consents() == {MARKETING: "withdrawn"}


def test_preferences_are_saved_per_purpose(client: Client, message: SentMessage) -> None:
    page = client.get(message.manage("p")).content.decode()
    assert 'value="email:marketing" checked' in page
    assert 'value="email:feedback">' in page
    assert "sms" not in page
    response = client.post(message.manage("p"), {"consent": []})
    assert "Your choice is saved." in response.content.decode()
    assert message.consents() == {MARKETING: "withdrawn"}
    assert changes(message) == [("marketing", "withdrawn", "preference_page")]
    assert message.delivery().unsubscribed_at is not None


def test_coming_back_is_asked_once_more(client: Client, message: SentMessage) -> None:
    response = client.post(message.manage("p"), {"consent": ["email:marketing", "email:feedback"]})
    assert message.consents() == {MARKETING: "granted"}
    confirmation = response.context["confirmation"]
    response = client.post(message.manage("p") + "/confirm", {"confirmation": confirmation})
    assert "Your choice is saved." in response.content.decode()
    assert message.consents() == {MARKETING: "granted", FEEDBACK: "granted"}
    assert changes(message) == [("feedback", "granted", "preference_page")]


def test_a_confirmation_works_once_for_one_recipient_and_for_an_hour(client: Client, message: SentMessage) -> None:
    response = client.post(message.manage("p"), {"consent": ["email:marketing", "email:feedback"]})
    confirmation = {"confirmation": response.context["confirmation"]}
    assert client.get(message.manage("p") + "/confirm").status_code == 404
    assert client.post(message.manage("p", 1) + "/confirm", confirmation).status_code == 404
    assert client.post(message.manage("p") + "/confirm", {"confirmation": confirmation["confirmation"] + "x"}).status_code == 404
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        assert client.post(message.manage("p") + "/confirm", confirmation).status_code == 404
    assert message.consents() == {MARKETING: "granted"}
    assert client.post(message.manage("p") + "/confirm", confirmation).status_code == 200
    client.post(message.manage("p"), {"consent": ["email:marketing"]})
    assert client.post(message.manage("p") + "/confirm", confirmation).status_code == 404
    assert message.consents() == {MARKETING: "granted", FEEDBACK: "withdrawn"}


def test_channels_show_when_the_customer_can_be_reached_on_them(client: Client, cast: Cast) -> None:
    page = client.get(sent_message(cast.saffron.pk, people=1, phone="+12025550123").manage("p")).content.decode()
    assert [value for value in ("email:", "sms:", "whatsapp:", "push:") if f'value="{value}marketing"' in page] == [
        "email:",
        "sms:",
        "whatsapp:",
    ]


def test_a_message_about_an_order_leads_to_preferences_instead(client: Client, cast: Cast) -> None:
    message = sent_message(cast.saffron.pk, people=1, purpose=Purpose.TRANSACTIONAL)
    assert "Choose what you receive" in client.post(message.manage("u")).content.decode()
    assert message.consents() == {MARKETING: "granted"}


def test_the_page_speaks_the_recipients_language(client: Client, cast: Cast) -> None:
    message = sent_message(cast.saffron.pk, people=1, language="fa")
    assert '<html lang="fa" dir="rtl">' in client.get(message.manage("p")).content.decode()
    assert '<html lang="en" dir="ltr">' in client.get(message.manage("p") + "?lang=en").content.decode()
    assert '<html lang="fa" dir="rtl">' in client.get(message.manage("p") + "?lang=xx").content.decode()


def test_pages_run_no_script_and_sit_in_no_frame(client: Client, message: SentMessage) -> None:
    response = client.get(message.manage("p"))
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert "<script" not in response.content.decode()
    assert response["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("page", ["u", "p", "o"])
def test_forged_links_get_a_clear_page_and_change_nothing(client: Client, message: SentMessage, page: str) -> None:
    good = message.manage("u").removeprefix("/t/u/")
    track = message.pixel().removeprefix("/t/o/")
    for token in (good[:-1], good + "A", good.replace("-", "-0", 1), track if page != "o" else good, "x", "1-1-" + "A" * 16):
        response = client.post(f"/t/{page}/{token}", ONE_CLICK) if page != "o" else client.get(f"/t/o/{token}")
        assert response.status_code == 404
        assert "This link does not work" in response.content.decode()
    assert message.consents() == {MARKETING: "granted"}
    assert changes(message) == []


def test_a_delivery_or_customer_that_is_gone_is_not_found(client: Client, message: SentMessage) -> None:
    link = message.manage("u")
    with tenant(message.organization_id):
        customer = Customer.objects.get(pk=message.delivery().customer_id)
        customer.consents.all().delete()
        customer.facts.delete()
        customer.delete()
    assert client.post(link, ONE_CLICK).status_code == 404
    assert client.get(link.replace("/t/u/", "/t/p/")).status_code == 404


def test_a_test_message_leads_to_a_page_that_says_so(client: Client) -> None:
    for page in ("u", "p"):
        response = client.post(f"/t/{page}/test")
        assert (response.status_code, "This was a test message" in response.content.decode()) == (200, True)


def test_what_was_withdrawn_stays_withdrawn_when_said_again(client: Client, message: SentMessage) -> None:
    client.post(message.manage("u"))
    client.post(message.manage("p"), {"consent": []})
    assert changes(message) == [("marketing", ConsentState.WITHDRAWN, "unsubscribe_page")]
