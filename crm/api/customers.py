"""Customers, their consents and their timeline."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.schema import PATH_ID
from accounts.api.views import SOURCE, ApiViewSet
from accounts.permissions import Permission
from crm.actions import create_customer, set_consent, update_customer
from crm.api.filters import ConsentFilter, CustomerFilter, TimelineFilter
from crm.api.serializers import (
    ConsentChangeOutput,
    ConsentInput,
    ConsentOfCustomerInput,
    ConsentOutput,
    CustomerInput,
    CustomerOutput,
    EventOutput,
    NewCustomerInput,
)
from crm.models import Consent, ConsentChange, Customer, Event
from crm.queries.visible import events_for

CUSTOMER_PATH = OpenApiParameter("customer_id", PATH_ID, OpenApiParameter.PATH)


class CustomerViewSet(ApiViewSet):
    """People who come back."""

    queryset = Customer.objects.select_related("facts")
    serializer_class = CustomerOutput
    filterset_class = CustomerFilter
    permissions = {
        "list": Permission.CUSTOMERS_VIEW,
        "retrieve": Permission.CUSTOMERS_VIEW,
        "create": Permission.CUSTOMERS_CHANGE,
        "partial_update": Permission.CUSTOMERS_CHANGE,
    }

    @extend_schema(summary="List customers", description="Newest first.", responses=CustomerOutput(many=True))
    def list(self, request: Request) -> Response:
        return self.listed(CustomerOutput)

    @extend_schema(summary="Show a customer", responses=CustomerOutput)
    def retrieve(self, request: Request, pk: int) -> Response:
        return self.rendered(CustomerOutput, self.found(pk))

    @extend_schema(summary="Create a customer", request=NewCustomerInput, responses={201: CustomerOutput})
    def create(self, request: Request) -> Response:
        values = self.parsed(NewCustomerInput)
        return self.created(CustomerOutput, create_customer(actor=self.actor, now=self.now, source=SOURCE, **values))

    @extend_schema(
        summary="Change a customer",
        description="Fields that are left out stay as they are.",
        request=CustomerInput,
        responses=CustomerOutput,
    )
    def partial_update(self, request: Request, pk: int) -> Response:
        customer, values = self.found(pk), self.parsed(CustomerInput)
        changed = update_customer(customer=customer, actor=self.actor, now=self.now, source=SOURCE, **values)
        return self.rendered(CustomerOutput, changed)


class OfCustomerViewSet(ApiViewSet):
    """Something under ``customers/{customer_id}/``."""

    @cached_property
    def customer(self) -> Customer:
        """The customer of the path, or 404."""
        return get_object_or_404(Customer.objects.all(), pk=self.kwargs["customer_id"])

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        return rows if getattr(self, "swagger_fake_view", False) else rows.filter(customer=self.customer)


@extend_schema(parameters=[CUSTOMER_PATH])
class CustomerConsentViewSet(OfCustomerViewSet):
    """What a customer agreed to."""

    queryset = Consent.objects.all()
    serializer_class = ConsentOutput
    permissions = {
        "list": Permission.CUSTOMERS_VIEW,
        "create": Permission.CONSENT_CHANGE,
    }

    @extend_schema(summary="List a customer's consents", responses=ConsentOutput(many=True))
    def list(self, request: Request, customer_id: int) -> Response:
        return self.listed(ConsentOutput)

    @extend_schema(
        summary="Record a customer's consent",
        description="Saying the same again changes nothing.",
        request=ConsentInput,
        responses={200: ConsentOutput},
    )
    def create(self, request: Request, customer_id: int) -> Response:
        customer, values = self.customer, self.parsed(ConsentInput)
        consent = set_consent(customer=customer, source=SOURCE, now=self.now, actor=self.actor, **values)
        return self.rendered(ConsentOutput, consent)


@extend_schema(parameters=[CUSTOMER_PATH])
class ConsentHistoryViewSet(OfCustomerViewSet):
    """The proof: each change of a customer's consents."""

    queryset = ConsentChange.objects.all()
    serializer_class = ConsentChangeOutput
    permissions = {"list": Permission.CUSTOMERS_VIEW}

    @extend_schema(
        summary="List the changes of a customer's consents", description="Newest first.", responses=ConsentChangeOutput(many=True)
    )
    def list(self, request: Request, customer_id: int) -> Response:
        return self.listed(ConsentChangeOutput)


class ConsentViewSet(ApiViewSet):
    """Consents of all customers."""

    queryset = Consent.objects.all()
    serializer_class = ConsentOutput
    filterset_class = ConsentFilter
    permissions = {"list": Permission.CUSTOMERS_VIEW, "create": Permission.CONSENT_CHANGE}

    @extend_schema(summary="List consents", responses=ConsentOutput(many=True))
    def list(self, request: Request) -> Response:
        return self.listed(ConsentOutput)

    @extend_schema(
        summary="Record a consent",
        description="Saying the same again changes nothing.",
        request=ConsentOfCustomerInput,
        responses={200: ConsentOutput},
    )
    def create(self, request: Request) -> Response:
        values = self.parsed(ConsentOfCustomerInput)
        return self.rendered(ConsentOutput, set_consent(source=SOURCE, now=self.now, actor=self.actor, **values))


@extend_schema(parameters=[CUSTOMER_PATH])
class CustomerEventViewSet(OfCustomerViewSet):
    """Everything that happened to a customer."""

    queryset = Event.objects.all()
    serializer_class = EventOutput
    filterset_class = TimelineFilter
    ordering = ("-occurred_at", "-id")
    permissions = {"list": Permission.EVENTS_VIEW}

    @extend_schema(summary="List a customer's events", description="The timeline, latest first.", responses=EventOutput(many=True))
    def list(self, request: Request, customer_id: int) -> Response:
        return self.listed(EventOutput)

    def all_rows(self) -> QuerySet[Any]:
        return events_for(self.access)
