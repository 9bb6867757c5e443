"""The points ledger. Entries, postings and lots are append-only; wallets and lot remainders are what they add up to.

Every entry belongs to one member and its postings sum to zero. Postings to ``wallet``, ``held``, ``pending`` and
``debt`` are the member's side, the others the program's. A wallet is changed only in the transaction of an entry,
under its row's lock (``loyalty.ledger.store``).

Entries, postings, lots and their remainders are written by one statement that has the locked wallet before it. It vouches
for what they name of each other and for the member: nothing of it can be deleted, so what was right once stays right.
"""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import BulkTenantModel, TenantModel
from accounts.models.audit import ActorKind
from crm.models import Purchase
from loyalty.models.member import Member
from loyalty.models.program import Program, Terms
from loyalty.rules.postings import Account


class Wallet(TenantModel):
    """A member's points as of their last entry.

    ``balance`` can be spent, ``held`` is reserved, ``pending`` comes later, ``debt`` is what a clawback found missing and
    is repaid first. ``next_due_at`` is no later than the next moment at which something lapses or matures.
    """

    member = models.OneToOneField(Member, on_delete=models.PROTECT, primary_key=True, related_name="wallet")
    balance = models.BigIntegerField(_("balance"), default=0)
    held = models.BigIntegerField(_("held"), default=0)
    pending = models.BigIntegerField(_("pending"), default=0)
    debt = models.BigIntegerField(_("debt"), default=0)
    sequence = models.BigIntegerField(_("entries"), default=0)
    head = models.BinaryField(max_length=32, default=bytes)
    next_due_at = models.DateTimeField(_("next due"), null=True)
    updated_at = models.DateTimeField(_("changed"))

    class Meta:
        verbose_name = _("wallet")
        verbose_name_plural = _("wallets")
        constraints = [
            models.CheckConstraint(condition=Q(balance__gte=0, held__gte=0, pending__gte=0, debt__gte=0), name="wallet_not_negative"),
            models.CheckConstraint(condition=Q(balance=0) | Q(debt=0), name="wallet_debt_repaid_first"),
        ]
        indexes = [models.Index(fields=["organization", "next_due_at"], name="wallet_due", condition=Q(next_due_at__isnull=False))]

    def __str__(self) -> str:
        return f"{self.balance}"


class HoldState(models.TextChoices):
    OPEN = "open", _("Open")
    CAPTURED = "captured", _("Captured")
    RELEASED = "released", _("Released")
    LAPSED = "lapsed", _("Lapsed")


class Hold(BulkTenantModel):
    """Points reserved until they are captured, released, or until ``lapses_at``; it is resolved once."""

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="holds", db_index=False, db_constraint=False)
    amount = models.BigIntegerField(_("points"))
    captured = models.BigIntegerField(_("captured"), default=0)
    state = models.CharField(_("state"), max_length=10, choices=HoldState, default=HoldState.OPEN)
    placed_at = models.DateTimeField(_("placed"))
    lapses_at = models.DateTimeField(_("lapses"))
    resolved_at = models.DateTimeField(_("resolved"), null=True)

    class Meta:
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0, captured__gte=0, captured__lte=F("amount")), name="hold_amounts"),
        ]
        indexes = [models.Index(fields=["organization", "member", "lapses_at"], name="hold_open", condition=Q(state="open"))]

    def __str__(self) -> str:
        return f"#{self.pk}"


class EntryKind(models.TextChoices):
    EARN = "earn", _("Earned")
    MATURE = "mature", _("Became available")
    CANCEL = "cancel", _("Cancelled")
    REDEEM = "redeem", _("Redeemed")
    HOLD = "hold", _("Reserved")
    CAPTURE = "capture", _("Redeemed from a reservation")
    RELEASE = "release", _("Reservation released")
    LAPSE = "lapse", _("Reservation lapsed")
    EXPIRE = "expire", _("Expired")
    UNDO = "undo", _("Undone")
    CLAWBACK = "clawback", _("Taken back after a refund")
    RESTORE = "restore", _("Given back: the refund was of something else")
    PROLONG = "prolong", _("Kept alive by activity")
    GIVE = "give", _("Given")
    TAKE = "take", _("Taken")
    MOVE_OUT = "move_out", _("Moved to another member")
    MOVE_IN = "move_in", _("Moved from another member")


