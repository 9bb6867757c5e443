from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import TenantModel
from loyalty.models.program import Program


class ClosedMonth(TenantModel):
    """What a program's postings of a month that is over add up to, by the clock of a time zone. A sum that is kept, and checked by ``verify_ledger``.

    Postings never change and none is added to a month that is over, so the report reads them once and for all. Months
    without entries have no row.
    """

    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="closed_months", verbose_name=_("program"))
    time_zone = models.CharField(_("time zone"), max_length=64)
    starts_on = models.DateField(_("month"))
    issued = models.BigIntegerField(_("earned"))
    redeemed = models.BigIntegerField(_("redeemed"))
    expired = models.BigIntegerField(_("expired"))
    reversed = models.BigIntegerField(_("taken back"))
    deferred_minor = models.BigIntegerField(_("deferred revenue"))
    closed_at = models.DateTimeField(_("closed"))

    class Meta:
        verbose_name = _("closed month")
        verbose_name_plural = _("closed months")
        ordering = ["program", "-starts_on"]
        constraints = [models.UniqueConstraint(fields=["organization", "program", "time_zone", "starts_on"], name="closed_month_once")]

    def __str__(self) -> str:
        return f"{self.starts_on:%Y-%m}"
