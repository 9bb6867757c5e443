from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import TenantModel
from crm.models import Channel, Purpose
from messaging.models.account import SenderAccount
from messaging.models.template import TemplateVersion


class DispatchState(models.TextChoices):
    PLANNING = "planning", _("planning")
    RUNNING = "running", _("running")
    PAUSED = "paused", _("paused")
    COMPLETED = "completed", _("completed")
    CANCELLED = "cancelled", _("cancelled")
    FAILED = "failed", _("failed")


class Dispatch(TenantModel):
    """One message on its way to one audience; campaigns, journeys and tests all send through it.

    The counters are the sum over the ledger, kept by the statement that writes the ledger.
    """

    label = models.CharField(_("name"), max_length=160)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    purpose = models.CharField(_("purpose"), max_length=15, choices=Purpose)
    account = models.ForeignKey(SenderAccount, on_delete=models.PROTECT, related_name="dispatches", verbose_name=_("sender"))
    version = models.ForeignKey(TemplateVersion, on_delete=models.PROTECT, related_name="dispatches", verbose_name=_("template version"))
    state = models.CharField(_("state"), max_length=10, choices=DispatchState, default=DispatchState.PLANNING)
    state_reason = models.CharField(_("reason"), max_length=300, blank=True)
    # Paused by the circuit breaker of its sender, so that the breaker may let it go on.
    waits_for_account = models.BooleanField(default=False, db_default=False, editable=False)
    planned_count = models.IntegerField(_("planned"), default=0)
    skipped_count = models.IntegerField(_("skipped"), default=0)
    skipped_by_reason = models.JSONField(_("skipped by reason"), default=dict, db_default={}, editable=False)
    sent_count = models.IntegerField(_("sent"), default=0)
    failed_count = models.IntegerField(_("failed"), default=0)
    ambiguous_count = models.IntegerField(_("uncertain"), default=0)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    started_at = models.DateTimeField(_("started"), null=True)
    paused_at = models.DateTimeField(_("paused"), null=True)
    completed_at = models.DateTimeField(_("completed"), null=True)

    class Meta:
        verbose_name = _("dispatch")
        verbose_name_plural = _("dispatches")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["organization", "state"], name="dispatch_open", condition=models.Q(state__in=["planning", "running"]))
        ]

    def __str__(self) -> str:
        return self.label
