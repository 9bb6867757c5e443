"""Templates are written by actions: wordings never change, everything is audited, previews are the real render."""

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.tenancy import tenant
from crm.models import Purpose
from messaging.actions.templates import archive_template, create_template, restore_template, save_version, source_of, update_template
from messaging.content.frame import MessageSource
from messaging.content.problems import MessageRejectedError, RenderError
from messaging.models import MessageTemplate, SenderAccount, TemplateVersion
from messaging.previews import preview_message
from tests.conftest import Cast
from tests.factories import CustomerFactory

SOURCE = MessageSource(
    "Hi {{ customer.first_name }}", '<p>Hi {{ customer.first_name }}</p><a href="https://saffron.example/">Go</a>{{ footer }}'
)


def audited() -> list[tuple[str, str]]:
    return list(AuditEntry.objects.filter(action__startswith="template").order_by("id").values_list("action", "actor_label"))


def test_each_wording_is_a_version_of_its_own(in_saffron: Cast) -> None:
    template = create_template(name=" Welcome ", actor=in_saffron.alice_acts)
    assert (template.name, template.channel, template.purpose) == ("Welcome", "email", "marketing")
    first = save_version(template=template, source=SOURCE, actor=in_saffron.alice_acts)
    second = save_version(template=template, source=MessageSource("Hello", SOURCE.html), actor=in_saffron.bob_acts)
    assert (first.number, second.number) == (1, 2)
    assert (source_of(TemplateVersion.objects.get(pk=first.pk)), first.created_by) == (SOURCE, in_saffron.alice)
    assert first.links == [{"index": 0, "address": "https://saffron.example/"}]
    assert audited() == [("template.created", "Alice"), ("template_version.created", "Alice"), ("template_version.created", "Bob")]


def test_saving_the_same_words_again_is_no_new_version(in_saffron: Cast) -> None:
    template = create_template(name="Welcome", actor=in_saffron.alice_acts)
    first = save_version(template=template, source=SOURCE, actor=in_saffron.alice_acts)
    assert save_version(template=template, source=SOURCE, actor=in_saffron.alice_acts) == first
    assert template.versions.count() == 1


def test_what_does_not_compile_is_not_saved(in_saffron: Cast) -> None:
    template = create_template(name="Welcome", actor=in_saffron.alice_acts)
    with pytest.raises(MessageRejectedError) as caught:
        save_version(template=template, source=MessageSource("Hi", "<p>{% if %}</p>"), actor=in_saffron.alice_acts)
    assert [problem.code for problem in caught.value.problems] == ["syntax"]
    with pytest.raises(ValidationError):
        save_version(template=template, source=MessageSource("x" * 251, "<p>Hi</p>"), actor=in_saffron.alice_acts)
    assert template.versions.count() == 0
    assert audited() == [("template.created", "Alice")]


def test_a_name_is_needed_and_taken_once(in_saffron: Cast) -> None:
    create_template(name="Welcome", actor=in_saffron.alice_acts)
    for name in ("Welcome", " "):
        with pytest.raises(ValidationError):
            create_template(name=name, actor=in_saffron.alice_acts)
    assert MessageTemplate.objects.count() == 1


def test_two_organizations_may_use_one_name(cast: Cast) -> None:
    for organization, actor in ((cast.saffron, cast.alice_acts), (cast.rival, cast.charlie_acts)):
        with tenant(organization.pk):
            create_template(name="Welcome", actor=actor)
            assert MessageTemplate.objects.count() == 1


def test_changes_tell_before_and_after(in_saffron: Cast) -> None:
    template = create_template(name="Welcome", actor=in_saffron.alice_acts)
    update_template(template=template, actor=in_saffron.alice_acts, name="Welcome back", purpose=Purpose.FEEDBACK)
    update_template(template=template, actor=in_saffron.alice_acts, name="Welcome back")
    changes = list(AuditEntry.objects.filter(action="template.changed").values_list("before", "after"))
    assert changes == [({"name": "Welcome", "purpose": "marketing"}, {"name": "Welcome back", "purpose": "feedback"})]


def test_archiving_can_be_undone(in_saffron: Cast) -> None:
    template = create_template(name="Welcome", actor=in_saffron.alice_acts)
    for _ in range(2):
        archive_template(template=template, now=timezone.now(), actor=in_saffron.alice_acts)
    assert template.archived_at is not None
    for _ in range(2):
        restore_template(template=template, actor=in_saffron.alice_acts)
    assert MessageTemplate.objects.get().archived_at is None
    assert [action for action, _who in audited()] == ["template.created", "template.archived", "template.restored"]


def test_a_preview_is_what_the_customer_would_get(in_saffron: Cast) -> None:
    customer = CustomerFactory(first_name="سارا", last_name="احمدی", email="sara@example.test")
    account = SenderAccount.objects.create(name="Mail", from_email="hello@saffron.example", from_name="Saffron")
    preview = preview_message(source=SOURCE, now=timezone.now(), customer_id=customer.pk, account=account)
    assert (preview.sender, preview.recipient, preview.subject) == (
        "Saffron <hello@saffron.example>",
        "سارا احمدی <sara@example.test>",
        "Hi سارا",
    )
    assert "Hi سارا" in preview.text
    assert 'href="https://saffron.example/"' in preview.html
    assert "/t/o/" not in preview.html
    assert "1 Main St, New York" in preview.text


def test_a_preview_without_a_customer_uses_samples(in_saffron: Cast) -> None:
    assert preview_message(source=SOURCE, now=timezone.now()).subject == "Hi Sara"


def test_a_preview_says_what_a_customer_lacks(in_saffron: Cast) -> None:
    customer = CustomerFactory(first_name="")
    with pytest.raises(RenderError) as caught:
        preview_message(source=SOURCE, now=timezone.now(), customer_id=customer.pk)
    assert caught.value.reason == "missing_value"
