"""Campaigns over the API: drafts, checks, and the steps of their life."""

from collections.abc import Callable

import django_filters
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.errors import called
from accounts.api.fields import Input
from accounts.api.filters import MomentFilter
from accounts.api.schema import WrongStateProblemSerializer
from accounts.api.views import ApiViewSet
from accounts.permissions import Permission
from accounts.queries import current_organization
from campaigns.actions import (
    cancel_campaign,
    create_campaign,
    delete_campaign,
    duplicate_campaign,
    launch_campaign,
    pause_campaign,
    resume_campaign,
    schedule_campaign,
    send_test,
    unschedule_campaign,
    update_campaign,
)
from campaigns.api.refusing import refusals_told
from campaigns.api.results import StatsOutput, TimelineOutput
from campaigns.api.serializers import (
    CampaignInput,
    CampaignOutput,
    CampaignPreviewInput,
    CancelInput,
    DuplicateInput,
    NotReadyProblemSerializer,
    ReachOutput,
    ReadinessOutput,
    ScheduleInput,
    TestInput,
    TestOutput,
)
from campaigns.audience import audience_of, reach_of
from campaigns.models import Campaign, CampaignState
from campaigns.queries.figures import campaign_figures
from campaigns.queries.timelines import campaign_timeline
from campaigns.refusals import CampaignNotReadyError, CampaignProblem, errors_of
from campaigns.validation import current_version, validate_campaign
from messaging.actions.templates import source_of
from messaging.api.templates import MessagePreviewOutput
from messaging.previews import preview_message

VIEW, CHANGE, LAUNCH = Permission.CAMPAIGNS_VIEW, Permission.CAMPAIGNS_CHANGE, Permission.CAMPAIGNS_LAUNCH


class CampaignFilter(django_filters.FilterSet):
    state = django_filters.ChoiceFilter(choices=CampaignState.choices)
    launched_from = MomentFilter(field_name="launched_at", lookup_expr="gte")
    launched_before = MomentFilter(field_name="launched_at", lookup_expr="lt")

    class Meta:
        model = Campaign
        fields: list[str] = []


