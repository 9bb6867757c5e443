"""Friends of members over the API: by whose code a customer came."""

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.views import ApiViewSet
from accounts.permissions import Permission
from loyalty.actions.referrals import UnknownCodeError, join_by_code
from loyalty.api.inputs import CameByInput
from loyalty.api.outputs import ReferralOutput
from loyalty.models import Referral


class ReferralViewSet(ApiViewSet):
    """Customers who came by a member's code."""

    queryset = Referral.objects.all()
    serializer_class = ReferralOutput
    permissions = {"create": Permission.POINTS_CHANGE}

    @extend_schema(
        summary="Note by whose code a customer came",
        description="Makes them a member. One that does not count says why; they are a member anyway. Doing it again changes nothing.",
        request=CameByInput,
        responses={200: ReferralOutput},
    )
    def create(self, request: Request) -> Response:
        try:
            return self.rendered(ReferralOutput, join_by_code(now=self.now, actor=self.actor, **self.parsed(CameByInput)))
        except UnknownCodeError as error:
            message = _("No member of a running program has this code. Nothing was changed.")
            raise ValidationError({"code": [ErrorDetail(message, code="does_not_exist")]}) from error
