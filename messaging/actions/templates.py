"""Writing templates; a wording, once saved, never changes: the next one is a new version."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Max

from accounts.audit import Actor, changed_fields, record_audit
from accounts.models import User
from accounts.models.audit import ActorKind
from accounts.queries import current_organization
from crm.models import Channel, Purpose
from messaging.content.frame import Branding, MessageFrame, MessageSource, Sender
from messaging.content.message import compile_message
from messaging.models import MessageTemplate, TemplateVersion
from messaging.tracking.keys import signer_for


@transaction.atomic
def create_template(*, name: str, actor: Actor, channel: Channel = Channel.EMAIL, purpose: Purpose = Purpose.MARKETING) -> MessageTemplate:
    """Begin a template; it says nothing until its first version is saved.

    Raises:
        ValidationError: the name is empty or taken.
    """
    template = MessageTemplate(name=name.strip(), channel=channel, purpose=purpose)
    template.validate()
    template.save(force_insert=True)
    after = {"name": template.name, "channel": channel, "purpose": purpose}
    record_audit(action="template.created", subject=template, actor=actor, after=after)
    return template


@transaction.atomic
def update_template(*, template: MessageTemplate, actor: Actor, name: str | None = None, purpose: Purpose | None = None) -> None:
    """Rename a template or give it another purpose; its words are saved as a version.

    Raises:
        ValidationError: the name is empty or taken.
    """
    wanted = {"name": name.strip() if name is not None else None, "purpose": purpose}
    before, after = changed_fields(template, {key: value for key, value in wanted.items() if value is not None})
    if not after:
        return
    template.validate()
    template.save(update_fields=list(after))
    record_audit(action="template.changed", subject=template, actor=actor, before=before, after=after)


@transaction.atomic
def save_version(*, template: MessageTemplate, source: MessageSource, actor: Actor) -> TemplateVersion:
    """Save a wording as the template's next version; the wording it has already is no new version.

    Whatever compiles is kept, so that work in progress is not lost; what else is wrong is told by
    ``messaging.content.validation`` and stops a launch.

    Raises:
        MessageRejectedError: it cannot be compiled; says why and where.
        ValidationError: a part is longer than the database keeps.
    """
    MessageTemplate.objects.select_for_update().get(pk=template.pk)
    newest = template.versions.order_by("-number").first()
    if newest is not None and source_of(newest) == source:
        return newest
    version = TemplateVersion(
        template=template,
        number=(template.versions.aggregate(last=Max("number"))["last"] or 0) + 1,
        language=source.language,
        subject=source.subject,
        preheader=source.preheader,
        html=source.html,
        text=source.text,
        created_by=_author(actor),
    )
    version.validate(trusted=["template", "created_by"])
    version.links = _links_of(source)
    version.save(force_insert=True)
    after = {"number": version.number, "language": version.language, "subject": version.subject}
    record_audit(action="template_version.created", subject=version, actor=actor, after=after)
    return version


@transaction.atomic
def archive_template(*, template: MessageTemplate, now: datetime, actor: Actor) -> None:
    """Take a template out of the lists; what was sent with it stays. Again changes nothing."""
    if MessageTemplate.objects.filter(pk=template.pk, archived_at=None).update(archived_at=now):
        template.archived_at = now
        record_audit(action="template.archived", subject=template, actor=actor, after={"archived_at": now})


@transaction.atomic
def restore_template(*, template: MessageTemplate, actor: Actor) -> None:
    """Bring an archived template back."""
    archived_at = template.archived_at
    if MessageTemplate.objects.filter(pk=template.pk, archived_at__isnull=False).update(archived_at=None):
        template.archived_at = None
        record_audit(action="template.restored", subject=template, actor=actor, before={"archived_at": archived_at})


def source_of(version: TemplateVersion) -> MessageSource:
    """A version's words as the compiler takes them."""
    return MessageSource(
        subject=version.subject, html=version.html, text=version.text, preheader=version.preheader, language=version.language
    )


def _author(actor: Actor) -> User | None:
    if actor.kind != ActorKind.USER or actor.id is None:
        return None
    return User.objects.filter(pk=actor.id).first()


def _links_of(source: MessageSource) -> list[dict[str, object]]:
    organization = current_organization()
    frame = MessageFrame(
        sender=Sender("sender@example.org"),
        branding=Branding(organization.name, organization.postal_address),
        base_url="https://example.org",
        signer=signer_for(organization.pk),
    )
    compiled = compile_message(source, frame)
    return [{"index": link.index, "address": link.address} for link in compiled.links]
