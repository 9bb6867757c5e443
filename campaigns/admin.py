from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from accounts.admin_filters import MomentRangeFilter
from accounts.admin_site import ReadOnlyTenantAdmin, ReadOnlyTenantInline, TenantModelAdmin, actor_of
from accounts.audit import Actor
from accounts.permissions import Permission, access_of
from campaigns import actions
from campaigns.models import Attribution, Campaign, CampaignAudience, CampaignState
from campaigns.refusals import CampaignRefusedError
from crm.admin.searching import CustomerSearchMixin


class AudienceInline(ReadOnlyTenantInline):
    """The segments of a campaign; they are chosen on its page, where the reach is shown."""

    model = CampaignAudience
    view_permission = Permission.CAMPAIGNS_VIEW
    fields = ("mode", "segment")


@admin.register(Campaign)
class CampaignAdmin(TenantModelAdmin):
    """Every campaign; drafts can be changed, and the steps of a campaign's life be taken for several at once."""

    view_permission = Permission.CAMPAIGNS_VIEW
    add_permission = change_permission = Permission.CAMPAIGNS_CHANGE
    list_display = ("name", "state", "purpose", "template", "account", "scheduled_at", "launched_at", "completed_at")
    list_select_related = ("template", "account")
    list_filter = ("state", "purpose", ("launched_at", MomentRangeFilter))
    list_filter_submit = True
    search_fields = ("name",)
    fields = (
        "name",
        "purpose",
        "template",
        "account",
        "scheduled_at",
        "attribution_days",
        "state",
        "state_reason",
        "launched_at",
        "completed_at",
    )
    readonly_fields = ("state", "state_reason", "launched_at", "completed_at")
    inlines = (AudienceInline,)
    actions = ("pause_campaigns", "resume_campaigns", "cancel_campaigns", "duplicate_campaigns")
    actions_detail = ("open_page",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.state == CampaignState.DRAFT)

    def create_record(self, obj: Campaign, *, form: Form, actor: Actor) -> models.Model:
        return actions.create_campaign(actor=actor, **form.cleaned_data)

    def change_record(self, obj: Campaign, *, form: Form, actor: Actor) -> None:
        try:
            actions.update_campaign(campaign=obj, actor=actor, **form.cleaned_data)
        except CampaignRefusedError as error:
            raise ValidationError(str(error)) from error

    @action(description=_("Open the campaign's page"), url_path="open-page")
    def open_page(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return redirect("campaigns:detail", pk=object_id)

    @admin.action(description=_("Pause"), permissions=["launch"])
    def pause_campaigns(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> None:
        self._each(request, queryset, actions.pause_campaign)

    @admin.action(description=_("Go on sending"), permissions=["launch"])
    def resume_campaigns(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> None:
        self._each(request, queryset, actions.resume_campaign)

    @admin.action(description=_("Cancel for good"), permissions=["launch"])
    def cancel_campaigns(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> None:
        self._each(request, queryset, actions.cancel_campaign)

    @admin.action(description=_("Duplicate"), permissions=["change"])
    def duplicate_campaigns(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> None:
        for campaign in queryset:
            actions.duplicate_campaign(campaign=campaign, actor=actor_of(request))

    def has_launch_permission(self, request: HttpRequest) -> bool:
        access = access_of(request)
        return access is not None and access.allows(Permission.CAMPAIGNS_LAUNCH)

    def _each(self, request: HttpRequest, queryset: QuerySet[Campaign], act: Callable[..., object]) -> None:
        for campaign in queryset:
            try:
                with transaction.atomic():
                    act(campaign=campaign, actor=actor_of(request), now=timezone.now())
            except CampaignRefusedError as error:
                messages.error(request, f"{campaign}: {error}")
            else:
                campaign.refresh_from_db(fields=["state"])
                messages.success(request, f"{campaign}: {campaign.get_state_display()}")


@admin.register(CampaignAudience)
class CampaignAudienceAdmin(ReadOnlyTenantAdmin):
    """Which segments campaigns include and exclude."""

    view_permission = Permission.CAMPAIGNS_VIEW
    list_display = ("campaign", "mode", "segment")
    list_select_related = ("campaign", "segment")
    list_filter = ("mode",)
    search_fields = ("campaign__name", "segment__name")


@admin.register(Attribution)
class AttributionAdmin(CustomerSearchMixin, ReadOnlyTenantAdmin):
    """Purchases and refunds that count for campaigns."""

    view_permission = Permission.CAMPAIGNS_VIEW
    location_lookup = "purchase__location"
    list_display = ("purchase", "campaign", "customer", "basis", "amount_minor", "touched_at", "purchased_at")
    list_select_related = ("purchase", "campaign", "customer")
    list_filter = ("basis",)
    ordering = ("-id",)
