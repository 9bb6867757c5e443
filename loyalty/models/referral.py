"""Who brought whom: codes, referrals, and the identities that were referred once."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import TenantModel
from crm.models import Customer, Purchase
from loyalty.models.ledger import Entry
from loyalty.models.member import Member
from loyalty.models.program import Program, ProgramState


class ReferralState(models.TextChoices):
    INVITED = "invited", _("Invited")
    JOINED = "joined", _("Joined")
    QUALIFIED = "qualified", _("Bought something")
    REWARDED = "rewarded", _("Rewarded")
    REJECTED = "rejected", _("Rejected")


class ReferralRejection(models.TextChoices):
    SELF = "self", _("Their own code")
    CYCLE = "cycle", _("In a circle")
    REFERRED_BEFORE = "referred_before", _("Referred before")
    REFUNDED = "refunded", _("The purchase was refunded")


class ReferralFlag(models.TextChoices):
    """What people should look at; by itself it rejects nothing."""

    ADDRESS = "address", _("Same address as the referrer")
    DEVICE = "device", _("Same device as the referrer or others they brought")
    KNOWN_CUSTOMER = "known_customer", _("Had bought here before")


class ReferralCode(TenantModel):
    """A member's code, in their link and on their card. ``device`` says from where they last asked for it."""

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="referral_codes", verbose_name=_("loyalty member"))
    code = models.CharField(_("code"), max_length=20)
    device = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("referral code")
        verbose_name_plural = _("referral codes")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "member"], name="referral_code_once"),
            models.UniqueConstraint(fields=["organization", "code"], name="referral_code"),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def is_open(self) -> bool:
        """Whether friends can join by it: a code stays good when its membership moves."""
        return self.member.holder.is_active and self.member.program.state == ProgramState.ACTIVE


class Referral(TenantModel):
    """A customer who came by a member's code, or was invited and has not come yet.

    ``purchase`` is the one that counts; its points are what the entries brought, until ``rewarded_at`` pending. A purchase
    that is refunded counts no more, and the next that stands does.
    """

    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="referrals", verbose_name=_("program"))
    referrer = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="referrals", verbose_name=_("referred by"))
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, null=True, related_name="loyalty_referrals", verbose_name=_("customer")
    )
    contact = models.CharField(max_length=64, blank=True, help_text="The invited identity, hashed as in ReferredIdentity.")
    state = models.CharField(_("state"), max_length=10, choices=ReferralState, default=ReferralState.JOINED)
    rejection = models.CharField(_("reason"), max_length=20, choices=ReferralRejection, blank=True)
    flags = ArrayField(models.CharField(max_length=20, choices=ReferralFlag), verbose_name=_("noticed"), default=list)
    device = models.CharField(max_length=64, blank=True)
    invited_at = models.DateTimeField(_("invited"), null=True)
    joined_at = models.DateTimeField(_("joined"), null=True)
    purchase = models.ForeignKey(
        Purchase, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=_("purchase")
    )
    rewarded_at = models.DateTimeField(_("rewarded"), null=True)
    referrer_points = models.BigIntegerField(_("points of the referrer"), default=0)
    referee_points = models.BigIntegerField(_("points of the referred"), default=0)
    referrer_entry = models.ForeignKey(Entry, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    referee_entry = models.ForeignKey(Entry, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        verbose_name = _("referral")
        verbose_name_plural = _("referrals")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "referrer", "customer"], name="referral_once", condition=Q(customer__isnull=False)
            ),
            models.CheckConstraint(condition=Q(state="invited", customer__isnull=True) | ~Q(state="invited"), name="referral_invited"),
            models.CheckConstraint(
                condition=~Q(state="rejected") & Q(rejection="") | Q(state="rejected") & ~Q(rejection=""), name="referral_reason"
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "rewarded_at"], name="referral_due", condition=Q(state="qualified")),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class ReferredIdentity(TenantModel):
    """An e-mail address, phone number or customer that was referred in a program, once: SHA-256 of its normalised form."""

    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="+", db_index=False)
    referral = models.ForeignKey(Referral, on_delete=models.CASCADE, related_name="identities")
    identity = models.CharField(_("identity"), max_length=64)

    class Meta:
        verbose_name = _("referred identity")
        verbose_name_plural = _("referred identities")
        constraints = [models.UniqueConstraint(fields=["organization", "program", "identity"], name="referred_identity_once")]

    def __str__(self) -> str:
        return self.identity[:12]
