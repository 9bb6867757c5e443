from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import ForeignKey, Model
from django.http import HttpRequest
from django.utils import timezone

from accounts.admin_filters import MomentRangeFilter
from accounts.admin_site import TenantModelAdmin
from accounts.audit import Actor
from accounts.permissions import Permission, access_of
from crm.actions import book_visit, change_visit_state
from crm.admin.searching import CustomerSearchMixin
from crm.forms.visit import locations_of
from crm.models import Visit, VisitState


@admin.register(Visit)
class VisitAdmin(CustomerSearchMixin, TenantModelAdmin):
    """Appointments and walk-ins. Only the state of a recorded visit moves on; the rest is history."""

    view_permission = Permission.VISITS_VIEW
    add_permission = change_permission = Permission.VISITS_CHANGE
    location_lookup = "location"
    list_display = ("starts_at", "customer", "service", "state", "location", "staff", "amount_minor")
    list_filter = ("state", "location", ("starts_at", MomentRangeFilter))
    list_filter_submit = True
    list_select_related = ("customer", "location", "staff__user")
    autocomplete_fields = ("customer",)
    ordering = ("-starts_at", "-id")
    fields = ("customer", "service", "state", "starts_at", "location", "staff", "amount_minor", "note")

    def fixed_fields(self, request: Any, obj: Any = None) -> tuple[str, ...]:
        return tuple(name for name in self.fields if name != "state") if obj else ()

    def formfield_for_foreignkey(self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        access = access_of(request)
        if db_field.name == "location" and access is not None:
            kwargs |= {"queryset": locations_of(access), "required": access.location_ids is not None}
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def create_record(self, obj: Any, *, form: forms.Form, actor: Actor) -> Model:
        data = form.cleaned_data | {"state": VisitState(form.cleaned_data["state"])}
        return book_visit(actor=actor, now=timezone.now(), source="admin", **data)

    def change_record(self, obj: Any, *, form: forms.Form, actor: Actor) -> None:
        state = VisitState(form.cleaned_data["state"])
        change_visit_state(visit=obj, state=state, actor=actor, now=timezone.now(), source="admin")
