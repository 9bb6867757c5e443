"""Receipts and refunds."""

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.schema import WrongKindProblemSerializer
from accounts.api.views import SOURCE, ApiViewSet
from accounts.permissions import Permission
from crm.actions import NewLine, record_purchase, refund_moment, refund_purchase
from crm.answers import act_on_purchase
from crm.api.filters import PurchaseFilter
from crm.api.serializers import PurchaseAnswerOutput, PurchaseInput, PurchaseOutput, PurchaseWithLinesOutput, RefundInput
from crm.models import Purchase


class PurchaseViewSet(ApiViewSet):
    """Receipts; a refund is a receipt of its own with a negative total."""

    queryset = Purchase.objects.all()
    serializer_class = PurchaseOutput
    filterset_class = PurchaseFilter
    ordering = ("-purchased_at", "-id")
    location_lookup = "location_id"
    conflicts = (WrongKindProblemSerializer,)
    permissions = {
        "list": Permission.PURCHASES_VIEW,
        "retrieve": Permission.PURCHASES_VIEW,
        "create": Permission.PURCHASES_CHANGE,
        "refund": Permission.PURCHASES_CHANGE,
    }
    lasting = frozenset({"create", "refund"})

    @extend_schema(summary="List purchases", description="Latest first, without their lines.", responses=PurchaseOutput(many=True))
    def list(self, request: Request) -> Response:
        return self.listed(PurchaseOutput)

    @extend_schema(summary="Show a purchase with its lines", responses=PurchaseWithLinesOutput)
    def retrieve(self, request: Request, pk: int) -> Response:
        return self.rendered(PurchaseWithLinesOutput, self.found(pk))

    @extend_schema(summary="Record a purchase", request=PurchaseInput, responses={201: PurchaseAnswerOutput})
    def create(self, request: Request) -> Response:
        values = self.parsed(PurchaseInput)
        lines = [NewLine(**line) for line in values.pop("lines")]
        purchase = record_purchase(lines=lines, now=self.now, actor=self.actor, source=SOURCE, **{"purchased_at": self.now, **values})
        return self.created(PurchaseAnswerOutput, self._answered(purchase))

    @extend_schema(
        summary="Refund a purchase",
        description="A part of a sale or all of it.",
        request=RefundInput,
        responses={201: PurchaseAnswerOutput},
    )
    @action(detail=True, methods=["post"])
    def refund(self, request: Request, pk: int) -> Response:
        purchase, values = self.found(pk), self.parsed(RefundInput)
        values = {"refunded_at": refund_moment(purchase, self.now), **values}
        refund = refund_purchase(purchase=purchase, actor=self.actor, source=SOURCE, **values)
        return self.created(PurchaseAnswerOutput, self._answered(refund))

    def _answered(self, purchase: Purchase) -> Purchase:
        purchase.answers = act_on_purchase(purchase, actor=self.actor, now=self.now)  # type: ignore[attr-defined]  # for the serializer
        return purchase
