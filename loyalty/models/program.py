from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import TenantModel


class ProgramState(models.TextChoices):
    DRAFT = "draft", _("Draft")
    ACTIVE = "active", _("Active")
    CLOSED = "closed", _("Closed")


class Program(TenantModel):
    """A loyalty program; its points are a currency of their own. What holds in it stands in its terms."""

    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(_("slug"), max_length=60)
    points_name = models.CharField(_("name of a point"), max_length=40, default="points")
    state = models.CharField(_("state"), max_length=10, choices=ProgramState, default=ProgramState.DRAFT)
    draft = models.JSONField(null=True, editable=False, help_text="Terms that are being written; whatever they still lack.")
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("program")
        verbose_name_plural = _("programs")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "slug"],
                name="program_slug",
                violation_error_code="slug",
                violation_error_message=_("Another program has this slug."),
            )
        ]

    def __str__(self) -> str:
        return self.name


class Terms(TenantModel):
    """A version of what holds in a program, from a moment on. Append-only: a change is a new version.

    Whatever is earned keeps the version it was earned under. ``document`` is read by ``loyalty.rules.terms``.
    """

    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="terms", verbose_name=_("program"))
    version = models.PositiveIntegerField(_("version"))
    valid_from = models.DateTimeField(_("valid from"))
    document = models.JSONField(_("document"))
    written_by = models.CharField(_("written by"), max_length=160, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("terms")
        verbose_name_plural = _("terms")
        ordering = ["-version"]
        constraints = [models.UniqueConstraint(fields=["organization", "program", "version"], name="terms_version")]

    def __str__(self) -> str:
        return f"{self.program} v{self.version}"
