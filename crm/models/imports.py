from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.storage import FileSystemStorage
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.audit import Actor
from accounts.models import TenantModel
from accounts.models.audit import ActorKind
from crm.refusals import told


class ImportStorage(FileSystemStorage):
    """Imported files hold personal data: they lie beside the media, under no address of the web."""

    def __init__(self) -> None:
        super().__init__(location=Path(settings.MEDIA_ROOT).parent / "imports", base_url=None)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return ("crm.models.imports.ImportStorage", [], {})


def import_storage() -> ImportStorage:
    """The storage of imported files, asked for when it is needed: its place depends on the settings."""
    return ImportStorage()


def import_path(job: "ImportJob", name: str) -> str:
    """Where a file is kept: a folder per organization."""
    return f"{job.organization_id}/{name}"


class ImportJobState(models.TextChoices):
    DRAFT = "draft", _("waiting for its columns")
    QUEUED = "queued", _("waiting")
    READING = "reading", _("reading the file")
    COMPARING = "comparing", _("comparing with what is known")
    WRITING = "writing", _("writing")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")


class ImportJob(TenantModel):
    """One file of customers or purchases, how it is read, how far it came and what became of its rows."""

    kind = models.CharField(_("what"), max_length=10, choices=[("customers", _("Customers")), ("purchases", _("Purchases"))])
    state = models.CharField(_("state"), max_length=10, choices=ImportJobState, default=ImportJobState.QUEUED)
    is_dry_run = models.BooleanField(_("rehearsal"), default=False)
    file = models.FileField(_("file"), upload_to=import_path, storage=import_storage, max_length=200)
    file_name = models.CharField(_("file name"), max_length=200)
    file_bytes = models.BigIntegerField(_("size"), default=0)
    encoding = models.CharField(_("encoding"), max_length=40, blank=True)
    delimiter = models.CharField(_("delimiter"), max_length=1, blank=True)
    options = models.JSONField(_("options"), default=dict)
    plan = models.JSONField(default=dict, editable=False)
    readings = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)
    progress = models.FloatField(_("progress"), default=0.0)
    row_count = models.BigIntegerField(_("rows"), default=0)
    counts = models.JSONField(_("counts"), default=dict)
    error = models.TextField(_("error"), blank=True)
    error_parameters = models.JSONField(default=dict, db_default={}, editable=False)
    actor_kind = models.CharField(max_length=10, default="system")
    actor_id = models.BigIntegerField(null=True)
    actor_label = models.CharField(_("who"), max_length=160, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    started_at = models.DateTimeField(_("started"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.file_name

    @property
    def actor(self) -> Actor:
        """Who asked for it, and answers for what it writes."""
        return Actor(ActorKind(self.actor_kind), self.actor_id, self.actor_label)

    @actor.setter
    def actor(self, actor: Actor) -> None:
        self.actor_kind, self.actor_id, self.actor_label = str(actor.kind), actor.id, actor.label[:160]

    @property
    def format_is_workbook(self) -> bool:
        """Whether the file has cells of its own rather than text in an encoding."""
        return not self.encoding

    @property
    def refusal(self) -> str:
        """Why the import failed, in the reader's language; empty if it did not."""
        return told("", self.error, self.error_parameters)

    @property
    def is_over(self) -> bool:
        return self.state in (ImportJobState.DONE, ImportJobState.FAILED)


class ImportFinding(TenantModel):
    """A row of an import that was rejected, or taken with something left out or changed, and why."""

    job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, related_name="findings")
    row = models.BigIntegerField(_("row"))
    is_rejected = models.BooleanField(_("rejected"))
    code = models.CharField(_("code"), max_length=40)
    message = models.CharField(_("reason"), max_length=500)
    field = models.CharField(_("field"), max_length=60, blank=True)
    raw = models.TextField(_("row as it stood"), blank=True)
    parameters = models.JSONField(default=dict, editable=False)

    class Meta:
        verbose_name = _("import finding")
        verbose_name_plural = _("import findings")
        ordering = ["row", "id"]
        indexes = [models.Index(fields=["organization", "job", "row"], name="import_finding_row")]

    def __str__(self) -> str:
        return f"{self.row}: {self.reason}"

    @property
    def reason(self) -> str:
        """Why, in the reader's language."""
        return told(self.code, self.message, self.parameters)


class ImportChunk(TenantModel):
    """A range of rows that is written: what a resumed import need not do again."""

    job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, related_name="chunks")
    first_row = models.BigIntegerField(_("first row"))
    last_row = models.BigIntegerField(_("last row"))
    counts = models.JSONField(_("counts"), default=dict)
    written_at = models.DateTimeField(_("written"))

    class Meta:
        verbose_name = _("part of an import")
        verbose_name_plural = _("parts of imports")
        constraints = [models.UniqueConstraint(fields=["organization", "job", "first_row"], name="import_chunk_once")]

    def __str__(self) -> str:
        return f"{self.first_row}-{self.last_row}"
