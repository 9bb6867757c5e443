"""What tills did while nobody could be asked, in the order in which they did it."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import TenantModel


class Till(TenantModel):
    """A till as its integrator names it. All its operations up to ``applied`` have been answered; the next one is awaited."""

    code = models.CharField(_("code"), max_length=60)
    applied = models.BigIntegerField(_("answered up to"), default=0)
    first_seen_at = models.DateTimeField(_("first seen"))

    class Meta:
        verbose_name = _("till")
        verbose_name_plural = _("tills")
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["organization", "code"], name="till_code")]

    def __str__(self) -> str:
        return self.code


class OperationState(models.TextChoices):
    WAITING = "waiting", _("Waiting for an earlier one")
    APPLIED = "applied", _("Applied")
    REFUSED = "refused", _("Refused")


class TillOperation(TenantModel):
    """One thing a till did, under its own number. What it said never changes, and it is answered once (the database sees to it)."""

    till = models.ForeignKey(Till, on_delete=models.PROTECT, related_name="operations", verbose_name=_("till"), db_index=False)
    sequence = models.BigIntegerField(_("number"))
    key = models.CharField(_("key"), max_length=120)
    kind = models.CharField(_("kind"), max_length=20)
    body = models.JSONField(_("what was asked"))
    body_hash = models.BinaryField(max_length=32)
    occurred_at = models.DateTimeField(_("when"))
    received_at = models.DateTimeField(_("received"))
    state = models.CharField(_("state"), max_length=10, choices=OperationState, default=OperationState.WAITING)
    answer = models.JSONField(_("answer"), null=True)
    answered_at = models.DateTimeField(_("answered"), null=True)

    class Meta:
        verbose_name = _("operation of a till")
        verbose_name_plural = _("operations of tills")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "till", "sequence"], name="till_operation_sequence"),
            models.UniqueConstraint(fields=["organization", "till", "key"], name="till_operation_key"),
            models.CheckConstraint(condition=Q(sequence__gt=0), name="till_operation_number"),
        ]

    def __str__(self) -> str:
        return f"{self.sequence}"
