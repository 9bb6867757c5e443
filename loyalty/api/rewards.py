"""Rewards and vouchers over the API."""

from typing import Any

import django_filters
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.errors import CONTENT_TYPE
from accounts.api.filters import FlagFilter, IdFilter
from accounts.api.schema import ProblemSerializer
from accounts.api.views import ApiViewSet
from accounts.permissions import Access, Permission
from loyalty.actions.catalogue import change_reward, create_reward
from loyalty.actions.vouchers import undo_use, use_voucher
from loyalty.api.conflicts import OF_VOUCHERS
from loyalty.api.inputs import NewRewardInput, RewardInput, UseVoucherInput, VoucherInput
from loyalty.api.keys import KeyedViewSet
from loyalty.api.outputs import RewardOutput, VoucherOutput
from loyalty.api.refusing import refusals_told
from loyalty.models import Reward, Voucher
from loyalty.queries.vouchers import find_voucher

UNKNOWN = {(404, CONTENT_TYPE): ProblemSerializer}


class RewardFilter(django_filters.FilterSet):
    program = IdFilter("program_id")
    is_active = FlagFilter("is_active")

    class Meta:
        model = Reward
        fields: list[str] = []


class RewardViewSet(ApiViewSet):
    """What points buy."""

    queryset = Reward.objects.all()
    serializer_class = RewardOutput
    filterset_class = RewardFilter
    permissions = {
        "list": Permission.LOYALTY_VIEW,
        "retrieve": Permission.LOYALTY_VIEW,
        "create": Permission.LOYALTY_CHANGE,
        "partial_update": Permission.LOYALTY_CHANGE,
    }

    @extend_schema(summary="List rewards", description="Newest first.", responses=RewardOutput(many=True))
    def list(self, request: Request) -> Response:
        return self.listed(RewardOutput)

    @extend_schema(summary="Show a reward", responses=RewardOutput)
    def retrieve(self, request: Request, pk: int) -> Response:
        return self.rendered(RewardOutput, self.found(pk))

    @extend_schema(
        summary="Put a reward into a catalogue",
        description="A picture is uploaded on its page, or named by `picture_url`.",
        request=NewRewardInput,
        responses={201: RewardOutput},
    )
    def create(self, request: Request) -> Response:
        return self.created(RewardOutput, create_reward(actor=self.actor, **self.parsed(NewRewardInput)))

    @extend_schema(
        summary="Change a reward",
        description="Vouchers keep the price they were issued at.",
        request=RewardInput,
        responses=RewardOutput,
    )
    def partial_update(self, request: Request, pk: int) -> Response:
        reward, values = self.found(pk), self.parsed(RewardInput, partial=True)
        return self.rendered(RewardOutput, change_reward(reward=reward, actor=self.actor, **values))


class VoucherFilter(django_filters.FilterSet):
    member = IdFilter("member_id")
    reward = IdFilter("reward_id")

    class Meta:
        model = Voucher
        fields: list[str] = []


class VoucherViewSet(KeyedViewSet):
    """Vouchers of rewards, each used exactly once."""

    queryset = Voucher.objects.all()
    serializer_class = VoucherOutput
    conflicts = OF_VOUCHERS
    filterset_class = VoucherFilter
    permissions = {
        "list": Permission.LOYALTY_VIEW,
        "retrieve": Permission.LOYALTY_VIEW,
        "look_up": Permission.LOYALTY_VIEW,
        "use": Permission.POINTS_CHANGE,
        "undo": Permission.POINTS_CHANGE,
    }
    keyed = frozenset({"use", "undo"})

    def get_serializer_context(self) -> dict[str, Any]:
        # Whoever reads a code can use the voucher: it is shown to those who may.
        is_asked = isinstance(self.request.auth, Access) if self.request else False
        return {**super().get_serializer_context(), "hides_codes": is_asked and not self.access.allows(Permission.POINTS_CHANGE)}

    @extend_schema(
        summary="List vouchers", description="Newest first. Codes are shown to those who may use them.", responses=VoucherOutput(many=True)
    )
    def list(self, request: Request) -> Response:
        return self.listed(VoucherOutput)

    @extend_schema(summary="Show a voucher", responses=VoucherOutput)
    def retrieve(self, request: Request, pk: int) -> Response:
        return self.rendered(VoucherOutput, self.found(pk))

    @extend_schema(
        summary="Find a voucher by its code",
        description="However it was typed. In the body, since codes are worth money and addresses are logged.",
        request=VoucherInput,
        responses={200: VoucherOutput, **UNKNOWN},
    )
    @action(detail=False, methods=["post"], url_path="lookup")
    def look_up(self, request: Request) -> Response:
        voucher = find_voucher(self.parsed(VoucherInput)["code"])
        if voucher is None:
            raise Http404
        return self.rendered(VoucherOutput, voucher)

    @extend_schema(
        summary="Use a voucher",
        description="Of two tills at once one succeeds.",
        request=UseVoucherInput,
        responses={200: VoucherOutput, **UNKNOWN},
    )
    @action(detail=False, methods=["post"])
    def use(self, request: Request) -> Response:
        values = self.parsed(UseVoucherInput)
        location = values.get("location")
        with refusals_told():
            voucher = use_voucher(
                code=values["code"],
                key=self.ledger_key,
                now=self.now,
                actor=self.actor,
                location_id=location.pk if location else None,
                paid_minor=values["paid_minor"],
            )
        return self.rendered(VoucherOutput, voucher)

    @extend_schema(
        summary="Undo the use of a voucher",
        description="It can be used again, unless it has expired meanwhile.",
        request=VoucherInput,
        responses={200: VoucherOutput, **UNKNOWN},
    )
    @action(detail=False, methods=["post"])
    def undo(self, request: Request) -> Response:
        with refusals_told():
            voucher = undo_use(code=self.parsed(VoucherInput)["code"], key=self.ledger_key, now=self.now, actor=self.actor)
        return self.rendered(VoucherOutput, voucher)
