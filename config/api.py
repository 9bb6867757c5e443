"""Every address of the API."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.defaults import server_error as server_error_page
from rest_framework.exceptions import APIException, NotFound
from rest_framework.routers import SimpleRouter

from accounts.api.errors import CONTENT_TYPE, problem
from accounts.api.locations import LocationViewSet
from accounts.api.views import ID
from campaigns.api.campaigns import CampaignViewSet
from campaigns.api.results import CampaignEventViewSet, RecipientViewSet
from config.api_documents import DocumentationView, SchemaView
from crm.api.customers import ConsentHistoryViewSet, ConsentViewSet, CustomerConsentViewSet, CustomerEventViewSet, CustomerViewSet
from crm.api.events import EventViewSet
from crm.api.imports import FindingViewSet, ImportViewSet
from crm.api.purchases import PurchaseViewSet
from crm.api.visits import VisitViewSet
from loyalty.api.members import EntryViewSet, LotViewSet, MemberViewSet
from loyalty.api.programs import ProgramViewSet, TermsViewSet
from loyalty.api.referrals import ReferralViewSet
from loyalty.api.rewards import RewardViewSet, VoucherViewSet
from loyalty.api.stamps import HandStampViewSet, StampCardViewSet
from loyalty.api.till import HoldViewSet, TillOperationViewSet, TillViewSet
from messaging.api.senders import SenderViewSet
from messaging.api.templates import TemplateViewSet, VersionViewSet
from segmentation.api import SegmentCustomerViewSet, SegmentViewSet

OF_CUSTOMER = f"customers/(?P<customer_id>{ID})"
OF_CAMPAIGN = f"campaigns/(?P<campaign_id>{ID})"
OF_MEMBER = f"members/(?P<member_id>{ID})"
RESOURCES: list[tuple[str, Any, str]] = [
    ("locations", LocationViewSet, "location"),
    ("customers", CustomerViewSet, "customer"),
    (f"{OF_CUSTOMER}/consents", CustomerConsentViewSet, "customer-consent"),
    (f"{OF_CUSTOMER}/consent-history", ConsentHistoryViewSet, "customer-consent-history"),
    (f"{OF_CUSTOMER}/events", CustomerEventViewSet, "customer-event"),
    ("consents", ConsentViewSet, "consent"),
    ("purchases", PurchaseViewSet, "purchase"),
    ("visits", VisitViewSet, "visit"),
    ("events", EventViewSet, "event"),
    ("imports", ImportViewSet, "import"),
    (f"imports/(?P<import_id>{ID})/findings", FindingViewSet, "import-finding"),
    ("segments", SegmentViewSet, "segment"),
    (f"segments/(?P<segment_id>{ID})/customers", SegmentCustomerViewSet, "segment-customer"),
    ("templates", TemplateViewSet, "template"),
    (f"templates/(?P<template_id>{ID})/versions", VersionViewSet, "template-version"),
    ("senders", SenderViewSet, "sender"),
    ("campaigns", CampaignViewSet, "campaign"),
    (f"{OF_CAMPAIGN}/recipients", RecipientViewSet, "campaign-recipient"),
    (f"{OF_CAMPAIGN}/events", CampaignEventViewSet, "campaign-event"),
    ("programs", ProgramViewSet, "program"),
    (f"programs/(?P<program_id>{ID})/terms", TermsViewSet, "program-terms"),
    ("members", MemberViewSet, "member"),
    (f"{OF_MEMBER}/entries", EntryViewSet, "member-entry"),
    (f"{OF_MEMBER}/lots", LotViewSet, "member-lot"),
    (f"{OF_MEMBER}/stamps-by-hand", HandStampViewSet, "member-hand-stamp"),
    ("stamp-cards", StampCardViewSet, "stamp-card"),
    ("referrals", ReferralViewSet, "referral"),
    ("rewards", RewardViewSet, "reward"),
    ("vouchers", VoucherViewSet, "voucher"),
    ("till", TillViewSet, "till"),
    ("till-operations", TillOperationViewSet, "till-operation"),
    ("holds", HoldViewSet, "hold"),
]


class LenientRouter(SimpleRouter):
    """Addresses end in a slash; without it they work all the same."""

    def __init__(self) -> None:
        super().__init__()
        self.trailing_slash = "/?"


router = LenientRouter()
for prefix, viewset, basename in RESOURCES:
    router.register(prefix, viewset, basename)


@csrf_exempt  # there is nothing here that could be forged
def not_found(request: HttpRequest, **_kwargs: Any) -> HttpResponse:
    """An address under /api/ that nothing answers."""
    return _problem(NotFound(_("There is nothing at this address.")), request)


def server_error(request: HttpRequest, template_name: str = "500.html") -> HttpResponse:
    """What nobody foresaw: problem details for programs, a page for people."""
    return _problem(APIException(), request) if request.path.startswith("/api/") else server_error_page(request, template_name)


def _problem(exc: APIException, request: HttpRequest) -> HttpResponse:
    return JsonResponse(problem(exc, instance=request.path), status=exc.status_code, content_type=CONTENT_TYPE)


urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/", include(router.urls)),
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", DocumentationView.as_view(url_name="schema"), name="api-docs"),
    re_path(r"^", not_found),
]
