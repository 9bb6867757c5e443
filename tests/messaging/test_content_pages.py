"""Templates, senders and ledgers in the admin, and the preview page: for those whose role uses them, secrets for nobody."""

import json

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils.html import escape
from pytest_django.fixtures import DjangoAssertNumQueries

from accounts.models import AuditEntry, Organization
from accounts.tenancy import tenant
from messaging.actions.templates import create_template, save_version
from messaging.content.frame import MessageSource
from messaging.models import MessageTemplate, SenderAccount, SenderKind, Suppression, TemplateVersion
from tests.conftest import Cast
from tests.factories import CustomerFactory
from tests.messaging.tracking_stage import sent_message

HTML = '<p>Hi {{ customer.first_name | default("friend") }}</p>{{ footer }}'
WORDS = {"language": "en", "subject": "Hi", "preheader": "", "html": HTML, "text": ""}
FORM = {"name": "Welcome", "channel": "email", "purpose": "marketing", **WORDS}
SENDER = {
    "name": "Mail", "channel": "email", "kind": "smtp", "from_name": "Saffron", "from_email": "hello@saffron.example", "reply_to": "",
    "host": "127.0.0.1", "port": "25", "security": "none", "options": "", "connections": "4", "rate_per_second": "", "is_active": "on",
    "username": "u", "secret": "open sesame",
}  # fmt: skip
ADD_TEMPLATE = "/admin/messaging/messagetemplate/add/"


def saved_template(cast: Cast, html: str = HTML, organization: Organization | None = None) -> MessageTemplate:
    with tenant((organization or cast.saffron).pk):
        template = create_template(name="Welcome", actor=cast.alice_acts)
        save_version(template=template, source=MessageSource("Hi {{ customer.first_name }}", html), actor=cast.alice_acts)
        return template


def test_a_template_is_written_and_rewritten_in_the_admin(cast: Cast, as_alice: Client) -> None:
    page = as_alice.get(ADD_TEMPLATE)
    assert "{{ footer }}" in page.content.decode()
    assert '<code dir="ltr">{{ customer.first_name }}</code>' in page.content.decode()
    assert as_alice.post(ADD_TEMPLATE, FORM).status_code == 302
    with tenant(cast.saffron.pk):
        template = MessageTemplate.objects.get()
    url = f"/admin/messaging/messagetemplate/{template.pk}/change/"
    assert escape(HTML) in as_alice.get(url).content.decode()
    assert as_alice.post(url, {**FORM, "name": "Hello", "subject": "Hi again"}).status_code == 302
    assert as_alice.post(url, {**FORM, "name": "Hello", "subject": "Hi again"}).status_code == 302
    with tenant(cast.saffron.pk):
        assert list(TemplateVersion.objects.order_by("number").values_list("number", "subject")) == [(1, "Hi"), (2, "Hi again")]
        assert MessageTemplate.objects.get().name == "Hello"
        assert TemplateVersion.objects.filter(created_by=cast.alice).count() == 2


def test_mistakes_are_shown_at_their_field_and_nothing_is_saved(cast: Cast, as_alice: Client) -> None:
    response = as_alice.post(ADD_TEMPLATE, {**FORM, "html": "<p>\n{{ customer.first_name | }}</p>", "subject": "{% set x = 1 %}"})
    page = response.content.decode()
    assert response.status_code == 200
    assert "Line 2: " in page
    assert "“set” cannot be used in a message" in page
    assert "{{ customer.first_name | }}" in page
    with tenant(cast.saffron.pk):
        assert MessageTemplate.objects.count() == 0


def test_the_front_desk_has_no_templates_and_no_senders(cast: Cast, as_bob: Client) -> None:
    template = saved_template(cast)
    for url in (
        ADD_TEMPLATE, "/admin/messaging/messagetemplate/", "/admin/messaging/senderaccount/", "/admin/messaging/delivery/",
        reverse("messaging:template_preview", args=[template.pk]), reverse("messaging:template_body", args=[template.pk]),
    ):  # fmt: skip
        assert as_bob.get(url).status_code == 403
    assert as_bob.post(reverse("messaging:template_test", args=[template.pk])).status_code == 403


def test_another_organizations_templates_do_not_exist(cast: Cast, as_charlie: Client) -> None:
    template = saved_template(cast)
    assert as_charlie.get(reverse("messaging:template_preview", args=[template.pk])).status_code == 404
    assert as_charlie.get(f"/admin/messaging/messagetemplate/{template.pk}/change/").status_code == 302
    assert "Welcome" not in as_charlie.get("/admin/messaging/messagetemplate/").content.decode()


