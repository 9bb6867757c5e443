"""Members over the API: found, enrolled, their points told and moved."""

from collections.abc import Callable
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.filters import IdFilter, TextFilter
from accounts.api.schema import PATH_ID
from accounts.api.views import ApiViewSet
from accounts.models import Role
from accounts.permissions import Access, Permission
from loyalty.actions.counter import give_points, redeem_at_counter, stamp_at_counter, take_points, undo_at_counter
from loyalty.actions.members import enrol_member
from loyalty.actions.referrals import code_of
from loyalty.actions.rewards import redeem_reward
from loyalty.api.conflicts import OF_POINTS
from loyalty.api.inputs import EnrolInput, GiveInput, LookUpInput, RedeemInput, RedeemRewardInput, StampInput, UndoInput
from loyalty.api.keys import KeyedViewSet
from loyalty.api.outputs import (
    CardsOfMemberOutput,
    EntryOutput,
    FriendsOutput,
    LotOutput,
    MemberOutput,
    MembersFoundOutput,
    OffersOutput,
    ReceiptOutput,
    RewardReceiptOutput,
    StampedOutput,
)
from loyalty.api.refusing import refusals_told, stamp_refusals_told
from loyalty.ledger.posting import Receipt
from loyalty.models import Entry, LotRemainder, Member
from loyalty.queries.members import MEMBERS_SHOWN, find_members, history, history_lines, member_number
from loyalty.queries.rewards import catalogue_for
from loyalty.queries.stamps import card_of, cards_of, stamp_by_hand
from loyalty.referring import referral_block

VIEW, CHANGE = Permission.LOYALTY_VIEW, Permission.POINTS_CHANGE
MEMBER_PATH = OpenApiParameter("member_id", PATH_ID, OpenApiParameter.PATH)


class MemberFilter(django_filters.FilterSet):
    customer = IdFilter("customer_id")
    program = IdFilter("program_id")
    tier = TextFilter("tier", max_length=40)
    number = TextFilter("number", method="numbered", max_length=40, help_text=_("However it was typed."))

    class Meta:
        model = Member
        fields: list[str] = []

    def numbered(self, rows: QuerySet[Member], name: str, value: str) -> QuerySet[Member]:
        return rows.filter(number=member_number(value))


