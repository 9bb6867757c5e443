"""Senders over the API: to choose one for a campaign; they are set up in the admin, where their secrets stay."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.fields import Output
from accounts.api.views import ApiViewSet
from accounts.permissions import Permission
from messaging.models import SenderAccount


class SenderOutput(Output):
    class Meta:
        model = SenderAccount
        fields = ("id", "name", "channel", "kind", "from_name", "from_email", "reply_to", "rate_per_second", "is_active", "created_at")


class SenderViewSet(ApiViewSet):
    """Where messages leave from."""

    queryset = SenderAccount.objects.all()
    serializer_class = SenderOutput
    permissions = {"list": Permission.CAMPAIGNS_VIEW, "retrieve": Permission.CAMPAIGNS_VIEW}

    @extend_schema(summary="List senders", responses=SenderOutput(many=True))
    def list(self, request: Request) -> Response:
        return self.listed(SenderOutput)

    @extend_schema(summary="Show a sender", responses=SenderOutput)
    def retrieve(self, request: Request, pk: int) -> Response:
        return self.rendered(SenderOutput, self.found(pk))