def test_a_senders_secrets_go_in_and_never_come_out(cast: Cast, as_alice: Client) -> None:
    response = as_alice.post("/admin/messaging/senderaccount/add/", SENDER)
    assert response.status_code == 302
    with tenant(cast.saffron.pk):
        account = SenderAccount.objects.get()
        assert account.credentials == {"username": "u", "password": "open sesame"}
    url = f"/admin/messaging/senderaccount/{account.pk}/change/"
    page = as_alice.get(url).content.decode()
    assert "password, username" in page
    assert "open sesame" not in page
    assert as_alice.post(url, {**SENDER, "username": "", "secret": "", "from_name": "S", "port": "26"}).status_code == 302
    with tenant(cast.saffron.pk):
        account = SenderAccount.objects.get()
        assert (account.from_name, account.credentials) == ("S", {"username": "u", "password": "open sesame"})
        assert account.options == {"host": "127.0.0.1", "port": 26, "security": "none"}
        told = json.dumps(list(AuditEntry.objects.filter(action__startswith="sender").values("before", "after")))
        assert "sesame" not in told
        assert '"credentials": "replaced"' in told


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"options": '{"password": "y"}'}, "belongs to the fields above"),
        ({"options": "[1]"}, "Write the options as JSON in braces."),
        ({"host": ""}, "Name the server."),
        ({"port": "70000"}, "less than or equal to 65535"),
        ({"security": "perhaps"}, "perhaps is not one of the available choices"),
        ({"kind": "mailgun", "secret": ""}, "MAILGUN_API_KEY"),
    ],
)
def test_a_sender_that_cannot_be_opened_is_not_saved(cast: Cast, as_alice: Client, change: dict[str, str], words: str) -> None:
    response = as_alice.post("/admin/messaging/senderaccount/add/", {**SENDER, **change})
    assert (response.status_code, words in response.content.decode()) == (200, True)
    with tenant(cast.saffron.pk):
        assert SenderAccount.objects.count() == 0


def test_credentials_of_a_lost_key_do_not_take_the_page_along(cast: Cast, as_alice: Client) -> None:
    as_alice.post("/admin/messaging/senderaccount/add/", SENDER)
    with tenant(cast.saffron.pk):
        account = SenderAccount.objects.defer("credentials").get()
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("update messaging_senderaccount set credentials = 'gAAAAAnonsense'")
    assert as_alice.get("/admin/messaging/senderaccount/").status_code == 200
    page = as_alice.get(f"/admin/messaging/senderaccount/{account.pk}/change/").content.decode()
    assert "another SECRET_KEY" in page


def test_ledgers_can_be_read_and_not_written(cast: Cast, as_alice: Client) -> None:
    message = sent_message(cast.saffron.pk)
    delivery_id = message.delivery_ids[0]
    for name, pk in (("delivery", delivery_id), ("dispatch", message.dispatch_id)):
        assert as_alice.get(f"/admin/messaging/{name}/").status_code == 200
        assert as_alice.get(f"/admin/messaging/{name}/{pk}/change/").status_code == 200
        assert as_alice.post(f"/admin/messaging/{name}/{pk}/change/", {}).status_code == 403
        assert as_alice.get(f"/admin/messaging/{name}/add/").status_code == 403
        assert as_alice.post(f"/admin/messaging/{name}/{pk}/delete/", {"post": "yes"}).status_code == 403
    as_alice.get(message.pixel())
    assert as_alice.get("/admin/messaging/trackinghit/").status_code == 200
    assert as_alice.get("/admin/messaging/chunk/").status_code == 200
    assert as_alice.get("/admin/messaging/templateversion/").status_code == 200


def test_a_list_costs_no_query_per_row(cast: Cast, as_alice: Client, django_assert_max_num_queries: object) -> None:
    sent_message(cast.saffron.pk, people=20)
    with django_assert_max_num_queries(16):  # type: ignore[operator]
        as_alice.get("/admin/messaging/delivery/")


