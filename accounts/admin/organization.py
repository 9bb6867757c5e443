from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminColorInputWidget, UnfoldAdminSelectWidget

from accounts.admin_site import TenantModelAdmin
from accounts.forms import TenantModelForm
from accounts.models import Location, Organization
from accounts.permissions import Permission
from accounts.queries import is_money_recorded
from accounts.tenancy import current_organization_id
from accounts.timezones import time_zone_choices


class TimeZoneForm(TenantModelForm):
    """Offers the time zones that exist: a wrong one would break every page of the organization."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if field := self.fields.get("time_zone"):
            blank = [] if field.required else [("", _("That of the organization"))]
            known = dict(time_zone_choices())
            kept = self.initial.get("time_zone")
            older = [(kept, kept)] if kept and kept not in known else []
            self.fields["time_zone"] = forms.ChoiceField(
                choices=[*blank, *older, *known.items()],
                required=field.required,
                label=field.label,
                help_text=field.help_text,
                initial=field.initial,
                widget=UnfoldAdminSelectWidget,
            )


@admin.register(Organization)
class OrganizationAdmin(TenantModelAdmin):
    """The settings of one's own organization; there is no list, because nobody sees another."""

    form = TimeZoneForm
    view_permission = change_permission = Permission.ORGANIZATION_CHANGE
    fields = (
        "name",
        "slug",
        "language",
        "time_zone",
        "currency",
        "money_unit",
        "region",
        "postal_address",
        "brand_color",
        "logo",
    )

    def fixed_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        # Amounts are integers in minor units of this currency: another one would give them all another worth.
        return ("slug", "currency") if is_money_recorded() else ("slug",)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            return super().changelist_view(request, extra_context)  # type: ignore[no-any-return]  # refuses, in Django's way
        return redirect(reverse("admin:accounts_organization_change", args=[current_organization_id()]))

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "brand_color":
            kwargs["widget"] = UnfoldAdminColorInputWidget
        return super().formfield_for_dbfield(db_field, request, **kwargs)


@admin.register(Location)
class LocationAdmin(TenantModelAdmin):
    """Branches. One that has been used is closed rather than deleted."""

    form = TimeZoneForm
    view_permission = add_permission = change_permission = Permission.ORGANIZATION_CHANGE
    list_display = ("name", "address", "phone", "is_active")
    list_filter = ("is_active",)
    search_fields = ("name", "address")
    prepopulated_fields = {"slug": ("name",)}
    fields = ("name", "slug", "address", "phone", "time_zone", "is_active")
