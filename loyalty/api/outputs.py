"""What loyalty's part of the API answers."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from accounts.api.fields import MomentField, Output
from crm.api.serializers import PurchaseAnswerOutput
from loyalty.models import (
    EntryKind,
    Hold,
    LotRemainder,
    Member,
    Program,
    Referral,
    Reward,
    Stamp,
    StampCard,
    Terms,
    TillOperation,
    Voucher,
    Wallet,
)


class ProgramOutput(Output):
    class Meta:
        model = Program
        exclude = ("organization", "draft")


class TermsOutput(Output):
    document = serializers.DictField(read_only=True)

    class Meta:
        model = Terms
        exclude = ("organization",)


class ProgramWithTermsOutput(ProgramOutput):
    terms = TermsOutput(read_only=True, allow_null=True, source="in_force", help_text=_("Those in force now."))


class TermsOutcomeOutput(serializers.Serializer[Any]):
    points = serializers.IntegerField()
    cost_minor = serializers.IntegerField(help_text=_("What they are worth, as far as they are expected to be redeemed."))


class SimulationOutput(serializers.Serializer[Any]):
    """The terms in force and others on the same history."""

    members = serializers.IntegerField(help_text=_("Those who were counted: an even sample where there are very many."))
    members_in_all = serializers.IntegerField()
    before = TermsOutcomeOutput()
    after = TermsOutcomeOutput()
    winners = serializers.IntegerField()
    losers = serializers.IntegerField()
    unchanged = serializers.IntegerField()


class ReferralFiguresOutput(serializers.Serializer[Any]):
    """Referrals by where they stand, each in one place."""

    invited = serializers.IntegerField()
    joined = serializers.IntegerField()
    qualified = serializers.IntegerField()
    rewarded = serializers.IntegerField()
    rejected = serializers.DictField(child=serializers.IntegerField(), help_text=_("How many by reason."))
    flagged = serializers.IntegerField()
    points = serializers.IntegerField(help_text=_("What they cost."))
    revenue_minor = serializers.IntegerField(help_text=_("What the referred bought since they came, less what they gave back."))


class PeriodOutput(serializers.Serializer[Any]):
    starts_on = serializers.DateField()
    opening = serializers.IntegerField()
    issued = serializers.IntegerField()
    redeemed = serializers.IntegerField()
    expired = serializers.IntegerField()
    reversed = serializers.IntegerField()
    closing = serializers.IntegerField()
    deferred_minor = serializers.IntegerField(
        help_text=_("What of the month's sales belongs to the points that came with them, less what refunds took back of it in the month.")
    )


class LiabilityOutput(serializers.Serializer[Any]):
    outstanding = serializers.IntegerField(help_text=_("Points that members have or will have, less their debts."))
    months = PeriodOutput(many=True)


class WalletOutput(Output):
    class Meta:
        model = Wallet
        fields = ("balance", "held", "pending", "debt", "updated_at")


class MemberOutput(Output):
    wallet = WalletOutput(read_only=True, help_text=_("As of the last entry."))

    class Meta:
        model = Member
        exclude = ("organization",)


class FoundMemberOutput(MemberOutput):
    name = serializers.CharField(source="customer.name", read_only=True)


class MembersFoundOutput(serializers.Serializer[Any]):
    members = FoundMemberOutput(many=True)


class EntryOutput(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="entry.pk")
    sequence = serializers.IntegerField(source="entry.sequence")
    kind = serializers.ChoiceField(choices=EntryKind.choices, source="entry.kind")
    points = serializers.IntegerField(source="entry.amount", help_text=_("What the entry is about, never negative."))
    occurred_at = MomentField(source="entry.occurred_at")
    recorded_at = MomentField(source="entry.recorded_at")
    purchase = serializers.IntegerField(source="entry.purchase_id", allow_null=True)
    hold = serializers.IntegerField(source="entry.hold_id", allow_null=True)
    origin = serializers.IntegerField(source="entry.origin_id", allow_null=True, help_text=_("The entry that this one undoes or answers."))
    reason = serializers.CharField(source="entry.reason")
    actor = serializers.CharField(source="entry.actor_label")
    wallet = serializers.IntegerField(help_text=_("What it did to the points that can be spent."))
    pending = serializers.IntegerField()
    held = serializers.IntegerField()
    debt = serializers.IntegerField()
    balance = serializers.IntegerField(help_text=_("What could be spent after it."))


class LotOutput(Output):
    id = serializers.IntegerField(source="lot_id", read_only=True, help_text=_("That of the entry it came in by."))

    class Meta:
        model = LotRemainder
        fields = ("id", "available", "pending", "earned_at", "matures_at", "expires_at")


class ReceiptOutput(serializers.Serializer[Any]):
    """An entry that was posted, and the wallet after it."""

    entry = serializers.IntegerField(source="entry_id")
    balance = serializers.IntegerField()
    held = serializers.IntegerField()
    pending = serializers.IntegerField()
    debt = serializers.IntegerField()


class RewardOutput(Output):
    tiers = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Reward
        exclude = ("organization", "picture")


class OfferedOutput(serializers.Serializer[Any]):
    """A reward as a member sees it."""

    reward = RewardOutput()
    can_be_redeemed = serializers.BooleanField()
    refusal = serializers.CharField(allow_null=True, help_text=_("Why the member cannot have it, whatever their points."))
    missing = serializers.IntegerField(help_text=_("Points that the member lacks."))


class OffersOutput(serializers.Serializer[Any]):
    rewards = OfferedOutput(many=True)


class VoucherOutput(Output):
    code = serializers.CharField(read_only=True, allow_null=True)

    class Meta:
        model = Voucher
        exclude = ("organization", "used_key", "undone_key")

    def to_representation(self, instance: Voucher) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(instance)
        return shown | {"code": None} if self.context.get("hides_codes") else shown


class RewardReceiptOutput(serializers.Serializer[Any]):
    receipt = ReceiptOutput()
    voucher = VoucherOutput()


class StampCardOutput(Output):
    products = serializers.ListField(child=serializers.CharField(), read_only=True)
    categories = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = StampCard
        exclude = ("organization",)


class CardOfMemberOutput(serializers.Serializer[Any]):
    """Where a member's card stands."""

    card = serializers.IntegerField(source="card.pk")
    name = serializers.CharField(source="card.name")
    reward = serializers.IntegerField(source="card.reward_id")
    size = serializers.IntegerField(source="standing.size")
    stamps = serializers.IntegerField(source="standing.stamps")
    owed = serializers.IntegerField(source="standing.owed", help_text=_("Stamps that were lost after the card's voucher had been used."))
    filled = serializers.IntegerField(help_text=_("How often it was full and gave a voucher."))
    takes_stamps = serializers.BooleanField()


