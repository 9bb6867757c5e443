from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import TenantModel
from crm.models import Customer


class SegmentKind(models.TextChoices):
    DYNAMIC = "dynamic", _("Follows its rules")
    STATIC = "static", _("Fixed list")


class Segment(TenantModel):
    """Customers chosen by rules (``segmentation.rules``), or a fixed list of them."""

    name = models.CharField(_("name"), max_length=120)
    description = models.CharField(_("description"), max_length=300, blank=True)
    kind = models.CharField(_("kind"), max_length=10, choices=SegmentKind, default=SegmentKind.DYNAMIC)
    rules = models.JSONField(_("rules"), default=dict, blank=True)
    member_count = models.IntegerField(_("customers"), null=True, editable=False)
    counted_at = models.DateTimeField(_("counted"), null=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["organization", "name"], name="segment_name")]

    def __str__(self) -> str:
        return self.name


class SegmentMember(TenantModel):
    """A customer on a fixed list."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="members", db_index=False)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+")
    added_at = models.DateTimeField(_("added"), auto_now_add=True)

    class Meta:
        verbose_name = _("member of a fixed list")
        verbose_name_plural = _("members of fixed lists")
        constraints = [models.UniqueConstraint(fields=["organization", "segment", "customer"], name="segment_member_once")]

    def __str__(self) -> str:
        return str(self.customer)
