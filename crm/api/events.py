"""The event log, and events that happened in other systems."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.views import SOURCE, ApiViewSet
from accounts.permissions import Permission
from crm.api.filters import EventFilter
from crm.api.serializers import EventBatchInput, EventBatchOutput, EventInput, EventOutput, EventReceiptOutput
from crm.events import NewEvent, record_event, record_events
from crm.models import Event
from crm.queries.visible import events_for


class EventViewSet(ApiViewSet):
    """What happened, in the order in which it was recorded."""

    queryset = Event.objects.all()
    serializer_class = EventOutput
    filterset_class = EventFilter
    permissions = {"list": Permission.EVENTS_VIEW, "create": Permission.EVENTS_CHANGE, "batch": Permission.EVENTS_CHANGE}

    @extend_schema(summary="List events", description="Latest recorded first.", responses=EventOutput(many=True))
    def list(self, request: Request) -> Response:
        return self.listed(EventOutput)

    @extend_schema(
        summary="Record an event",
        description="Answers 200 with recorded=false when the key was recorded before.",
        request=EventInput,
        responses={201: EventReceiptOutput, 200: EventReceiptOutput},
    )
    def create(self, request: Request) -> Response:
        event = record_event(self._new(self.parsed(EventInput)))
        if event is not None:
            event = Event.objects.get(pk=event.pk, occurred_at=event.occurred_at)  # with when it was recorded
        receipt = {"recorded": event is not None, "event": event}
        return self.rendered(EventReceiptOutput, receipt, 201 if event is not None else 200)

    @extend_schema(
        summary="Record many events",
        description="All of them or, when one is not valid, none.",
        request=EventBatchInput,
        responses=EventBatchOutput,
    )
    @action(detail=False, methods=["post"])
    def batch(self, request: Request) -> Response:
        new = [self._new(values) for values in self.parsed(EventBatchInput)["events"]]
        recorded = len(record_events(new))
        return self.rendered(EventBatchOutput, {"recorded": recorded, "duplicates": len(new) - recorded})

    def all_rows(self) -> QuerySet[Any]:
        return events_for(self.access)

    def _new(self, values: dict[str, Any]) -> NewEvent:
        customer = values.get("customer")
        return NewEvent(
            kind=values["kind"],
            occurred_at=values.get("occurred_at", self.now),
            customer_id=customer.pk if customer else None,
            source=SOURCE,
            properties=values.get("properties", {}),
            key=values.get("key", ""),
        )
