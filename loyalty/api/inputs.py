"""What loyalty's part of the API is asked."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.fields import BoundedListField, Input, MomentField, MoneyField, PastMomentField, ReferenceField
from accounts.api.parsing import MAX_INTEGER
from crm.actions import NewLine
from crm.actions.purchases import MAX_LINES
from crm.api.fields import AtLocation, OfCustomer, require_customer
from crm.api.serializers import LineInput, PurchaseInput
from crm.models import Purchase
from loyalty.actions.stamps import MOST_BY_HAND
from loyalty.models import Hold, LimitPeriod, Member, Program, Reward, RewardKind, StampCard, StampedFor
from loyalty.queries.members import member_number
from loyalty.rules.postings import MAX_POINTS

MAX_HOLD_MINUTES = 24 * 60
MAX_COUNT = 10**9
MAX_VOUCHER_DAYS = 36_500
MAX_NAMED = 200
MAX_STAMPS = 100
OPERATION_KINDS = ("sale", "refund", "hold", "capture", "release", "redeem", "undo", "reward", "voucher")


class PointsField(serializers.IntegerField):
    def __init__(self, *, smallest: int = 1, **options: Any) -> None:
        super().__init__(min_value=smallest, max_value=MAX_POINTS, **options)


class EntryIdField(serializers.IntegerField):
    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=MAX_INTEGER, **options)


@extend_schema_field(OpenApiTypes.INT64)
class MemberField(ReferenceField):
    def __init__(self, **options: Any) -> None:
        super().__init__(queryset=Member.objects.select_related("program", "customer"), **options)


@extend_schema_field(OpenApiTypes.INT64)
class ProgramField(ReferenceField):
    def __init__(self, **options: Any) -> None:
        super().__init__(queryset=Program.objects.all(), **options)


@extend_schema_field(OpenApiTypes.INT64)
class RewardField(ReferenceField):
    def __init__(self, **options: Any) -> None:
        super().__init__(queryset=Reward.objects.all(), **options)


@extend_schema_field(OpenApiTypes.INT64)
class StampCardField(ReferenceField):
    def __init__(self, **options: Any) -> None:
        super().__init__(queryset=StampCard.objects.select_related("reward"), **options)


@extend_schema_field(OpenApiTypes.INT64)
class PurchaseField(ReferenceField):
    """A receipt of the caller's locations."""

    def __init__(self, **options: Any) -> None:
        super().__init__(queryset=Purchase.objects.all(), **options)

    def get_queryset(self) -> Any:
        limits = self.context["view"].access.location_ids
        rows = super().get_queryset()
        return rows if rows is None or limits is None else rows.filter(location__in=limits)


class MaybeOfMember(Input):
    """Something of a member, named by our id or by the number on their card.

    It is asked of whoever has now what the named card had: customers whose records became one go on showing the old card.
    """

    member = MemberField(required=False, allow_null=True)
    member_number = serializers.CharField(required=False, max_length=40, help_text=_("Instead of member: the number on the card."))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if (number := attrs.pop("member_number", None)) is not None:
            if attrs.get("member") is not None:
                raise serializers.ValidationError({"member_number": [_("Name the member in one way.")]}, code="ambiguous")
            attrs["member"] = Member.objects.select_related("program", "customer").filter(number=member_number(number)).first()
            if attrs["member"] is None:
                raise serializers.ValidationError({"member_number": [_("There is no such member.")]}, code="does_not_exist")
        if member := attrs.get("member"):
            attrs["member"] = member.holder
        return attrs


class OfMember(MaybeOfMember):
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if attrs.get("member") is None:
            raise serializers.ValidationError({"member": [_("Name the member.")]}, code="required")
        return attrs


class EnrolInput(OfCustomer):
    program = ProgramField()
    joined_at = PastMomentField(required=False, help_text=_("Now, when left out."))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return require_customer(super().validate(attrs))


class LookUpInput(Input):
    text = serializers.CharField(
        min_length=3, max_length=200, help_text=_("The number on the card, else the beginning of a phone, an e-mail address or a name.")
    )
    program = ProgramField(required=False)


class ProgramInput(Input):
    name = serializers.CharField(max_length=120, help_text=_("It stands on the members' cards."))
    slug = serializers.SlugField(max_length=60, required=False, help_text=_("Made of the name, when left out."))
    points_name = serializers.CharField(max_length=40, required=False, help_text=_("What a point is called."))