class MemberViewSet(KeyedViewSet):
    """Customers in loyalty programs, and their points."""

    queryset = Member.objects.all()
    serializer_class = MemberOutput
    conflicts = OF_POINTS
    filterset_class = MemberFilter
    bodiless = frozenset({"make_code"})
    permissions = {
        "list": VIEW,
        "retrieve": VIEW,
        "look_up": (VIEW, Permission.CUSTOMERS_VIEW),
        "offers": VIEW,
        "stamps": VIEW,
        "referral": VIEW,
        "create": CHANGE,
        "give": CHANGE,
        "take": CHANGE,
        "redeem": CHANGE,
        "undo": CHANGE,
        "redeem_reward": CHANGE,
        "stamp": CHANGE,
        "make_code": CHANGE,
    }
    keyed = frozenset({"give", "take", "redeem", "undo", "redeem_reward", "stamp"})

    @extend_schema(summary="List members", description="Newest first.", responses=MemberOutput(many=True))
    def list(self, request: Request) -> Response:
        return self.listed(MemberOutput)

    @extend_schema(summary="Show a member with their wallet", responses=MemberOutput)
    def retrieve(self, request: Request, pk: int) -> Response:
        return self.rendered(MemberOutput, self.found(pk))

    @extend_schema(
        summary="Find members at the till",
        description=f"Up to {MEMBERS_SHOWN}. In the body, since addresses are logged.",
        request=LookUpInput,
        responses={200: MembersFoundOutput},
    )
    @action(detail=False, methods=["post"], url_path="lookup")
    def look_up(self, request: Request) -> Response:
        values = self.parsed(LookUpInput)
        found = find_members(values["text"])
        if "program" in values:
            found = found.filter(program=values["program"])
        return self.rendered(MembersFoundOutput, {"members": found[:MEMBERS_SHOWN]})

    @extend_schema(
        summary="Enrol a customer",
        description="With the points that joining brings. One who is a member already stays as they are.",
        request=EnrolInput,
        responses={200: MemberOutput},
    )
    def create(self, request: Request) -> Response:
        member = enrol_member(now=self.now, actor=self.actor, **self.parsed(EnrolInput))
        return self.rendered(MemberOutput, self.found(member.pk))

    @extend_schema(summary="List the rewards a member can have", responses=OffersOutput)
    @action(detail=True, url_path="rewards", pagination_class=None)
    def offers(self, request: Request, pk: int) -> Response:
        return self.rendered(OffersOutput, {"rewards": catalogue_for(self.found(pk), now=self.now)})

    @extend_schema(
        summary="Give points", description="Within what the caller's role may give.", request=GiveInput, responses={200: ReceiptOutput}
    )
    @action(detail=True, methods=["post"])
    def give(self, request: Request, pk: int) -> Response:
        return self._moved(give_points, self.found(pk), self.parsed(GiveInput), role=role_of(self.access))

    @extend_schema(
        summary="Take points", description="With nothing in return; within what the caller's role may take.",
        request=GiveInput, responses={200: ReceiptOutput},
    )  # fmt: skip
    @action(detail=True, methods=["post"])
    def take(self, request: Request, pk: int) -> Response:
        return self._moved(take_points, self.found(pk), self.parsed(GiveInput), role=role_of(self.access))

    @extend_schema(summary="Redeem points", description="409 says how many are available.", request=RedeemInput,
                   responses={200: ReceiptOutput})  # fmt: skip
    @action(detail=True, methods=["post"])
    def redeem(self, request: Request, pk: int) -> Response:
        return self._moved(redeem_at_counter, self.found(pk), self.parsed(RedeemInput))

    @extend_schema(
        summary="Undo a redemption",
        description="Or points that were taken, or given and not touched since; those within what the caller's role may give and take.",
        request=UndoInput,
        responses={200: ReceiptOutput},
    )
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, pk: int) -> Response:
        member, values = self.found(pk), self.parsed(UndoInput)
        with refusals_told():
            receipt = undo_at_counter(
                member=member, entry_id=values["entry"], token=self.ledger_key, now=self.now, actor=self.actor, role=role_of(self.access)
            )
        return self.rendered(ReceiptOutput, receipt)

    @extend_schema(summary="Redeem points for a reward", request=RedeemRewardInput, responses={200: RewardReceiptOutput})
    @action(detail=True, methods=["post"], url_path="redeem-reward")
    def redeem_reward(self, request: Request, pk: int) -> Response:
        member, values = self.found(pk), self.parsed(RedeemRewardInput)
        with refusals_told():
            done = redeem_reward(
                member_id=member.holder.pk,
                reward_id=values["reward"].pk,
                key=self.ledger_key,
                now=self.now,
                actor=self.actor,
                reason=values["reason"],
            )
        return self.rendered(RewardReceiptOutput, done)

    @extend_schema(summary="Show a member's stamp cards", description="Those that take stamps, and those with some.",
                   responses=CardsOfMemberOutput)  # fmt: skip
    @action(detail=True, pagination_class=None)
    def stamps(self, request: Request, pk: int) -> Response:
        return self.rendered(CardsOfMemberOutput, {"cards": cards_of(self.found(pk), now=self.now)})

    @extend_schema(
        summary="Stamp a member's card by hand",
        description="A full card gives its voucher. 409 where the card takes no stamps now, or is of another program.",
        request=StampInput,
        responses={200: StampedOutput},
    )
    @action(detail=True, methods=["post"])
    def stamp(self, request: Request, pk: int) -> Response:
        member, values, key = self.found(pk).holder, self.parsed(StampInput), self.ledger_key
        with stamp_refusals_told(), refusals_told():
            stamp_at_counter(member=member, key=key, now=self.now, actor=self.actor, role=role_of(self.access), **values)
        stamped = stamp_by_hand(member, card=values["card"], key=key)
        return self.rendered(StampedOutput, {"stamp": stamped, "card": card_of(member, values["card"], now=self.now)})

    @extend_schema(
        summary="Show the code that a member passes on to friends",
        description="With what came of it. Without a code yet, `code` and `join_url` are null.",
        responses=FriendsOutput,
    )
    @action(detail=True, pagination_class=None)
    def referral(self, request: Request, pk: int) -> Response:
        return self._friends(self.found(pk).holder)

    @extend_schema(summary="Give a member the code that they pass on", description="One who has a code keeps it.", request=None,
                   responses={200: FriendsOutput})  # fmt: skip
    @referral.mapping.post
    def make_code(self, request: Request, pk: int) -> Response:
        member = self.found(pk).holder
        code_of(member=member, now=self.now)
        return self._friends(member)

    def _friends(self, member: Member) -> Response:
        block = referral_block(member, self.access.location_ids)
        return self.rendered(FriendsOutput, {**block, "join_url": block["join_url"] or None})

    def all_rows(self) -> QuerySet[Any]:
        # Whoever moves points reads no more than the member: the wallet is read under its lock.
        rows = super().all_rows()
        return rows if self.action in self.keyed else rows.select_related("wallet", "customer", "program")

    def _moved(self, move: Callable[..., Receipt], member: Member, values: dict[str, Any], **options: Any) -> Response:
        with refusals_told():
            receipt = move(
                member=member.holder,
                amount=values["points"],
                reason=values["reason"],
                token=self.ledger_key,
                now=self.now,
                actor=self.actor,
                **options,
            )
        return self.rendered(ReceiptOutput, receipt)


def role_of(access: Access) -> Role:
    """Whose limits hold: whoever made a key gave it the scope, and how much its program gives is the program's own business."""
    return access.role or Role.OWNER


class OfMemberViewSet(ApiViewSet):
    """Something under ``members/{member_id}/``."""

    @cached_property
    def member(self) -> Member:
        """The member of the path, or 404."""
        return get_object_or_404(Member.objects.select_related("wallet"), pk=self.kwargs["member_id"])


@extend_schema(parameters=[MEMBER_PATH])
class EntryViewSet(OfMemberViewSet):
    """A member's ledger: what came, what went, and why."""

    queryset = Entry.objects.all()
    serializer_class = EntryOutput
    ordering = ("-sequence",)
    permissions = {"list": VIEW}

    @extend_schema(summary="List a member's entries", description="Latest first.", responses=EntryOutput(many=True))
    def list(self, request: Request, member_id: int) -> Response:
        page = self.paginate_queryset(history(self.member))
        return self.get_paginated_response(EntryOutput(history_lines(self.member, page or []), many=True).data)


@extend_schema(parameters=[MEMBER_PATH])
class LotViewSet(OfMemberViewSet):
    """The lots of which a member has something left."""

    queryset = LotRemainder.objects.all()
    serializer_class = LotOutput
    ordering = ("-lot_id",)
    permissions = {"list": VIEW}

    @extend_schema(summary="List a member's open lots", description="Latest first.", responses=LotOutput(many=True))
    def list(self, request: Request, member_id: int) -> Response:
        return self.listed(LotOutput, self._open())

    def _open(self) -> QuerySet[Any]:
        return LotRemainder.objects.filter(is_open=True, member=self.member)