def test_suppression_is_added_and_lifted_through_its_actions(cast: Cast, as_alice: Client) -> None:
    url = "/admin/messaging/suppression/"
    assert as_alice.post(url + "add/", {"channel": "email", "address": "Bob@Example.com", "detail": "asked by phone"}).status_code == 302
    with tenant(cast.saffron.pk):
        entry = Suppression.objects.get()
        assert (entry.address, entry.reason) == ("bob@example.com", "manual")
    assert as_alice.post(f"{url}{entry.pk}/change/", {"address": "x@example.com"}).status_code == 403
    assert as_alice.post(f"{url}{entry.pk}/delete/", {"post": "yes"}).status_code == 302
    with tenant(cast.saffron.pk):
        assert Suppression.objects.count() == 0
        actions = AuditEntry.objects.filter(action__startswith="suppression").order_by("id").values_list("action", "actor_label")
        assert list(actions) == [("suppression.created", "Alice"), ("suppression.deleted", "Alice")]


def test_the_preview_shows_the_message_as_a_customer_gets_it(cast: Cast, as_alice: Client) -> None:
    template = saved_template(cast)
    with tenant(cast.saffron.pk):
        CustomerFactory(first_name="Zoe", last_name="Lamb", email="zoe@example.test", external_id="C-7")
    url = reverse("messaging:template_preview", args=[template.pk])
    assert "Hi Sara" in as_alice.get(url).content.decode()
    for wanted in ("zoe@example.test", "C-7", "Zoe"):
        page = as_alice.get(url, {"customer": wanted}).content.decode()
        assert "Hi Zoe" in page
        assert "Zoe Lamb" in page
    assert "Nobody was found" in as_alice.get(url, {"customer": "nobody-of-this-name"}).content.decode()
    body = as_alice.get(reverse("messaging:template_body", args=[template.pk]), {"customer": "C-7"})
    assert "<p>Hi Zoe</p>" in body.content.decode()
    assert "script-src" not in body["Content-Security-Policy"]
    assert "sandbox" in body["Content-Security-Policy"]
    assert body["X-Frame-Options"] == "SAMEORIGIN"


def test_the_preview_names_its_recipient_in_persian(cast: Cast, as_alice: Client) -> None:
    as_alice.cookies["django_language"] = "fa"
    page = as_alice.get(reverse("messaging:template_preview", args=[saved_template(cast).pk])).content.decode()
    assert "<dt>به</dt>" in page


def test_the_preview_says_what_to_mend(cast: Cast, as_alice: Client) -> None:
    template = saved_template(cast, html="<p>{{ customer.nickname }}</p>")
    page = as_alice.get(reverse("messaging:template_preview", args=[template.pk])).content.decode()
    assert "There is no variable “customer.nickname”" in page
    assert "There is no unsubscribe link" in page
    assert "would not be sent" in page


def test_a_test_goes_out_through_the_sender(cast: Cast, as_alice: Client) -> None:
    template = saved_template(cast)
    with tenant(cast.saffron.pk):
        sender = SenderAccount.objects.create(name="Try", kind=SenderKind.ANYMAIL_TEST, from_email="hello@saffron.example")
    url = reverse("messaging:template_test", args=[template.pk])
    response = as_alice.post(url, {"sender": sender.pk, "addresses": "me@example.com, you@example.com"}, follow=True)
    assert "on its way to 2 addresses" in response.content.decode()
    assert sorted(message.to[0] for message in mail.outbox) == ["Sample <me@example.com>", "Sample <you@example.com>"]
    for values, words in (
        ({"sender": "", "addresses": "me@example.com"}, "Choose a sender."),
        ({"sender": sender.pk, "addresses": ""}, "Name one to 5 addresses."),
        ({"sender": sender.pk, "addresses": "me@example.com not-one"}, "“not-one” is no e-mail address."),
        ({"sender": sender.pk, "addresses": "me@example.com", "customer": "zzz"}, "on its way to 1 address."),
    ):
        assert words in as_alice.post(url, values, follow=True).content.decode()


@pytest.mark.parametrize("address", ["https://", "https://a.example/" + "x" * 1500])
def test_a_link_that_cannot_be_sent_is_told_and_the_words_stay_in_the_form(cast: Cast, as_alice: Client, address: str) -> None:
    response = as_alice.post(ADD_TEMPLATE, {**FORM, "html": f'<p>My own words <a href="{address}">x</a></p>{{{{ footer }}}}'})
    page = response.content.decode()
    assert response.status_code == 200
    assert "is no address that can be sent; links start with https:// and have 1500 characters at most" in page
    assert "My own words" in page
    with tenant(cast.saffron.pk):
        assert MessageTemplate.objects.count() == 0


