"""Stamp cards over the API: what programs offer, and what was stamped by hand."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.filters import FlagFilter, IdFilter
from accounts.api.schema import PATH_ID
from accounts.api.views import ApiViewSet
from accounts.permissions import Permission
from loyalty.actions.counter import take_stamps_at_counter
from loyalty.actions.stamps import change_stamp_card, create_stamp_card
from loyalty.api.inputs import NewStampCardInput, StampCardInput
from loyalty.api.members import MEMBER_PATH, OfMemberViewSet, role_of
from loyalty.api.outputs import HandStampOutput, StampCardOutput, StampedOutput
from loyalty.api.refusing import refusals_told, stamp_refusals_told
from loyalty.models import Stamp, StampCard
from loyalty.queries.stamps import card_of, ever_stamped_by_hand, stamps_by_hand

STAMP_PATH = OpenApiParameter("stamp_id", PATH_ID, OpenApiParameter.PATH)


class StampCardFilter(django_filters.FilterSet):
    program = IdFilter("program_id")
    is_active = FlagFilter("is_active")

    class Meta:
        model = StampCard
        fields: list[str] = []


class StampCardViewSet(ApiViewSet):
    """Cards that give a reward when they are full."""

    queryset = StampCard.objects.all()
    serializer_class = StampCardOutput
    filterset_class = StampCardFilter
    permissions = {
        "list": Permission.LOYALTY_VIEW,
        "retrieve": Permission.LOYALTY_VIEW,
        "create": Permission.LOYALTY_CHANGE,
        "partial_update": Permission.LOYALTY_CHANGE,
    }

    @extend_schema(summary="List stamp cards", description="Newest first.", responses=StampCardOutput(many=True))
    def list(self, request: Request) -> Response:
        return self.listed(StampCardOutput)

    @extend_schema(summary="Show a stamp card", responses=StampCardOutput)
    def retrieve(self, request: Request, pk: int) -> Response:
        return self.rendered(StampCardOutput, self.found(pk))

    @extend_schema(summary="Offer a stamp card", request=NewStampCardInput, responses={201: StampCardOutput})
    def create(self, request: Request) -> Response:
        return self.created(StampCardOutput, create_stamp_card(actor=self.actor, **self.parsed(NewStampCardInput)))

    @extend_schema(
        summary="Change a stamp card",
        description="409 where members have stamps that it would make worth something else.",
        request=StampCardInput,
        responses=StampCardOutput,
    )
    def partial_update(self, request: Request, pk: int) -> Response:
        card, values = self.found(pk), self.parsed(StampCardInput, partial=True)
        with stamp_refusals_told():
            return self.rendered(StampCardOutput, change_stamp_card(card=card, actor=self.actor, **values))


class HandStampFilter(django_filters.FilterSet):
    card = IdFilter("member_card__card_id")

    class Meta:
        model = Stamp
        fields: list[str] = []


@extend_schema(parameters=[MEMBER_PATH])
class HandStampViewSet(OfMemberViewSet):
    """What was stamped by hand on a member's cards."""

    queryset = Stamp.objects.all()
    serializer_class = HandStampOutput
    filterset_class = HandStampFilter
    lookup_field, lookup_url_kwarg = "pk", "stamp_id"
    bodiless = frozenset({"undo"})
    permissions = {"list": Permission.LOYALTY_VIEW, "undo": Permission.POINTS_CHANGE}

    @extend_schema(
        summary="List what was stamped by hand",
        description="Latest first; what was taken back is not there any more.",
        responses=HandStampOutput(many=True),
    )
    def list(self, request: Request, member_id: int) -> Response:
        return self.listed(HandStampOutput, self._given())

    @extend_schema(
        summary="Take back what was stamped by hand",
        description="With the voucher that it filled a card for, unless that was used. Doing it again changes nothing.",
        parameters=[STAMP_PATH],
        request=None,
        responses={200: StampedOutput},
    )
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, member_id: int, stamp_id: int) -> Response:
        member, stamp = self.member.holder, get_object_or_404(ever_stamped_by_hand(self.member), pk=stamp_id)
        card = stamp.member_card.card
        with refusals_told():
            take_stamps_at_counter(member=member, stamp=stamp, now=self.now, actor=self.actor, role=role_of(self.access))
        stamp.refresh_from_db(fields=["count"])
        return self.rendered(StampedOutput, {"stamp": stamp, "card": card_of(member, card, now=self.now)})

    def _given(self) -> QuerySet[Any]:
        return stamps_by_hand(self.member)