class TermsInput(Input):
    document = serializers.JSONField(help_text=_("Its JSON schema is at `/api/v1/programs/schema/`."))


class NewTermsInput(TermsInput):
    valid_from = MomentField(required=False, help_text=_("Now, when left out."))


class WithinTimes(Input):
    """Something that is offered from one moment until another."""

    valid_from = MomentField(required=False, allow_null=True)
    valid_until = MomentField(required=False, allow_null=True, help_text=_("The first moment at which it is over."))
    is_active = serializers.BooleanField(required=False)


class RewardInput(WithinTimes):
    name = serializers.CharField(max_length=120)
    description = serializers.CharField(max_length=2_000, required=False, allow_blank=True)
    picture_url = serializers.URLField(max_length=200, required=False, allow_blank=True)
    kind = serializers.ChoiceField(choices=RewardKind.choices, required=False)
    points = PointsField(smallest=0, help_text=_("0: it cannot be bought with points, only given by a full stamp card."))
    cash_minor = MoneyField(smallest=0, required=False, help_text=_("Money to be paid beside the points."))
    stock = serializers.IntegerField(
        min_value=0, max_value=MAX_COUNT, required=False, allow_null=True, help_text=_("How many there are in all. Empty: no limit.")
    )
    limit_per_member = serializers.IntegerField(min_value=1, max_value=MAX_COUNT, required=False, allow_null=True)
    limit_per_period = serializers.IntegerField(min_value=1, max_value=MAX_COUNT, required=False, allow_null=True)
    limit_period = serializers.ChoiceField(choices=LimitPeriod.choices, required=False)
    tiers = BoundedListField(
        child=serializers.CharField(max_length=40), max_length=MAX_NAMED, required=False, help_text=_("Empty: for members of every tier.")
    )
    voucher_days = serializers.IntegerField(
        min_value=0,
        max_value=MAX_VOUCHER_DAYS,
        required=False,
        allow_null=True,
        help_text=_("To the end of the last of these days. Empty: vouchers never expire."),
    )


class NewRewardInput(RewardInput):
    program = ProgramField()


class StampCardInput(WithinTimes):
    """What decides how many stamps somebody has stays once a member has some."""

    name = serializers.CharField(max_length=120)
    reward = RewardField(help_text=_("What a full card gives."))
    size = serializers.IntegerField(min_value=1, max_value=MAX_STAMPS, required=False)
    stamped_for = serializers.ChoiceField(choices=StampedFor.choices, required=False)
    products = BoundedListField(child=serializers.CharField(max_length=60), max_length=MAX_NAMED, required=False)
    categories = BoundedListField(child=serializers.CharField(max_length=80), max_length=MAX_NAMED, required=False)
    least_minor = MoneyField(smallest=0, required=False, help_text=_("Purchases below it get no stamp."))


class NewStampCardInput(StampCardInput):
    program = ProgramField()


class StampInput(Input):
    card = StampCardField()
    count = serializers.IntegerField(min_value=1, max_value=MOST_BY_HAND, default=1)


class CameByInput(OfCustomer):
    code = serializers.CharField(max_length=40, help_text=_("However it was typed."))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return require_customer(super().validate(attrs))


class GiveInput(Input):
    points = PointsField()
    reason = serializers.CharField(max_length=200)


class RedeemInput(Input):
    points = PointsField()
    reason = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class UndoInput(Input):
    entry = EntryIdField(help_text=_("A redemption, points that were taken, or points that were given and not touched since."))


class RedeemRewardInput(Input):
    reward = RewardField()
    reason = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class RedeemOfMemberInput(OfMember, RedeemInput):
    pass


class RewardOfMemberInput(OfMember, RedeemRewardInput):
    pass


class MemberUndoInput(OfMember):
    entry = EntryIdField(help_text=_("The redemption."))
    points = PointsField(required=False, help_text=_("All that is left of it, when left out."))


class VoucherInput(Input):
    code = serializers.CharField(max_length=40)


class UseVoucherInput(VoucherInput, AtLocation):
    paid_minor = MoneyField(smallest=0, required=False, default=0, help_text=_("What was paid with it."))


