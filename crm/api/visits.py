"""Appointments and visits."""

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.schema import WrongStateProblemSerializer
from accounts.api.views import SOURCE, ApiViewSet
from accounts.permissions import Permission
from crm.actions import book_visit, change_visit_state
from crm.api.filters import VisitFilter
from crm.api.serializers import VisitInput, VisitOutput, VisitStateInput
from crm.models import Visit, VisitState


class VisitViewSet(ApiViewSet):
    """Appointments and walk-ins, from booking to the end."""

    queryset = Visit.objects.all()
    serializer_class = VisitOutput
    filterset_class = VisitFilter
    ordering = ("-starts_at", "-id")
    location_lookup = "location_id"
    conflicts = (WrongStateProblemSerializer,)
    permissions = {
        "list": Permission.VISITS_VIEW,
        "retrieve": Permission.VISITS_VIEW,
        "create": Permission.VISITS_CHANGE,
        "state": Permission.VISITS_CHANGE,
    }
    lasting = frozenset({"create"})

    @extend_schema(summary="List visits", description="Latest first.", responses=VisitOutput(many=True))
    def list(self, request: Request) -> Response:
        return self.listed(VisitOutput)

    @extend_schema(summary="Show a visit", responses=VisitOutput)
    def retrieve(self, request: Request, pk: int) -> Response:
        return self.rendered(VisitOutput, self.found(pk))

    @extend_schema(summary="Book a visit", request=VisitInput, responses={201: VisitOutput})
    def create(self, request: Request) -> Response:
        values = self.parsed(VisitInput)
        state = VisitState(values.pop("state", VisitState.BOOKED))
        return self.created(VisitOutput, book_visit(actor=self.actor, now=self.now, source=SOURCE, state=state, **values))

    @extend_schema(
        summary="Move a visit on",
        description="booked → arrived → completed, or no_show, or cancelled; other steps are 409. Repeating the last step changes nothing.",
        request=VisitStateInput,
        responses=VisitOutput,
    )
    @action(detail=True, methods=["post"])
    def state(self, request: Request, pk: int) -> Response:
        visit, state = self.found(pk), VisitState(self.parsed(VisitStateInput)["state"])
        return self.rendered(VisitOutput, change_visit_state(visit=visit, state=state, actor=self.actor, now=self.now, source=SOURCE))