def test_a_sender_that_changes_its_service_keeps_no_secret_of_the_former(cast: Cast, as_alice: Client) -> None:
    as_alice.post("/admin/messaging/senderaccount/add/", SENDER)
    with tenant(cast.saffron.pk):
        url = f"/admin/messaging/senderaccount/{SenderAccount.objects.get().pk}/change/"
    as_sendgrid = {**SENDER, "kind": "sendgrid", "username": "", "host": ""}
    assert as_alice.post(url, {**as_sendgrid, "secret": ""}).status_code == 200
    with tenant(cast.saffron.pk):
        assert SenderAccount.objects.get().credentials == {"username": "u", "password": "open sesame"}
    assert as_alice.post(url, {**as_sendgrid, "secret": "KEY"}).status_code == 302
    with tenant(cast.saffron.pk):
        assert SenderAccount.objects.get().credentials == {"api_key": "KEY"}
    assert as_alice.post(url, {**as_sendgrid, "kind": "brevo", "secret": ""}).status_code == 200, "its key is nobody else's"
    assert as_alice.post(url, {**as_sendgrid, "kind": "test", "secret": ""}).status_code == 302
    with tenant(cast.saffron.pk):
        assert SenderAccount.objects.get().credentials == {}


def test_a_trial_of_a_long_subject_does_not_cut_its_last_tag(cast: Cast, as_alice: Client) -> None:
    mail.outbox = []
    subject = "x" * 194 + '{{ customer.first_name | default("friend of ours") }}'
    assert 243 < len(subject) <= 250
    with tenant(cast.saffron.pk):
        template = create_template(name="Long", actor=cast.alice_acts)
        save_version(template=template, source=MessageSource(subject, HTML), actor=cast.alice_acts)
        sender = SenderAccount.objects.create(name="Test", kind="test", from_email="hello@saffron.example")
    as_alice.post(reverse("messaging:template_test", args=[template.pk]), {"sender": sender.pk, "addresses": "alice@example.com"})
    assert [message.subject[:201] for message in mail.outbox] == ["[Test] " + "x" * 194]
    mail.outbox = []


def test_the_list_of_versions_is_read_without_their_words(
    cast: Cast, as_alice: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    template = saved_template(cast)
    with tenant(cast.saffron.pk):
        save_version(template=template, source=MessageSource("Again", HTML), actor=cast.alice_acts)
    with django_assert_max_num_queries(60) as asked:
        page = as_alice.get(reverse("messaging:template_preview", args=[template.pk])).content.decode()
    assert page.count("<option value=") >= 2
    listed = [
        query["sql"]
        for query in asked.captured_queries
        if 'FROM "messaging_templateversion"' in query["sql"] and "LIMIT" not in query["sql"]
    ]
    assert listed
    assert not any('"html"' in sql for sql in listed)


def test_a_refused_test_keeps_what_was_typed_and_the_version_that_was_looked_at(cast: Cast, as_alice: Client) -> None:
    mail.outbox = []
    template = saved_template(cast)
    with tenant(cast.saffron.pk):
        save_version(template=template, source=MessageSource("Newest", HTML), actor=cast.alice_acts)
        SenderAccount.objects.create(name="First", kind=SenderKind.ANYMAIL_TEST, from_email="first@saffron.example")
        second = SenderAccount.objects.create(name="Second", kind=SenderKind.ANYMAIL_TEST, from_email="second@saffron.example")
    preview, url = (reverse(f"messaging:template_{page}", args=[template.pk]) for page in ("preview", "test"))
    typed = {"version": "1", "customer": "Dana", "sender": second.pk, "addresses": "me@example.com, you@example"}
    refused = as_alice.post(url, typed, follow=True).content.decode()
    assert "“you@example” is no e-mail address." in refused
    assert 'value="me@example.com, you@example"' in refused
    assert f'<option value="{second.pk}" selected>' in refused
    assert '<option value="1" selected>' in refused
    assert f'src="{reverse("messaging:template_body", args=[template.pk])}?customer=Dana&amp;version=1"' in refused
    assert mail.outbox == []
    sent = as_alice.post(url, {**typed, "addresses": "me@example.com"})
    assert sent["Location"] == f"{preview}?customer=Dana&version=1"
    assert [message.subject for message in mail.outbox] == ["[Test] Hi Sara"]
    assert as_alice.get(url)["Location"] == preview
    mail.outbox = []


def test_where_to_mend_is_said_in_persian(cast: Cast, as_alice: Client) -> None:
    as_alice.cookies["django_language"] = "fa"
    template = saved_template(cast, html="<p>\n{{ customer.nickname }}</p>{{ footer }}")
    page = as_alice.get(reverse("messaging:template_preview", args=[template.pk])).content.decode()
    assert '<span class="soft">پیام، سطر ۲</span>' in page
