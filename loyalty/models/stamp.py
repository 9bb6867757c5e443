"""Stamp cards: what a program offers, where each member stands, and what each stamp was for."""

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import TenantModel
from loyalty.models.member import Member
from loyalty.models.program import Program
from loyalty.models.reward import Reward, Voucher


class StampedFor(models.TextChoices):
    VISIT = "visit", _("Each visit")
    PURCHASE = "purchase", _("Each purchase")
    PRODUCT = "product", _("Each piece of some products")
    CATEGORY = "category", _("Each piece of some categories")


class StampCard(TenantModel):
    """So many stamps for one reward. ``size`` and what is stamped stay once somebody has a stamp."""

    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="stamp_cards", verbose_name=_("program"))
    name = models.CharField(_("name"), max_length=120)
    size = models.PositiveSmallIntegerField(_("stamps"), default=10, validators=[MinValueValidator(1), MaxValueValidator(100)])
    stamped_for = models.CharField(_("a stamp for"), max_length=10, choices=StampedFor, default=StampedFor.VISIT)
    products = ArrayField(models.CharField(max_length=60), verbose_name=_("product codes"), default=list, blank=True)
    categories = ArrayField(models.CharField(max_length=80), verbose_name=_("categories"), default=list, blank=True)
    least_minor = models.BigIntegerField(
        _("smallest purchase"), default=0, validators=[MinValueValidator(0)], help_text=_("Purchases below it get no stamp.")
    )
    reward = models.ForeignKey(Reward, on_delete=models.PROTECT, related_name="stamp_cards", verbose_name=_("reward"))
    valid_from = models.DateTimeField(_("valid from"), null=True, blank=True)
    valid_until = models.DateTimeField(_("valid until"), null=True, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("stamp card")
        verbose_name_plural = _("stamp cards")
        ordering = ["name"]
        constraints = [models.CheckConstraint(condition=Q(size__gt=0), name="stamp_card_size")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.reward_id and self.reward.program_id != self.program_id:
            raise ValidationError({"reward": _("This reward is of another program.")})


class MemberCard(TenantModel):
    """A member's stamps on a card, all that ever counted: the sum of ``Stamp.count``. Its row's lock guards what it gives."""

    card = models.ForeignKey(StampCard, on_delete=models.PROTECT, related_name="member_cards", verbose_name=_("stamp card"))
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="cards", verbose_name=_("loyalty member"))
    stamps = models.PositiveIntegerField(_("stamps"), default=0)

    class Meta:
        verbose_name = _("member's stamp card")
        verbose_name_plural = _("members' stamp cards")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["organization", "card", "member"], name="member_card_once")]

    def __str__(self) -> str:
        return f"{self.stamps}"


class Stamp(TenantModel):
    """What one purchase, visit or press of a button counts on a card: none any more when it was refunded."""

    member_card = models.ForeignKey(MemberCard, on_delete=models.PROTECT, related_name="sources", db_index=False)
    key = models.CharField(_("key"), max_length=120)
    count = models.PositiveSmallIntegerField(_("stamps"))
    stamped_at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("stamp")
        verbose_name_plural = _("stamps")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["organization", "member_card", "key"], name="stamp_once")]

    def __str__(self) -> str:
        return self.key


class FilledCard(TenantModel):
    """A card that was full and gave a voucher; the row goes when the voucher is taken back."""

    member_card = models.ForeignKey(MemberCard, on_delete=models.PROTECT, related_name="filled", db_index=False)
    number = models.PositiveIntegerField(_("number"))
    voucher = models.ForeignKey(Voucher, on_delete=models.PROTECT, related_name="filled_cards", db_index=False, verbose_name=_("voucher"))
    filled_at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("full stamp card")
        verbose_name_plural = _("full stamp cards")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "member_card", "number"], name="filled_card_once"),
            models.UniqueConstraint(fields=["organization", "voucher"], name="filled_card_voucher"),
        ]

    def __str__(self) -> str:
        return f"#{self.number}"
