from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models.tenant import TenantModel


class IdempotencyKey(TenantModel):
    """What a request with an ``Idempotency-Key`` asked and was answered (``accounts.api.idempotency``)."""

    key = models.CharField(_("key"), max_length=200)
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(_("status"), null=True)
    body = models.TextField(_("answer"), blank=True)
    location = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(_("created"))
    is_lasting = models.BooleanField(_("never forgotten"), db_default=False)

    class Meta:
        verbose_name = _("idempotency key")
        verbose_name_plural = _("idempotency keys")
        constraints = [models.UniqueConstraint(fields=["organization", "key"], name="idempotency_key_once")]
        indexes = [models.Index(fields=["organization", "created_at"], name="idempotency_key_due", condition=Q(is_lasting=False))]

    def __str__(self) -> str:
        return self.key
