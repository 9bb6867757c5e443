"""Locations over the API: to say where a visit or a sale took place."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.fields import Output
from accounts.api.views import ApiViewSet
from accounts.models import Location
from accounts.permissions import Permission


class LocationOutput(Output):
    class Meta:
        model = Location
        exclude = ("organization",)


class LocationViewSet(ApiViewSet):
    """The branches of the organization; of those, the ones the caller may see."""

    queryset = Location.objects.all()
    serializer_class = LocationOutput
    location_lookup = "pk"
    permissions = {"list": Permission.CUSTOMERS_VIEW, "retrieve": Permission.CUSTOMERS_VIEW}

    @extend_schema(summary="List locations", responses=LocationOutput(many=True))
    def list(self, request: Request) -> Response:
        return self.listed(LocationOutput)

    @extend_schema(summary="Show a location", responses=LocationOutput)
    def retrieve(self, request: Request, pk: int) -> Response:
        return self.rendered(LocationOutput, self.found(pk))
