from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import TenantModel
from crm.models import Channel, Customer, Purchase, Purpose
from messaging.models import Dispatch, DispatchState, MessageTemplate, SenderAccount
from segmentation.models import Segment


class CampaignState(models.TextChoices):
    DRAFT = "draft", _("Draft")
    SCHEDULED = "scheduled", _("Scheduled")
    RUNNING = "running", _("Running")
    PAUSED = "paused", _("Paused")
    COMPLETED = "completed", _("Completed")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


class Campaign(TenantModel):
    """A message to an audience with a purpose and a time. Its state changes only through ``campaigns.actions``."""

    name = models.CharField(_("name"), max_length=120)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel, default=Channel.EMAIL)
    purpose = models.CharField(_("purpose"), max_length=15, choices=Purpose, default=Purpose.MARKETING)
    state = models.CharField(_("state"), max_length=10, choices=CampaignState, default=CampaignState.DRAFT, editable=False)
    state_reason = models.CharField(_("reason"), max_length=300, blank=True, editable=False)
    template = models.ForeignKey(
        MessageTemplate, on_delete=models.PROTECT, null=True, blank=True, related_name="campaigns", verbose_name=_("template")
    )
    account = models.ForeignKey(
        SenderAccount, on_delete=models.PROTECT, null=True, blank=True, related_name="campaigns", verbose_name=_("sender")
    )
    dispatch = models.ForeignKey(Dispatch, on_delete=models.PROTECT, null=True, related_name="campaigns", editable=False)
    scheduled_at = models.DateTimeField(_("starts"), null=True, blank=True)
    attribution_days = models.PositiveSmallIntegerField(
        _("attribution window in days"),
        default=7,
        validators=[MinValueValidator(1), MaxValueValidator(90)],
        help_text=_("A purchase this long after a click, or else an open, counts for the campaign."),
    )
    created_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+", editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    launched_at = models.DateTimeField(_("launched"), null=True, editable=False)
    # Since when its launch or its plan has broken off at every attempt.
    broken_since = models.DateTimeField(null=True, editable=False)
    completed_at = models.DateTimeField(_("completed"), null=True, editable=False)

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["organization", "scheduled_at"], name="campaign_due", condition=models.Q(state="scheduled")),
            models.Index(fields=["organization", "state"], name="campaign_state"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def goes_on_by_itself(self) -> bool:
        """Whether it was its sender's trouble that stopped it, and the end of that lets it go on."""
        dispatch = self.dispatch
        return dispatch is not None and dispatch.state == DispatchState.PAUSED and dispatch.waits_for_account


class AudienceMode(models.TextChoices):
    INCLUDE = "include", _("include")
    EXCLUDE = "exclude", _("exclude")


class CampaignAudience(TenantModel):
    """A segment whose customers a campaign reaches, or leaves out. No included segment means every customer."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="audiences", db_index=False)
    segment = models.ForeignKey(Segment, on_delete=models.PROTECT, related_name="audiences")
    mode = models.CharField(_("mode"), max_length=7, choices=AudienceMode, default=AudienceMode.INCLUDE)

    class Meta:
        verbose_name = _("audience")
        verbose_name_plural = _("audiences")
        constraints = [models.UniqueConstraint(fields=["organization", "campaign", "segment"], name="audience_once")]

    def __str__(self) -> str:
        return str(self.campaign)


class AttributionBasis(models.TextChoices):
    CLICK = "click", _("click")
    OPEN = "open", _("open")


class Attribution(TenantModel):
    """A purchase (or a refund, negative) that counts for a campaign: last click, else last open, within its window."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="attributions")
    delivery_id = models.BigIntegerField(_("delivery"))
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+", db_index=False)
    purchase = models.ForeignKey(Purchase, on_delete=models.CASCADE, related_name="attributions", db_index=False)
    basis = models.CharField(_("because of"), max_length=5, choices=AttributionBasis)
    amount_minor = models.BigIntegerField(_("amount"))
    touched_at = models.DateTimeField(_("touched"))
    purchased_at = models.DateTimeField(_("bought"))

    class Meta:
        verbose_name = _("attribution")
        verbose_name_plural = _("attributions")
        constraints = [models.UniqueConstraint(fields=["organization", "purchase"], name="attribution_once")]
        indexes = [models.Index(fields=["organization", "purchased_at"], name="attribution_time")]

    def __str__(self) -> str:
        return f"#{self.purchase_id}"
