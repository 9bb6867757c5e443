"""The till's part of the API: quote, hold, capture or release, sale, refund, and what was done offline."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import django_filters
from django.db import OperationalError
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.errors import problem_response
from accounts.api.filters import TextFilter
from accounts.api.views import ApiViewSet
from accounts.permissions import Permission
from crm.actions import NewLine
from loyalty.actions.till_queue import OperationRefusedError, Outcome, Sent, deliver_operations
from loyalty.api.conflicts import OF_TILLS
from loyalty.api.inputs import CaptureInput, CartInput, HoldInput, OperationsInput, SaleInput, TillRefundInput
from loyalty.api.keys import KeyedViewSet
from loyalty.api.outputs import (
    DeliveredOutput,
    HeldOutput,
    HoldOutput,
    OperationOutput,
    QuoteOutput,
    ReceiptOutput,
    RefundedOutput,
    SoldOutput,
)
from loyalty.api.performing import KINDS, By
from loyalty.api.refusing import refusals_told
from loyalty.models import Hold, OperationState, TillOperation
from loyalty.queries.quotes import quote_cart

SELL = (Permission.POINTS_CHANGE, Permission.PURCHASES_CHANGE)
# What an earlier operation brought, by the field that may name it by that operation's number.
REFERENCES = {"purchase": ("purchase", "id"), "hold": ("hold", "id"), "entry": ("entry",)}
STATUS = {OperationState.APPLIED: 200, OperationState.WAITING: 202}


class PerformingViewSet(KeyedViewSet):
    """A viewset that does one of a till's operations at once."""

    conflicts = OF_TILLS

    def done(self, kind: str, values: Mapping[str, Any], status_code: int = 200) -> Response:
        """Do it, and answer."""
        with refusals_told():
            return Response(KINDS[kind].perform(values, By(self.actor, self.ledger_key, self.now, self.now)), status=status_code)

    def made(self, kind: str, values: Mapping[str, Any], member: str) -> Response:
        """Do it, and answer 201 with the address of what stands in this member of the answer."""
        response = self.done(kind, values, status.HTTP_201_CREATED)
        return self.located(response, pk=response.data[member]["id"])


class TillViewSet(PerformingViewSet):
    """What a point of sale asks for."""

    queryset = TillOperation.objects.all()
    permissions = {"quote": Permission.LOYALTY_VIEW, "sales": SELL, "refunds": SELL}
    keyed = lasting = frozenset({"sales", "refunds"})
    made_at = dict.fromkeys(keyed, "purchase")

    @extend_schema(
        summary="Work out a cart",
        description="What it would earn, which points can pay for it, which rewards and benefits there are. Nothing is written.",
        request=CartInput,
        responses={200: QuoteOutput},
    )
    @action(detail=False, methods=["post"])
    def quote(self, request: Request) -> Response:
        values = self.parsed(CartInput)
        at: datetime | None = values.pop("purchased_at", None)
        lines = [NewLine(**line) for line in values.pop("lines")]
        with refusals_told():
            return self.rendered(QuoteOutput, quote_cart(lines=lines, now=self.now, at=at, **values))

    @extend_schema(
        summary="Record a sale with the points that pay for it",
        description="In one transaction: the receipt, the hold's capture or the redemption, and what the sale earns.",
        request=SaleInput,
        responses={201: SoldOutput},
    )
    @action(detail=False, methods=["post"])
    def sales(self, request: Request) -> Response:
        return self.made("sale", self.parsed(SaleInput), "purchase")

    @extend_schema(
        summary="Refund lines of a sale",
        description="With the points that had paid for their share, and without those they had earned. Any split of refunds does what one would.",
        request=TillRefundInput,
        responses={201: RefundedOutput},
    )
    @action(detail=False, methods=["post"])
    def refunds(self, request: Request) -> Response:
        return self.made("refund", self.parsed(TillRefundInput), "refund")


