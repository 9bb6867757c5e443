from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.tenant import TenantModel


class Role(models.TextChoices):
    """What a member may do; ``accounts.permissions`` says it in detail."""

    OWNER = "owner", _("Owner")
    MANAGER = "manager", _("Manager")
    MARKETER = "marketer", _("Marketer")
    FRONT_DESK = "front_desk", _("Front desk")
    SUPPORT = "support", _("Support")
    ANALYST = "analyst", _("Analyst")


class Membership(TenantModel):
    """A user's place in an organization; without locations it holds for all of them."""

    user = models.ForeignKey("accounts.User", on_delete=models.CASCADE, related_name="memberships", verbose_name=_("user"))
    role = models.CharField(_("role"), max_length=20, choices=Role)
    is_active = models.BooleanField(_("active"), default=True)
    locations = models.ManyToManyField(
        "accounts.Location",
        through="accounts.MembershipLocation",
        blank=True,
        related_name="memberships",
        verbose_name=_("locations"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = [models.UniqueConstraint(fields=["organization", "user"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} ({self.get_role_display()})"


class MembershipLocation(TenantModel):
    """Limits a membership to a location."""

    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="location_limits")
    location = models.ForeignKey("accounts.Location", on_delete=models.CASCADE, related_name="+")

    class Meta:
        verbose_name = _("location of a member")
        verbose_name_plural = _("locations of members")
        constraints = [models.UniqueConstraint(fields=["organization", "membership", "location"], name="membership_location_once")]

    def __str__(self) -> str:
        return str(self.location)
