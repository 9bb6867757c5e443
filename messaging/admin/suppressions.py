from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin_site import TenantModelAdmin, actor_of
from accounts.audit import Actor
from accounts.permissions import Permission
from crm.models import Channel
from messaging.actions.suppressing import lift_suppression, listed_address, suppress_address
from messaging.models import Suppression, SuppressionReason


@admin.register(Suppression)
class SuppressionAdmin(TenantModelAdmin):
    """Addresses nothing is sent to. An entry is added or lifted, never edited."""

    view_permission = Permission.MESSAGES_VIEW
    add_permission = delete_permission = Permission.CONSENT_CHANGE
    list_display = ("address", "channel", "reason", "detail", "created_at")
    list_filter = ("channel", "reason")
    search_fields = ("address__startswith",)
    ordering = ("-created_at",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("channel", "address", "detail") if obj is None else ("channel", "address", "reason", "detail", "created_at")

    def create_record(self, obj: Any, *, form: forms.Form, actor: Actor) -> Suppression:
        channel = Channel(obj.channel)
        suppress_address(channel=channel, address=obj.address, reason=SuppressionReason.MANUAL, detail=obj.detail, actor=actor)
        return Suppression.objects.get(channel=channel, address=listed_address(channel, obj.address))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        lift_suppression(suppression=obj, actor=actor_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Suppression]) -> None:
        for suppression in queryset:
            lift_suppression(suppression=suppression, actor=actor_of(request))
