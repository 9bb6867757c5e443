from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import TenantModel
from crm.models.customer import Customer


class VisitState(models.TextChoices):
    BOOKED = "booked", _("Booked")
    ARRIVED = "arrived", _("Arrived")
    COMPLETED = "completed", _("Completed")
    NO_SHOW = "no_show", _("No-show")
    CANCELLED = "cancelled", _("Cancelled")


class Visit(TenantModel):
    """An appointment or a walk-in, from booking to the end."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="visits", verbose_name=_("customer"))
    location = models.ForeignKey(
        "accounts.Location", on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("location")
    )
    staff = models.ForeignKey(
        "accounts.Membership", on_delete=models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("staff member")
    )
    service = models.CharField(_("service"), max_length=120, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=VisitState, default=VisitState.BOOKED)
    starts_at = models.DateTimeField(_("starts"))
    amount_minor = models.BigIntegerField(_("amount"), default=0)
    note = models.TextField(_("note"), max_length=2000, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("visit")
        verbose_name_plural = _("visits")
        ordering = ["-starts_at", "-id"]
        indexes = [models.Index(fields=["organization", "-starts_at", "-id"], name="visit_time")]

    def __str__(self) -> str:
        return f"{self.service or self.get_state_display()} #{self.pk}"