class Entry(BulkTenantModel):
    """One thing that happened to a wallet. ``hash`` covers it, its postings and, by ``previous``, everything before it.

    ``occurred_at`` is when it counts, ``recorded_at`` when it was written. ``origin`` is the entry that this one
    matures, cancels, undoes, claws back or answers.
    """

    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="entries", db_index=False, db_constraint=False)
    sequence = models.BigIntegerField(_("number"))
    kind = models.CharField(_("kind"), max_length=10, choices=EntryKind)
    amount = models.BigIntegerField(_("points"), help_text="Points that the entry is about, never negative.")
    occurred_at = models.DateTimeField(_("when"))
    recorded_at = models.DateTimeField(_("recorded"))
    key = models.CharField(max_length=120, null=True)
    body_hash = models.BinaryField(max_length=32, null=True)
    terms = models.ForeignKey(Terms, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    purchase = models.ForeignKey(Purchase, on_delete=models.PROTECT, null=True, related_name="loyalty_entries", db_index=False)
    hold = models.ForeignKey(Hold, on_delete=models.PROTECT, null=True, related_name="entries", db_index=False)
    origin = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="followers", db_index=False)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    details = models.JSONField(_("details"), default=dict)
    actor_kind = models.CharField(_("kind of actor"), max_length=10, choices=ActorKind)
    actor_id = models.BigIntegerField(null=True)
    actor_label = models.CharField(_("who"), max_length=160, blank=True)
    previous = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "member", "sequence"], name="entry_sequence"),
            models.UniqueConstraint(fields=["organization", "program", "key"], name="entry_key", condition=Q(key__isnull=False)),
            models.CheckConstraint(condition=Q(amount__gte=0, sequence__gt=0), name="entry_amount"),
        ]
        indexes = [
            models.Index(fields=["organization", "purchase"], name="entry_purchase", condition=Q(purchase__isnull=False)),
            models.Index(fields=["organization", "origin"], name="entry_origin", condition=Q(origin__isnull=False)),
            models.Index(fields=["organization", "hold"], name="entry_hold", condition=Q(hold__isnull=False)),
            models.Index(fields=["organization", "program", "recorded_at"], name="entry_recorded"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount}"


class Lot(BulkTenantModel):
    """Points that came in together; its id is that of the entry they came in by. Without ``expires_at`` they never expire."""

    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, primary_key=True, related_name="lot", db_constraint=False)
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="lots", db_index=False, db_constraint=False)
    amount = models.BigIntegerField(_("points"))
    earned_at = models.DateTimeField(_("earned"))
    matures_at = models.DateTimeField(_("available from"), null=True)
    expires_at = models.DateTimeField(_("expires"), null=True)
    moved_from = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        verbose_name = _("lot")
        verbose_name_plural = _("lots")
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="lot_amount")]
        indexes = [models.Index(fields=["organization", "moved_from"], name="lot_moved_from", condition=Q(moved_from__isnull=False))]

    def __str__(self) -> str:
        return f"#{self.pk}"


class LotRemainder(BulkTenantModel):
    """What a lot's postings add up to: what can be spent and what is pending. Its dates are copies for one index.

    The index asks for ``is_open`` and not for the amounts, so that it has to be written only when nothing is left.
    """

    lot = models.OneToOneField(Lot, on_delete=models.PROTECT, primary_key=True, related_name="remainder", db_constraint=False)
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    available = models.BigIntegerField(default=0)
    pending = models.BigIntegerField(default=0)
    is_open = models.GeneratedField(
        expression=Q(available__gt=0) | Q(pending__gt=0),  # type: ignore[arg-type]  # a Q is an expression here
        output_field=models.BooleanField(),
        db_persist=True,
    )
    earned_at = models.DateTimeField()
    matures_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(available__gte=0, pending__gte=0), name="remainder_not_negative")]
        indexes = [
            models.Index(
                fields=["organization", "member", "expires_at", "earned_at", "lot"],
                name="remainder_spending_order",
                condition=Q(is_open=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.available}"


class Posting(BulkTenantModel):
    """A leg of an entry: points that came to an account (positive) or left it."""

    entry = models.ForeignKey(Entry, on_delete=models.PROTECT, related_name="postings", db_index=False, db_constraint=False)
    account = models.CharField(_("account"), max_length=10, choices=[(account.value, account.value) for account in Account])
    lot = models.ForeignKey(Lot, on_delete=models.PROTECT, null=True, related_name="postings", db_index=False, db_constraint=False)
    amount = models.BigIntegerField(_("points"))

    class Meta:
        verbose_name = _("posting")
        verbose_name_plural = _("postings")
        ordering = ["id"]
        constraints = [models.CheckConstraint(condition=~Q(amount=0), name="posting_amount")]
        indexes = [
            models.Index(fields=["organization", "entry"], name="posting_entry"),
            models.Index(fields=["organization", "lot"], name="posting_lot", condition=Q(lot__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.amount:+}"