class CardsOfMemberOutput(serializers.Serializer[Any]):
    cards = CardOfMemberOutput(many=True)


class HandStampOutput(Output):
    card = serializers.IntegerField(source="member_card.card_id", read_only=True)

    class Meta:
        model = Stamp
        fields = ("id", "card", "count", "stamped_at")


class StampedOutput(serializers.Serializer[Any]):
    stamp = HandStampOutput(help_text=_("Its count is 0 once it is taken back."))
    card = CardOfMemberOutput()


class FriendsOutput(serializers.Serializer[Any]):
    """The code that a member passes on, and what it came to; who came by it is not told."""

    code = serializers.CharField(allow_null=True)
    join_url = serializers.CharField(allow_null=True, help_text=_("Where a friend joins."))
    invited = serializers.IntegerField(source="referred.invited")
    came = serializers.IntegerField()
    bought = serializers.IntegerField()
    earned = serializers.IntegerField(source="earned_by_friends", help_text=_("Points that they brought the member."))
    points = serializers.IntegerField(source="referred.points", help_text=_("What they cost."))
    revenue_minor = serializers.IntegerField(
        source="referred.revenue_minor", help_text=_("What the referred bought since they came, less what they gave back.")
    )


class ReferralOutput(Output):
    class Meta:
        model = Referral
        fields = ("id", "program", "customer", "state", "rejection", "joined_at")


class BenefitOutput(serializers.Serializer[Any]):
    kind = serializers.CharField()
    value = serializers.IntegerField()
    text = serializers.CharField()


class LevelOutput(serializers.Serializer[Any]):
    key = serializers.CharField()
    name = serializers.CharField()
    percent = serializers.IntegerField(help_text=_("What is earned is multiplied by it."))
    benefits = BenefitOutput(many=True)


class QuoteOutput(serializers.Serializer[Any]):
    """What a cart would bring a member, and what their points can do for it."""

    member = serializers.IntegerField(source="member.pk")
    total_minor = serializers.IntegerField()
    earned = serializers.IntegerField()
    rules = serializers.DictField(child=serializers.IntegerField(), help_text=_("Points by the key of the rule that would earn them."))
    spendable = serializers.IntegerField()
    redeemable = serializers.IntegerField(help_text=_("The most points that this cart can be paid with."))
    missing = serializers.IntegerField(help_text=_("How many more it takes before any can pay."))
    worth_minor = serializers.IntegerField(help_text=_("What they pay."))
    paid_minor = serializers.IntegerField(help_text=_("What the points that were asked about pay."))
    rewards = OfferedOutput(many=True)
    tier = LevelOutput(source="level", allow_null=True)


class HoldOutput(Output):
    class Meta:
        model = Hold
        exclude = ("organization",)


class HeldOutput(serializers.Serializer[Any]):
    hold = HoldOutput()
    receipt = ReceiptOutput()


class PaidOutput(serializers.Serializer[Any]):
    points = serializers.IntegerField()
    paid_minor = serializers.IntegerField(source="minor")
    entry = serializers.IntegerField(source="receipt.entry_id")


class SoldOutput(serializers.Serializer[Any]):
    """A sale, the points that paid for it, and the member's wallet after all of it."""

    purchase = PurchaseAnswerOutput()
    paid = PaidOutput(allow_null=True)
    wallet = WalletOutput(allow_null=True)


class RefundedOutput(serializers.Serializer[Any]):
    """A refund: the receipt with the money to be paid back, and the points that were given back."""

    refund = PurchaseAnswerOutput()
    restored = serializers.IntegerField(help_text=_("Points that had paid for it and were given back."))


class OperationOutput(Output):
    """What became of an operation: its answer is that of the request it stands for, or the problem it was refused with."""

    till = serializers.CharField(source="till.code", read_only=True)
    body = serializers.DictField(read_only=True)
    answer = serializers.DictField(read_only=True, allow_null=True)

    class Meta:
        model = TillOperation
        exclude = ("organization", "body_hash")


class OutcomeOutput(serializers.Serializer[Any]):
    sequence = serializers.IntegerField()
    status = serializers.IntegerField(
        help_text=_("200 applied, 202 waiting for an earlier one, 409 its number or key was used for another.")
    )
    operation = OperationOutput(allow_null=True)


class DeliveredOutput(serializers.Serializer[Any]):
    next_sequence = serializers.IntegerField(help_text=_("The number that is awaited."))
    operations = OutcomeOutput(many=True)
