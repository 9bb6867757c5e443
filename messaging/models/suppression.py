from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import TenantModel
from crm.models import Channel


class SuppressionReason(models.TextChoices):
    BOUNCE = "bounce", _("the address does not exist")
    COMPLAINT = "complaint", _("complained about a message")
    MANUAL = "manual", _("added by hand")


class Suppression(TenantModel):
    """An address nothing is sent to, whatever consent says."""

    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    address = models.CharField(_("address"), max_length=254)
    reason = models.CharField(_("reason"), max_length=10, choices=SuppressionReason)
    detail = models.CharField(_("detail"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        verbose_name = _("suppressed address")
        verbose_name_plural = _("suppression list")
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["organization", "channel", "address"], name="suppression_once")]

    def __str__(self) -> str:
        return self.address
