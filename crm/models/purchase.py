from collections.abc import Collection

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import TenantModel
from crm.models.customer import Customer
from crm.origins import source_words


class PurchaseKind(models.TextChoices):
    SALE = "sale", _("Sale")
    REFUND = "refund", _("Refund")


class PaymentMethod(models.TextChoices):
    CASH = "cash", _("Cash")
    CARD = "card", _("Card")
    TRANSFER = "transfer", _("Transfer")
    ONLINE = "online", _("Online")
    OTHER = "other", _("Other")


class Purchase(TenantModel):
    """A receipt. A refund is a receipt of its own with a negative total; without a customer it is an anonymous sale."""

    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, null=True, blank=True, related_name="purchases", verbose_name=_("customer")
    )
    location = models.ForeignKey(
        "accounts.Location", on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("location")
    )
    staff = models.ForeignKey(
        "accounts.Membership", on_delete=models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("staff member")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=PurchaseKind, default=PurchaseKind.SALE)
    refund_of = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="refunds", verbose_name=_("refund of")
    )
    number = models.CharField(_("receipt number"), max_length=60, blank=True)
    purchased_at = models.DateTimeField(_("when"))
    currency = models.CharField(_("currency"), max_length=3)
    total_minor = models.BigIntegerField(_("total"))
    payment_method = models.CharField(_("payment method"), max_length=10, choices=PaymentMethod, blank=True)
    source = models.CharField(_("source"), max_length=20, default="page")
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("purchase")
        verbose_name_plural = _("purchases")
        ordering = ["-purchased_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "number"],
                condition=~Q(number=""),
                name="purchase_number",
                violation_error_code="number",
                violation_error_message=_("Another receipt has this number."),
            )
        ]
        indexes = [models.Index(fields=["organization", "-purchased_at", "-id"], name="purchase_time")]

    def __str__(self) -> str:
        return self.number or f"#{self.pk}"

    @property
    def source_words(self) -> str:
        """Where it was recorded."""
        return source_words(self.source)

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        # Only a number can be another receipt's, and most have none: asking the database costs three round trips.
        if self.number:
            super().validate_constraints(exclude)


class PurchaseLine(TenantModel):
    """One line of a receipt; ``amount_minor`` is quantity × unit price, negative where goods came back.

    ``refund_of`` is the line of the sale that a refund's line gives back, where it says so.
    """

    purchase = models.ForeignKey(Purchase, on_delete=models.CASCADE, related_name="lines")
    refund_of = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="refunds", db_index=False)
    product_code = models.CharField(_("product code"), max_length=60, blank=True)
    description = models.CharField(_("description"), max_length=200, blank=True)
    category = models.CharField(_("category"), max_length=80, blank=True)
    quantity = models.IntegerField(_("quantity"), default=1)
    unit_price_minor = models.BigIntegerField(_("unit price"))
    amount_minor = models.BigIntegerField(_("amount"))

    class Meta:
        verbose_name = _("purchase line")
        verbose_name_plural = _("purchase lines")
        ordering = ["id"]
        indexes = [models.Index(fields=["organization", "refund_of"], name="line_refunds", condition=Q(refund_of__isnull=False))]

    def __str__(self) -> str:
        return self.description or self.product_code or f"#{self.pk}"
