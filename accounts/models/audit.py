from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.audit_words import told_action
from accounts.models.tenant import TenantModel


class ActorKind(models.TextChoices):
    USER = "user", _("user")
    API_KEY = "api_key", _("API key")
    SYSTEM = "system", _("system")
    CUSTOMER = "customer", _("customer")


class AuditEntry(TenantModel):
    """Who changed what, from what to what. Append-only: the database refuses to change or delete it."""

    at = models.DateTimeField(_("when"))
    actor_kind = models.CharField(_("kind of actor"), max_length=10, choices=ActorKind)
    actor_id = models.BigIntegerField(null=True)
    actor_label = models.CharField(_("who"), max_length=160, blank=True)
    action = models.CharField(_("action"), max_length=60)
    subject_type = models.CharField(_("kind of subject"), max_length=60)
    subject_id = models.BigIntegerField(null=True)
    subject_label = models.CharField(_("subject"), max_length=200, blank=True)
    before = models.JSONField(_("before"), null=True)
    after = models.JSONField(_("after"), null=True)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["organization", "-at", "-id"], name="audit_time"),
            models.Index(fields=["organization", "subject_type", "subject_id"], name="audit_subject"),
        ]

    def __str__(self) -> str:
        return f"{told_action(self.action, self.subject_type)} · {self.subject_label}"