class HoldViewSet(PerformingViewSet):
    """Points that are reserved while a sale is rung up."""

    queryset = Hold.objects.all()
    serializer_class = HoldOutput
    bodiless = frozenset({"release"})
    permissions = {
        "retrieve": Permission.LOYALTY_VIEW,
        "create": Permission.POINTS_CHANGE,
        "capture": Permission.POINTS_CHANGE,
        "release": Permission.POINTS_CHANGE,
    }
    keyed = frozenset({"create", "capture", "release"})

    @extend_schema(summary="Show a hold", responses=HoldOutput)
    def retrieve(self, request: Request, pk: int) -> Response:
        return self.rendered(HoldOutput, self.found(pk))

    @extend_schema(summary="Hold points or a reward", request=HoldInput, responses={201: HeldOutput})
    def create(self, request: Request) -> Response:
        return self.made("hold", self.parsed(HoldInput), "hold")

    @extend_schema(
        summary="Capture a hold",
        description="Without a sale; a sale captures the hold that it names.",
        request=CaptureInput,
        responses={200: ReceiptOutput},
    )
    @action(detail=True, methods=["post"])
    def capture(self, request: Request, pk: int) -> Response:
        return self.done("capture", {"hold": self.found(pk), **self.parsed(CaptureInput)})

    @extend_schema(summary="Release a hold", request=None, responses={200: ReceiptOutput})
    @action(detail=True, methods=["post"])
    def release(self, request: Request, pk: int) -> Response:
        return self.done("release", {"hold": self.found(pk)})


class OperationFilter(django_filters.FilterSet):
    till = TextFilter("till__code", max_length=60)
    state = django_filters.ChoiceFilter(choices=OperationState.choices)

    class Meta:
        model = TillOperation
        fields: list[str] = []


class TillOperationViewSet(ApiViewSet):
    """What tills did offline."""

    queryset = TillOperation.objects.select_related("till")
    serializer_class = OperationOutput
    filterset_class = OperationFilter
    permissions = {"list": SELL, "create": SELL}

    def all_rows(self) -> QuerySet[Any]:
        # A till belongs to no location, and what it did tells of whole sales.
        rows = super().all_rows()
        return rows if self.access.location_ids is None else rows.none()

    @extend_schema(
        summary="List what tills did offline",
        description="Latest received first; nothing for a person who is limited to some locations.",
        responses=OperationOutput(many=True),
    )
    def list(self, request: Request) -> Response:
        return self.listed(OperationOutput)

    @extend_schema(
        summary="Deliver what a till did offline",
        description=(
            "Applied strictly in the till's order; one that has a gap before it waits. Delivered in any order, in any number of requests, "
            "any number of times, the same operations do the same. One that is refused does not hold up those after it."
        ),
        request=OperationsInput,
        responses={200: DeliveredOutput},
    )
    def create(self, request: Request) -> Response:
        values = self.parsed(OperationsInput)
        sent = [Sent(**operation) for operation in values["operations"]]
        till, outcomes = deliver_operations(code=values["till"], sent=sent, now=self.now, perform=self._perform)
        return self.rendered(DeliveredOutput, {"next_sequence": till.applied + 1, "operations": [_told(outcome) for outcome in outcomes]})

    def _perform(self, operation: TillOperation) -> dict[str, Any]:
        kind = KINDS[operation.kind]
        key = f"till:{operation.till_id}:{operation.sequence}"
        at = min(operation.occurred_at, self.now)
        try:
            serializer = kind.asked(data=_resolved(operation), context=self.get_serializer_context())
            serializer.is_valid(raise_exception=True)
            with refusals_told():
                return kind.perform(serializer.validated_data, By(self.actor, key, self.now, at))
        except OperationalError:  # busy or too slow: the till sends it again
            raise
        except Exception as error:
            # What the API answers with a problem is refused with it; anything else is a fault of ours.
            response = problem_response(error, {"body": operation.body})
            if response is None or response.status_code >= status.HTTP_500_INTERNAL_SERVER_ERROR:
                raise
            raise OperationRefusedError(response.data) from error


def _resolved(operation: TillOperation) -> dict[str, Any]:
    """The body, with what earlier operations of the till brought in place of their numbers."""
    body = dict(operation.body)
    for field, path in REFERENCES.items():
        if isinstance(number := body.get(f"{field}_sequence"), int):
            earlier = TillOperation.objects.filter(till=operation.till_id, sequence=number, state=OperationState.APPLIED).first()
            found: Any = earlier.answer if earlier else None
            for name in path:
                found = found.get(name) if isinstance(found, dict) else None
            if found is None:
                message = _("No operation of the till with this number brought one.")
                raise ValidationError({f"{field}_sequence": [ErrorDetail(message, code="does_not_exist")]})
            del body[f"{field}_sequence"]
            body[field] = found
    return body


def _told(outcome: Outcome) -> dict[str, Any]:
    operation = outcome.operation
    if operation is None:
        return {"sequence": outcome.sequence, "status": 409, "operation": None}
    return {
        "sequence": outcome.sequence,
        "status": STATUS.get(OperationState(operation.state)) or (operation.answer or {}).get("status", 409),
        "operation": operation,
    }
