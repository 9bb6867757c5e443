from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.tenant import TenantModel


class MoneyUnit(models.TextChoices):
    """How Iranian rials are shown; other currencies have one form."""

    CURRENCY = "currency", _("As the currency is written")
    TOMAN = "toman", _("Toman (10 rials)")


class Organization(models.Model):
    """A tenant: one business, its brand and its conventions."""

    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(_("slug"), max_length=60, unique=True)
    language = models.CharField(_("language"), max_length=8, default="en", choices=[("en", _("English")), ("fa", _("Persian"))])
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC")
    currency = models.CharField(_("currency"), max_length=3, default="USD", validators=[RegexValidator(r"^[A-Z]{3}$")])
    money_unit = models.CharField(_("money shown as"), max_length=10, choices=MoneyUnit, default=MoneyUnit.CURRENCY)
    region = models.CharField(
        _("region"),
        max_length=2,
        default="US",
        validators=[RegexValidator(r"^[A-Z]{2}$")],
        help_text=_("Phone numbers without a country code are read as numbers of this region."),
    )
    postal_address = models.TextField(
        _("postal address"),
        max_length=500,
        blank=True,
        help_text=_("Stands at the foot of every marketing message; the law asks for it."),
    )
    frequency_cap = models.PositiveSmallIntegerField(
        _("most marketing messages"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("To one customer within the days below, over all campaigns. Empty: no limit."),
    )
    frequency_cap_days = models.PositiveSmallIntegerField(
        _("within days"),
        default=7,
        db_default=7,
        validators=[MinValueValidator(1), MaxValueValidator(365)],
    )
    brand_color = models.CharField(_("brand colour"), max_length=7, default="#7c3aed", validators=[RegexValidator(r"^#[0-9a-fA-F]{6}$")])
    logo = models.URLField(_("logo"), blank=True, help_text=_("Address of the picture used in messages."))
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("organization")
        verbose_name_plural = _("organizations")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Location(TenantModel):
    """A branch of an organization."""

    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(_("slug"), max_length=60)
    address = models.TextField(_("address"), max_length=500, blank=True)
    phone = models.CharField(_("phone"), max_length=20, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True, help_text=_("Empty: that of the organization."))
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("location")
        verbose_name_plural = _("locations")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "slug"],
                name="location_slug",
                violation_error_code="slug",
                violation_error_message=_("Another location has this slug."),
            )
        ]

    def __str__(self) -> str:
        return self.name
