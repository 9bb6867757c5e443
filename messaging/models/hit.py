from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import BulkTenantModel
from crm.models.event import CurrentTransactionId, TransactionIdField
from messaging.models.delivery import Delivery


class HitKind(models.TextChoices):
    OPEN = "open", _("open")
    CLICK = "click", _("click")


class TrackingHit(BulkTenantModel):
    """One request for a pixel or a tracked link, as it came; ``messaging.tracking.folding`` draws the conclusions.

    Written many at a time before the request is answered, and never changed but for the mark of a machine that
    only later requests gave away. Its delivery is not a database-enforced reference: the token was signed by us.
    """

    delivery = models.ForeignKey(Delivery, on_delete=models.DO_NOTHING, related_name="hits", db_constraint=False, db_index=False)
    kind = models.CharField(_("kind"), max_length=5, choices=HitKind)
    link_index = models.SmallIntegerField(_("link"), null=True)
    address = models.TextField(_("address"), blank=True)
    at = models.DateTimeField(_("when"))
    machine = models.CharField(_("machine"), max_length=15, blank=True)
    user_agent = models.CharField(_("program"), max_length=300, blank=True)
    transaction_id = TransactionIdField(db_default=CurrentTransactionId(), editable=False)

    class Meta:
        verbose_name = _("tracking request")
        verbose_name_plural = _("tracking requests")
        ordering = ["-id"]
        indexes = [models.Index(fields=["organization", "transaction_id", "id"], name="hit_feed")]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"
