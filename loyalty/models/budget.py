from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import TenantModel
from loyalty.models.program import Program


class BudgetUse(TenantModel):
    """Points that a rule with a budget has brought all members together; its row is locked by whoever adds to it."""

    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="budgets", verbose_name=_("program"))
    rule = models.CharField(_("rule"), max_length=40)
    used = models.BigIntegerField(_("used"), default=0)

    class Meta:
        verbose_name = _("use of a budget")
        verbose_name_plural = _("uses of budgets")
        constraints = [
            models.UniqueConstraint(fields=["organization", "program", "rule"], name="budget_rule"),
            models.CheckConstraint(condition=Q(used__gte=0), name="budget_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.rule}: {self.used}"
