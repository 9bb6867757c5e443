"""What points buy, and the vouchers that show it was bought."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Location, TenantModel
from loyalty.models.ledger import Entry, Hold
from loyalty.models.member import Member
from loyalty.models.program import Program
from loyalty.pictures import picture_path, validate_picture
from loyalty.rules.postings import MAX_POINTS
from loyalty.rules.rewards import LONGEST


class RewardKind(models.TextChoices):
    PRODUCT = "product", _("Product")
    SERVICE = "service", _("Service")
    DISCOUNT = "discount", _("Discount")
    EXPERIENCE = "experience", _("Experience")


class LimitPeriod(models.TextChoices):
    DAY = "day", _("Day")
    MONTH = "month", _("Month")
    YEAR = "year", _("Year")


class Reward(TenantModel):
    """Something in a program's catalogue. ``sold`` is the number of its vouchers that were not cancelled.

    Without points it cannot be bought, only given: by a full stamp card. ``tiers`` are keys of the program's terms;
    none of them means everyone.
    """

    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="rewards", verbose_name=_("program"))
    name = models.CharField(_("name"), max_length=120)
    description = models.TextField(_("description"), max_length=2000, blank=True)
    picture = models.FileField(
        _("picture"),
        upload_to=picture_path,
        validators=[validate_picture],
        max_length=200,
        blank=True,
        help_text=_("PNG, JPEG or WebP, up to 2 MB."),
    )
    picture_url = models.URLField(_("address of a picture"), blank=True, help_text=_("Used when no picture is uploaded."))
    kind = models.CharField(_("kind"), max_length=10, choices=RewardKind, default=RewardKind.PRODUCT)
    points = models.BigIntegerField(
        _("points"),
        validators=[MinValueValidator(0), MaxValueValidator(MAX_POINTS)],
        help_text=_("0: it cannot be bought with points, only given by a full stamp card."),
    )
    cash_minor = models.BigIntegerField(
        _("to be paid"), default=0, validators=[MinValueValidator(0)], help_text=_("Money to be paid beside the points.")
    )
    stock = models.PositiveIntegerField(_("stock"), null=True, blank=True, help_text=_("How many there are in all. Empty: no limit."))
    sold = models.PositiveIntegerField(_("sold"), default=0, editable=False)
    valid_from = models.DateTimeField(_("valid from"), null=True, blank=True)
    valid_until = models.DateTimeField(_("valid until"), null=True, blank=True)
    limit_per_member = models.PositiveIntegerField(_("limit per member"), null=True, blank=True, validators=[MinValueValidator(1)])
    limit_per_period = models.PositiveIntegerField(
        _("limit per member and period"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    limit_period = models.CharField(_("period"), max_length=10, choices=LimitPeriod, default=LimitPeriod.MONTH)
    tiers = ArrayField(
        models.CharField(max_length=40), verbose_name=_("tiers"), default=list, blank=True, help_text=_("Empty: for members of every tier.")
    )
    voucher_days = models.PositiveIntegerField(
        _("days a voucher holds"),
        null=True,
        blank=True,
        validators=[MaxValueValidator(LONGEST)],
        help_text=_("To the end of the last of these days. Empty: vouchers never expire."),
    )
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("reward")
        verbose_name_plural = _("rewards")
        ordering = ["points", "name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(stock__isnull=True) | Q(sold__lte=F("stock")),
                name="reward_sold_in_stock",
                violation_error_code="stock",
                violation_error_message=_("More than this stock is sold already."),
            ),
            models.CheckConstraint(condition=Q(points__gte=0, cash_minor__gte=0), name="reward_price"),
        ]

    def __str__(self) -> str:
        return self.name


class VoucherState(models.TextChoices):
    RESERVED = "reserved", _("Reserved")
    ISSUED = "issued", _("Issued")
    USED = "used", _("Used")
    CANCELLED = "cancelled", _("Cancelled")
    EXPIRED = "expired", _("Expired")


class Voucher(TenantModel):
    """One piece of a reward that belongs to a member: reserved with ``hold``, bought by ``entry``, or given (neither).

    Its price is the reward's as it was then; ``cash_minor`` is due when it is used. ``used_key`` makes using it again
    by the same request a no-op, also after that was undone, and ``undone_key`` undoing it again.
    """

    reward = models.ForeignKey(Reward, on_delete=models.PROTECT, related_name="vouchers", verbose_name=_("reward"))
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="vouchers", verbose_name=_("loyalty member"))
    code = models.CharField(_("code"), max_length=20)
    state = models.CharField(_("state"), max_length=10, choices=VoucherState, default=VoucherState.ISSUED)
    points = models.BigIntegerField(_("points"), default=0)
    cash_minor = models.BigIntegerField(_("to be paid"), default=0)
    entry = models.ForeignKey(Entry, on_delete=models.PROTECT, null=True, related_name="vouchers", db_index=False)
    hold = models.ForeignKey(Hold, on_delete=models.PROTECT, null=True, related_name="vouchers", db_index=False)
    issued_at = models.DateTimeField(_("issued"))
    expires_at = models.DateTimeField(_("expires"), null=True)
    used_at = models.DateTimeField(_("used"), null=True)
    used_location = models.ForeignKey(
        Location, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=_("used at")
    )
    used_key = models.CharField(_("key of the use"), max_length=120, null=True)
    undone_key = models.CharField(_("key of the undoing"), max_length=120, null=True)

    class Meta:
        verbose_name = _("voucher")
        verbose_name_plural = _("vouchers")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "code"], name="voucher_code"),
            models.UniqueConstraint(fields=["organization", "entry"], name="voucher_entry", condition=Q(entry__isnull=False)),
            models.UniqueConstraint(fields=["organization", "hold"], name="voucher_hold", condition=Q(hold__isnull=False)),
            models.UniqueConstraint(fields=["organization", "used_key"], name="voucher_used_key", condition=Q(used_key__isnull=False)),
            models.CheckConstraint(
                condition=Q(state="used", used_at__isnull=False, used_key__isnull=False) | ~Q(state="used") & Q(used_at__isnull=True),
                name="voucher_used",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "expires_at"], name="voucher_expiring", condition=Q(state="issued")),
        ]

    def __str__(self) -> str:
        return self.code
