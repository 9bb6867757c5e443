from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import TenantModel
from crm.models import Channel, Purpose


class MessageTemplate(TenantModel):
    """A message with a name; its words stand in versions that never change."""

    name = models.CharField(_("name"), max_length=120)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel, default=Channel.EMAIL)
    purpose = models.CharField(_("purpose"), max_length=15, choices=Purpose, default=Purpose.MARKETING)
    archived_at = models.DateTimeField(_("archived"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("template")
        verbose_name_plural = _("templates")
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["organization", "name"], name="template_name")]

    def __str__(self) -> str:
        return self.name


class TemplateVersion(TenantModel):
    """One wording of a template in one language. ``links`` are the tracked links in their order; see messaging.content."""

    template = models.ForeignKey(MessageTemplate, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField(_("version"))
    language = models.CharField(_("language"), max_length=8, default="en")
    subject = models.CharField(_("subject"), max_length=250)
    preheader = models.CharField(_("preview text"), max_length=250, blank=True)
    html = models.TextField(_("message"), max_length=500_000)
    text = models.TextField(_("text part"), max_length=200_000, blank=True, help_text=_("Empty: made from the message."))
    links = models.JSONField(_("links"), default=list, editable=False)
    created_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("template version")
        verbose_name_plural = _("template versions")
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["organization", "template", "number"], name="template_version_number")]

    def __str__(self) -> str:
        return f"{self.template} v{self.number}"