class CampaignViewSet(ApiViewSet):
    """Messages to an audience with a purpose and a time."""

    queryset = Campaign.objects.prefetch_related("audiences")
    serializer_class = CampaignOutput
    filterset_class = CampaignFilter
    conflicts = (WrongStateProblemSerializer, NotReadyProblemSerializer)
    bodiless = frozenset({"readiness", "unschedule", "launch", "pause", "resume", "destroy"})
    permissions = {
        "list": VIEW, "retrieve": VIEW, "readiness": VIEW, "reach": VIEW, "stats": VIEW, "timeline": VIEW, "preview": (VIEW, Permission.CUSTOMERS_VIEW),
        "create": CHANGE, "partial_update": CHANGE, "destroy": CHANGE, "duplicate": CHANGE, "test": CHANGE,
        "schedule": LAUNCH, "unschedule": LAUNCH, "launch": LAUNCH, "pause": LAUNCH, "resume": LAUNCH, "cancel": LAUNCH,
    }  # fmt: skip

    @extend_schema(summary="List campaigns", description="Newest first.", responses=CampaignOutput(many=True))
    def list(self, request: Request) -> Response:
        return self.listed(CampaignOutput)

    @extend_schema(summary="Show a campaign", responses=CampaignOutput)
    def retrieve(self, request: Request, pk: int) -> Response:
        return self.rendered(CampaignOutput, self.found(pk))

    @extend_schema(summary="Begin a campaign", request=CampaignInput, responses={201: CampaignOutput})
    def create(self, request: Request) -> Response:
        return self.created(CampaignOutput, create_campaign(actor=self.actor, **self.parsed(CampaignInput)))

    @extend_schema(summary="Change a draft", request=CampaignInput, responses=CampaignOutput)
    def partial_update(self, request: Request, pk: int) -> Response:
        campaign, values = self.found(pk), self.parsed(CampaignInput, partial=True)
        with refusals_told(campaign):
            update_campaign(campaign=campaign, actor=self.actor, **values)
        return self.rendered(CampaignOutput, self.found(pk))

    @extend_schema(
        summary="Delete a campaign that was never launched",
        description="One that is scheduled needs campaigns.launch too.",
        responses={204: None},
    )
    def destroy(self, request: Request, pk: int) -> Response:
        campaign = self.found(pk)
        if campaign.state == CampaignState.SCHEDULED:
            self._needs(LAUNCH)  # deleted, it does not start
        with refusals_told(campaign):
            delete_campaign(campaign=campaign, actor=self.actor, now=self.now)
        return Response(status=204)

    @extend_schema(summary="Copy a campaign into a new draft", request=DuplicateInput, responses={201: CampaignOutput})
    @action(detail=True, methods=["post"])
    def duplicate(self, request: Request, pk: int) -> Response:
        campaign, values = self.found(pk), self.parsed(DuplicateInput)
        return self.created(CampaignOutput, duplicate_campaign(campaign=campaign, actor=self.actor, **values))

    @extend_schema(summary="Say what keeps a campaign from being launched", request=None, responses=ReadinessOutput)
    @action(detail=True, methods=["post"], url_path="validate")
    def readiness(self, request: Request, pk: int) -> Response:
        problems = validate_campaign(self.found(pk), now=self.now)
        return self.rendered(ReadinessOutput, {"is_ready": not errors_of(problems), "problems": problems})

    @extend_schema(summary="Estimate whom a campaign would reach", responses=ReachOutput)
    @action(detail=True)
    def reach(self, request: Request, pk: int) -> Response:
        campaign = self.found(pk)
        with refusals_told(campaign):
            reach = reach_of(audience_of(campaign, now=self.now), now=self.now)
        skipped = {str(reason): count for reason, count in reach.skipped.items()}
        return self.rendered(ReachOutput, {"total": reach.total, "planned": reach.planned, "skipped": skipped})

    @extend_schema(summary="Show the message as a customer would see it", request=CampaignPreviewInput, responses=MessagePreviewOutput)
    @action(detail=True, methods=["post"])
    def preview(self, request: Request, pk: int) -> Response:
        campaign, customer = self.found(pk), self.parsed(CampaignPreviewInput).get("customer")
        with refusals_told(campaign):
            if (version := current_version(campaign)) is None:
                raise CampaignNotReadyError([CampaignProblem("no_template", _("Choose a template."), "message")])
            seen = preview_message(
                source=source_of(version), now=self.now, customer_id=customer.pk if customer else None, account=campaign.account
            )
        return self.rendered(MessagePreviewOutput, seen)

    @extend_schema(summary="Send a test", description="To a few addresses, marked as a test; it is in no figure. As a customer it needs customers.view too.",
                   request=TestInput, responses=TestOutput)  # fmt: skip
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: int) -> Response:
        campaign, values = self.found(pk), self.parsed(TestInput)
        if values.get("customer"):
            self._needs(Permission.CUSTOMERS_VIEW)  # their data leaves in the message
        with refusals_told(campaign):
            trial = send_test(campaign=campaign, actor=self.actor, now=self.now, **values)
        return self.rendered(TestOutput, {"sent": len(trial.sent), "refused": trial.refused})

    @extend_schema(summary="Show the figures of a campaign", description="Live while it runs.", responses=StatsOutput)
    @action(detail=True)
    def stats(self, request: Request, pk: int) -> Response:
        figures = campaign_figures(self.found(pk), now=self.now, access=self.access)
        return self.rendered(StatsOutput, {**figures.as_dict(), "currency": current_organization().currency})

    @extend_schema(summary="Show when people opened, clicked and bought", responses=TimelineOutput)
    @action(detail=True)
    def timeline(self, request: Request, pk: int) -> Response:
        return self.rendered(TimelineOutput, campaign_timeline(self.found(pk), now=self.now, access=self.access))

    @extend_schema(summary="Let a draft start at a time", request=ScheduleInput, responses=CampaignOutput)
    @action(detail=True, methods=["post"])
    def schedule(self, request: Request, pk: int) -> Response:
        with called(scheduled_at="at"):
            return self._step(pk, schedule_campaign, ScheduleInput)

    @extend_schema(summary="Make a scheduled campaign a draft again", request=None, responses=CampaignOutput)
    @action(detail=True, methods=["post"])
    def unschedule(self, request: Request, pk: int) -> Response:
        return self._step(pk, unschedule_campaign)

    @extend_schema(summary="Launch a campaign now", request=None, responses=CampaignOutput)
    @action(detail=True, methods=["post"])
    def launch(self, request: Request, pk: int) -> Response:
        return self._step(pk, launch_campaign)

    @extend_schema(
        summary="Pause a running campaign", description="Sending stops within two seconds.", request=None, responses=CampaignOutput
    )
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: int) -> Response:
        return self._step(pk, pause_campaign)

    @extend_schema(summary="Go on with a paused campaign", request=None, responses=CampaignOutput)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: int) -> Response:
        return self._step(pk, resume_campaign)

    @extend_schema(summary="Stop a campaign for good", description="What has not left will not leave.",
                   request=CancelInput, responses=CampaignOutput)  # fmt: skip
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: int) -> Response:
        return self._step(pk, cancel_campaign, CancelInput)

    def _needs(self, permission: Permission) -> None:
        if not self.access.allows(permission):
            raise PermissionDenied(_("This needs the scope “%(scope)s”.") % {"scope": permission}, code="missing_scope")

    def _step(self, pk: int, step: Callable[..., Campaign], asked: type[Input] | None = None) -> Response:
        campaign = self.found(pk)
        values = self.parsed(asked) if asked else {}
        with refusals_told(campaign):
            step(campaign=campaign, actor=self.actor, now=self.now, **values)
        return self.rendered(CampaignOutput, self.found(pk))
