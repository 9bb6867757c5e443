"""Segments over the API: rules, counts, previews, fixed lists."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.errors import Conflict, Unavailable, called, placed
from accounts.api.fields import BoundedListField, Input, Output
from accounts.api.parsing import MAX_INTEGER
from accounts.api.schema import PATH_ID, WrongKindProblemSerializer
from accounts.api.views import ApiViewSet
from accounts.permissions import Permission
from crm.api.serializers import CustomerOutput
from segmentation.actions import add_members, create_segment, delete_segment, remove_members, snapshot_segment, update_segment
from segmentation.models import Segment, SegmentKind
from segmentation.queries import (
    PREVIEW_SIZE,
    SegmentTooSlow,
    for_display,
    preview_customers,
    read_rules,
    rules_customers,
    segment_customers,
    size,
)
from segmentation.rules import RulesError
from segmentation.schema import rules_schema
from segmentation.words import Words

MAX_PREVIEW = 50
MAX_MEMBERS = 10_000


@extend_schema_field({"type": "object", "description": "A tree of conditions; its schema is at `/api/v1/segments/schema/`."})
class RulesField(serializers.JSONField):
    """Rules that are understood; each fault is told at its node."""

    def __init__(self, *, may_be_missing: bool = False, **options: Any) -> None:
        self.may_be_missing = may_be_missing
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> Any:
        rules = super().to_internal_value(data)
        if rules == {} and self.may_be_missing:
            return rules
        try:
            read_rules(rules)
        except RulesError as error:
            raise ValidationError(faults_of(error)) from error
        return rules


def faults_of(error: RulesError) -> dict[str, Any]:
    """The faults of rules, each at its node."""
    return placed(
        (tuple(re.findall(r"[^.\[\]]+", problem.path)), problem.code, _(problem.message) % dict(problem.params))
        for problem in error.problems
    )


class SegmentOutput(Output):
    rules = serializers.DictField(read_only=True)

    class Meta:
        model = Segment
        exclude = ("organization",)


class SegmentInput(Input):
    name = serializers.CharField(max_length=120)
    description = serializers.CharField(required=False, allow_blank=True, max_length=300)
    # A fixed list has none; for others the action says that they are missing.
    rules = RulesField(required=False, may_be_missing=True)


class NewSegmentInput(SegmentInput):
    kind = serializers.ChoiceField(choices=SegmentKind.choices, required=False)


class RulesInput(Input):
    rules = RulesField()


class PreviewInput(RulesInput):
    limit = serializers.IntegerField(min_value=1, max_value=MAX_PREVIEW, default=PREVIEW_SIZE)


class SnapshotInput(Input):
    name = serializers.CharField(max_length=120)


class MembersInput(Input):
    """Ids of customers to put on a fixed list and to take off it."""

    add = BoundedListField(child=serializers.IntegerField(min_value=1, max_value=MAX_INTEGER), required=False, max_length=MAX_MEMBERS)
    remove = BoundedListField(child=serializers.IntegerField(min_value=1, max_value=MAX_INTEGER), required=False, max_length=MAX_MEMBERS)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if both := set(attrs.get("add", ())) & set(attrs.get("remove", ())):
            message = gettext_lazy("Customer %(key)s cannot be added and removed at once.") % {"key": min(both)}
            raise serializers.ValidationError({"remove": [message]}, code="ambiguous")
        return attrs


class MembersOutput(serializers.Serializer[Any]):
    added = serializers.IntegerField()
    removed = serializers.IntegerField()


class SizeOutput(serializers.Serializer[Any]):
    customers = serializers.IntegerField()
    reachable = serializers.IntegerField(help_text="Those who have an e-mail address and agreed to marketing by e-mail.")


class PreviewOutput(serializers.Serializer[Any]):
    customers = CustomerOutput(many=True)


class SegmentViewSet(ApiViewSet):
    """Customers chosen by rules, and fixed lists of them."""

    queryset = Segment.objects.all()
    serializer_class = SegmentOutput
    conflicts = (WrongKindProblemSerializer,)
    bodiless = frozenset({"destroy"})
    permissions = {
        "list": Permission.SEGMENTS_VIEW,
        "retrieve": Permission.SEGMENTS_VIEW,
        "rules_schema": Permission.SEGMENTS_VIEW,
        "count": Permission.SEGMENTS_VIEW,
        "size": Permission.SEGMENTS_VIEW,
        "preview": (Permission.SEGMENTS_VIEW, Permission.CUSTOMERS_VIEW),
        "create": Permission.SEGMENTS_CHANGE,
        "partial_update": Permission.SEGMENTS_CHANGE,
        "destroy": Permission.SEGMENTS_CHANGE,
        "snapshot": Permission.SEGMENTS_CHANGE,
        "members": Permission.SEGMENTS_CHANGE,
    }

    @extend_schema(summary="List segments", responses=SegmentOutput(many=True))
    def list(self, request: Request) -> Response:
        return self.listed(SegmentOutput)

    @extend_schema(summary="Show a segment", responses=SegmentOutput)
    def retrieve(self, request: Request, pk: int) -> Response:
        return self.rendered(SegmentOutput, self.found(pk))

    @extend_schema(summary="Create a segment", request=NewSegmentInput, responses={201: SegmentOutput})
    def create(self, request: Request) -> Response:
        values = self.parsed(NewSegmentInput)
        return self.created(SegmentOutput, create_segment(actor=self.actor, now=self.now, **values))

    @extend_schema(summary="Change a segment", request=SegmentInput, responses=SegmentOutput)
    def partial_update(self, request: Request, pk: int) -> Response:
        segment, values = self.found(pk), self.parsed(SegmentInput, partial=True)
        return self.rendered(SegmentOutput, update_segment(segment=segment, actor=self.actor, now=self.now, **values))

    @extend_schema(
        summary="Delete a segment", description="Only one that no segment, campaign or loyalty program uses.", responses={204: None}
    )
    def destroy(self, request: Request, pk: int) -> Response:
        delete_segment(segment=self.found(pk), actor=self.actor, now=self.now)
        return Response(status=204)

    @extend_schema(summary="Show the JSON schema of rules", description="With the organization's own attributes.",
                   responses={200: {"type": "object"}})  # fmt: skip
    @action(detail=False, url_path="schema", pagination_class=None)
    def rules_schema(self, request: Request) -> Response:
        return Response(rules_schema(Words()))

    @extend_schema(summary="Count the customers that rules choose", request=RulesInput, responses=SizeOutput)
    @action(detail=False, methods=["post"])
    def count(self, request: Request) -> Response:
        rules = self.parsed(RulesInput)["rules"]
        with in_time():
            return self.rendered(SizeOutput, size(rules_customers(rules, now=self.now)))

    @extend_schema(summary="Preview the customers that rules choose", description="The newest of them.",
                   request=PreviewInput, responses=PreviewOutput)  # fmt: skip
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        values = self.parsed(PreviewInput)
        with in_time():
            customers = preview_customers(rules_customers(values["rules"], now=self.now), limit=values["limit"])
        return self.rendered(PreviewOutput, {"customers": customers})

    @extend_schema(summary="Count the customers in a segment", responses=SizeOutput)
    @action(detail=True, url_path="count")
    def size(self, request: Request, pk: int) -> Response:
        segment = self.found(pk)
        with in_time():
            return self.rendered(SizeOutput, size(segment_customers(segment, now=self.now)))

    @extend_schema(summary="Keep who is in a segment now as a fixed list", request=SnapshotInput, responses={201: SegmentOutput})
    @action(detail=True, methods=["post"])
    def snapshot(self, request: Request, pk: int) -> Response:
        segment, values = self.found(pk), self.parsed(SnapshotInput)
        with in_time():
            fixed = snapshot_segment(segment=segment, name=values["name"], actor=self.actor, now=self.now)
        return self.created(SegmentOutput, fixed)

    @extend_schema(summary="Change who is on a fixed list", request=MembersInput, responses=MembersOutput)
    @action(detail=True, methods=["post"])
    def members(self, request: Request, pk: int) -> Response:
        segment, values = self.found(pk), self.parsed(MembersInput)
        with called(customers="add"):
            added = add_members(segment=segment, customer_ids=values.get("add", ()), actor=self.actor, now=self.now)
        with called(customers="remove"):
            removed = remove_members(segment=segment, customer_ids=values.get("remove", ()), actor=self.actor, now=self.now)
        return self.rendered(MembersOutput, {"added": added, "removed": removed})


@extend_schema(parameters=[OpenApiParameter("segment_id", PATH_ID, OpenApiParameter.PATH)])
class SegmentCustomerViewSet(ApiViewSet):
    """The customers in a segment."""

    queryset = Segment.objects.all()
    serializer_class = CustomerOutput
    permissions = {"list": (Permission.SEGMENTS_VIEW, Permission.CUSTOMERS_VIEW)}

    @extend_schema(summary="List the customers in a segment", description="Newest first.", responses=CustomerOutput(many=True))
    def list(self, request: Request, segment_id: int) -> Response:
        segment = self.found(segment_id)
        with in_time():
            rows: QuerySet[Any] = for_display(segment_customers(segment, now=self.now))
            return self.listed(CustomerOutput, rows)


@contextmanager
def in_time() -> Iterator[None]:
    """Say in the API's words that rules no longer fit, or take too long."""
    try:
        yield
    except SegmentTooSlow as error:
        raise Unavailable(str(error), code="too_slow") from error
    except RulesError as error:
        raise Conflict(
            _("The rules were made for fields that no longer exist: %(reason)s") % {"reason": error}, code="stale_rules"
        ) from error
