"""Conflicts of loyalty that say how things stand, for the document."""

from rest_framework import serializers

from accounts.api.schema import ConflictSerializer, WrongKindProblemSerializer
from loyalty.models import HoldState, VoucherState
from loyalty.rules.rewards import Refusal


class InsufficientPointsProblemSerializer(ConflictSerializer):
    codes = ("insufficient_points",)
    wanted = serializers.IntegerField()
    available = serializers.IntegerField()


class RewardRefusedProblemSerializer(ConflictSerializer):
    codes = ("reward_refused",)
    reason = serializers.ChoiceField(choices=[(str(reason), str(reason)) for reason in Refusal])


class VoucherNotOpenProblemSerializer(ConflictSerializer):
    codes = ("voucher_not_open",)
    state = serializers.ChoiceField(choices=VoucherState.choices)


class HoldResolvedProblemSerializer(ConflictSerializer):
    codes = ("hold_resolved",)
    state = serializers.ChoiceField(choices=[choice for choice in HoldState.choices if choice[0] != HoldState.OPEN])


class CashDueProblemSerializer(ConflictSerializer):
    codes = ("cash_due",)
    due_minor = serializers.IntegerField(help_text="What has to be paid with the voucher.")


OF_POINTS = (InsufficientPointsProblemSerializer, RewardRefusedProblemSerializer, VoucherNotOpenProblemSerializer)
OF_VOUCHERS = (VoucherNotOpenProblemSerializer, CashDueProblemSerializer)
OF_TILLS = (*OF_POINTS, HoldResolvedProblemSerializer, WrongKindProblemSerializer)