class CartInput(OfMember, AtLocation):
    """What somebody is about to buy."""

    lines: serializers.ListSerializer[Any] = serializers.ListSerializer(child=LineInput(), min_length=1, max_length=MAX_LINES)
    points = PointsField(smallest=0, required=False, default=0, help_text=_("What they think of spending."))
    purchased_at = PastMomentField(required=False, help_text=_("Now, when left out."))


class HoldInput(OfMember):
    """Points, or a reward with its points, to be reserved."""

    points = PointsField(required=False)
    reward = RewardField(required=False)
    minutes = serializers.IntegerField(min_value=1, max_value=MAX_HOLD_MINUTES, default=15, help_text=_("After them the hold lapses."))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("points" in attrs) == ("reward" in attrs):
            raise serializers.ValidationError({"points": [_("Give either points or a reward.")]}, code="ambiguous")
        return super().validate(attrs)


@extend_schema_field(OpenApiTypes.INT64)
class HoldField(ReferenceField):
    def __init__(self, **options: Any) -> None:
        super().__init__(queryset=Hold.objects.all(), **options)


class OfHoldInput(Input):
    hold = HoldField()


class CaptureInput(Input):
    points = PointsField(required=False, help_text=_("All that is held, when left out; the rest returns."))


class PartOfHoldInput(OfHoldInput, CaptureInput):
    pass


class SaleInput(MaybeOfMember, PurchaseInput):
    """A receipt, and the points that pay for a part of it."""

    points = PointsField(smallest=0, required=False, default=0, help_text=_("Points that pay; of the hold where one is named."))
    hold = EntryIdField(required=False, help_text=_("To be captured."))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if attrs.get("member") and attrs.get("customer"):
            raise serializers.ValidationError({"customer": [_("Name the member or the customer.")]}, code="ambiguous")
        if (attrs["points"] or attrs.get("hold")) and not attrs.get("member"):
            raise serializers.ValidationError({"member": [_("Name the member.")]}, code="required")
        attrs["lines"] = [NewLine(**line) for line in attrs["lines"]]
        return attrs


class BackInput(Input):
    line = serializers.IntegerField(min_value=1, max_value=MAX_LINES, help_text=_("The line's place in the sale, from 1."))
    quantity = serializers.IntegerField(min_value=1, max_value=1_000_000, default=1)


class TillRefundInput(Input):
    """Goods of a sale that come back: by lines, by an amount, or both."""

    purchase = PurchaseField(required=False)
    purchase_number = serializers.CharField(required=False, max_length=60, help_text=_("Instead of purchase: its receipt number."))
    lines: serializers.ListSerializer[Any] = serializers.ListSerializer(child=BackInput(), max_length=MAX_LINES, required=False)
    amount_minor = MoneyField(smallest=0, required=False, default=0, help_text=_("Of goods whose lines are not named."))
    points = PointsField(smallest=0, required=False, help_text=_("To be given back; in proportion to the goods, when left out."))
    number = serializers.CharField(required=False, allow_blank=True, max_length=60)
    refunded_at = PastMomentField(required=False, help_text=_("Now, when left out."))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if (number := attrs.pop("purchase_number", None)) is not None and "purchase" not in attrs:
            field = PurchaseField()
            field.bind("purchase", self)
            attrs["purchase"] = field.get_queryset().filter(number=number).first() if number else None
        if attrs.get("purchase") is None:
            raise serializers.ValidationError({"purchase": [_("There is no such sale.")]}, code="does_not_exist")
        if not attrs.get("lines") and not attrs["amount_minor"]:
            raise serializers.ValidationError({"lines": [_("Say what comes back.")]}, code="required")
        return attrs


MAX_OPERATIONS = 200


class OperationInput(Input):
    """One thing a till did. Its body is that of the request it stands for."""

    sequence = serializers.IntegerField(min_value=1, max_value=MAX_INTEGER, help_text=_("The till's own number: 1, 2, 3 and so on."))
    key = serializers.CharField(max_length=120, help_text=_("Of the till's own; another one for each operation."))
    kind = serializers.ChoiceField(choices=OPERATION_KINDS)
    occurred_at = PastMomentField()
    body = serializers.DictField(
        help_text=_("May name what an earlier operation brought: purchase_sequence, hold_sequence or entry_sequence, with its number.")
    )


class OperationsInput(Input):
    till = serializers.RegexField(r"^[A-Za-z0-9._-]+$", max_length=60)
    operations: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=OperationInput(), min_length=1, max_length=MAX_OPERATIONS
    )
