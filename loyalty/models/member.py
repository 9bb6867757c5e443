from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import TenantModel
from crm.models import Customer
from loyalty.models.program import Program


class Member(TenantModel):
    """A customer in a program. ``number`` stands on the card; it says nothing about the person and cannot be guessed.

    ``tier_version`` is the version of the terms under which the tier was worked out.
    A membership that is ``moved_to`` another is closed: that one holds its points, and stands for it in all that comes later.
    """

    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="members", verbose_name=_("program"))
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="loyalty_members", verbose_name=_("customer"))
    number = models.CharField(_("member number"), max_length=20)
    joined_at = models.DateTimeField(_("joined"))
    tier = models.CharField(_("tier"), max_length=40, blank=True)
    tier_since = models.DateTimeField(_("tier since"), null=True, blank=True)
    tier_until = models.DateTimeField(_("tier until"), null=True, blank=True)
    tier_version = models.PositiveIntegerField(null=True, editable=False)
    is_active = models.BooleanField(_("active"), default=True)
    moved_to = models.ForeignKey("self", on_delete=models.PROTECT, null=True, editable=False, related_name="taken_over")

    class Meta:
        verbose_name = _("loyalty member")
        verbose_name_plural = _("loyalty members")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "program", "customer"],
                name="member_once",
                violation_error_message=_("The customer is a member of this program already."),
            ),
            models.UniqueConstraint(fields=["organization", "number"], name="member_number"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def holder(self) -> "Member":
        """Who holds now what this membership had."""
        return self.moved_to.holder if self.moved_to else self
