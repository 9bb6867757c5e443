"""What became of a campaign, over the API: figures, recipients with their reasons, events."""

from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.fields import MomentField, Output
from accounts.api.filters import FlagFilter, IdFilter
from accounts.api.schema import PATH_ID
from accounts.api.views import ApiViewSet
from accounts.permissions import Permission
from campaigns.models import Campaign
from campaigns.queries.explaining import Verdict, explain
from crm.api.filters import TimelineFilter
from crm.api.serializers import EventOutput
from crm.models import Customer, Event
from messaging.models import Delivery, DeliveryState

KINDS = (
    "campaign.scheduled", "campaign.unscheduled", "campaign.launched", "campaign.paused", "campaign.resumed", "campaign.cancelled",
    "campaign.completed", "campaign.failed", "message.opened", "message.clicked", "message.revisited", "message.unsubscribed",
    "message.bounced", "message.complained",
)  # fmt: skip


class RateOutput(serializers.Serializer[Any]):
    part = serializers.IntegerField()
    of = serializers.IntegerField()
    share = serializers.FloatField(allow_null=True, help_text="Null where the base is nobody.")


class RatesOutput(serializers.Serializer[Any]):
    delivered = RateOutput()
    bounced = RateOutput()
    opened = RateOutput()
    clicked = RateOutput()
    unsubscribed = RateOutput()
    ordered = RateOutput()


class StatsOutput(serializers.Serializer[Any]):
    """Figures of people; machines that open and click are counted apart."""

    planned = serializers.IntegerField()
    skipped = serializers.IntegerField()
    skipped_by_reason = serializers.DictField(child=serializers.IntegerField())
    sent = serializers.IntegerField()
    failed = serializers.IntegerField()
    ambiguous = serializers.IntegerField(help_text="May have arrived; never sent again by themselves.")
    waiting = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    delivered = serializers.IntegerField(help_text="Sent and not come back.")
    confirmed = serializers.IntegerField(help_text="Whose arrival the provider confirmed.")
    bounced = serializers.IntegerField()
    opened = serializers.IntegerField()
    clicked = serializers.IntegerField()
    machine_opened = serializers.IntegerField()
    machine_clicked = serializers.IntegerField()
    unsubscribed = serializers.IntegerField()
    complained = serializers.IntegerField()
    orders = serializers.IntegerField()
    buyers = serializers.IntegerField()
    revenue_minor = serializers.IntegerField()
    refunded_minor = serializers.IntegerField()
    currency = serializers.CharField()
    per_second = serializers.FloatField(allow_null=True)
    seconds_left = serializers.FloatField(allow_null=True)
    rates = RatesOutput()


class TimelineOutput(serializers.Serializer[Any]):
    """Counts per hour, or per day once a campaign is older than three days."""

    is_hourly = serializers.BooleanField()
    moments = serializers.ListField(child=MomentField())
    opened = serializers.ListField(child=serializers.IntegerField())
    clicked = serializers.ListField(child=serializers.IntegerField())
    revenue_minor = serializers.ListField(child=serializers.IntegerField())


class RecipientOutput(Output):
    class Meta:
        model = Delivery
        fields = (
            "id", "customer", "address", "state", "reason", "detail", "attempts", "sent_at", "delivered_at", "bounced_at", "opened_at",
            "open_count", "clicked_at", "click_count", "machine_opened_at", "machine_clicked_at", "unsubscribed_at", "complained_at",
        )  # fmt: skip


class ExplanationOutput(serializers.Serializer[Any]):
    verdict = serializers.ChoiceField(choices=[(str(verdict), str(verdict)) for verdict in Verdict])
    sentences = serializers.ListField(child=serializers.CharField(), help_text="The reasons in words, the answer first.")
    delivery = RecipientOutput(allow_null=True)


class RecipientFilter(django_filters.FilterSet):
    state = django_filters.ChoiceFilter(choices=DeliveryState.choices)
    reason = django_filters.CharFilter(max_length=20)
    customer = IdFilter("customer_id")
    is_opened = FlagFilter(field_name="opened_at", lookup_expr="isnull", exclude=True)
    is_clicked = FlagFilter(field_name="clicked_at", lookup_expr="isnull", exclude=True)

    class Meta:
        model = Delivery
        fields: list[str] = []


@extend_schema(parameters=[OpenApiParameter("campaign_id", PATH_ID, OpenApiParameter.PATH)])
class OfCampaignViewSet(ApiViewSet):
    """Something under ``campaigns/{campaign_id}/``."""

    @cached_property
    def campaign(self) -> Campaign:
        """The campaign of the path, or 404."""
        return get_object_or_404(Campaign.objects.all(), pk=self.kwargs["campaign_id"])


class RecipientViewSet(OfCampaignViewSet):
    """Everybody a campaign was meant for, with what became of their message or why they got none."""

    queryset = Delivery.objects.all()
    serializer_class = RecipientOutput
    filterset_class = RecipientFilter
    ordering = ("customer_id",)
    permissions = {"list": Permission.MESSAGES_VIEW, "retrieve": Permission.MESSAGES_VIEW}
    lookup_field, lookup_url_kwarg = "customer", "customer_id"

    @extend_schema(summary="List the recipients of a campaign", description="With the reason why each was sent the message or not.",
                   responses=RecipientOutput(many=True))  # fmt: skip
    def list(self, request: Request, campaign_id: int) -> Response:
        return self.listed(RecipientOutput)

    @extend_schema(summary="Say why a customer got a campaign or did not", description="There is an answer for every customer.",
                   parameters=[OpenApiParameter("customer_id", PATH_ID, OpenApiParameter.PATH)], responses=ExplanationOutput)  # fmt: skip
    def retrieve(self, request: Request, campaign_id: int, customer_id: int) -> Response:
        campaign, customer = self.campaign, get_object_or_404(Customer.objects.all(), pk=customer_id)
        return self.rendered(ExplanationOutput, explain(campaign, customer, now=self.now))

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        return rows.filter(dispatch_id=self.campaign.dispatch_id) if self.campaign.dispatch_id else rows.none()


class CampaignEventViewSet(OfCampaignViewSet):
    """What happened to a campaign, and what people did with its messages."""

    queryset = Event.objects.all()
    serializer_class = EventOutput
    filterset_class = TimelineFilter
    ordering = ("-occurred_at", "-id")
    permissions = {"list": (Permission.CAMPAIGNS_VIEW, Permission.EVENTS_VIEW)}

    @extend_schema(summary="List the events of a campaign", description="Latest first.", responses=EventOutput(many=True))
    def list(self, request: Request, campaign_id: int) -> Response:
        return self.listed(EventOutput)

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        about = Q(properties__campaign=self.campaign.pk)
        if self.campaign.dispatch_id:
            about |= Q(properties__dispatch=self.campaign.dispatch_id)
        # Kind and time enter the index; whose campaign it is, is looked at in the few that are left.
        return rows.filter(about, kind__in=KINDS, occurred_at__gte=self.campaign.created_at)
