from django.contrib import admin
from django.db import models
from django.forms import Form

from accounts.admin_site import ReadOnlyTenantAdmin, ReadOnlyTenantInline, TenantModelAdmin
from accounts.audit import Actor
from accounts.permissions import Permission
from loyalty.actions.programs import create_program, update_program
from loyalty.models import BudgetUse, ClosedMonth, Program, Terms


class TermsInline(ReadOnlyTenantInline):
    """The versions of a program's terms; they are written on its page, where their effect is shown."""

    model = Terms
    view_permission = Permission.LOYALTY_VIEW
    fields = ("version", "valid_from", "written_by", "created_at")


@admin.register(Program)
class ProgramAdmin(TenantModelAdmin):
    """Programs; they are opened, closed and given terms on their page."""

    view_permission = Permission.LOYALTY_VIEW
    add_permission = change_permission = Permission.LOYALTY_CHANGE
    list_display = ("name", "slug", "points_name", "state", "created_at")
    list_filter = ("state",)
    search_fields = ("name",)
    fields = ("name", "slug", "points_name", "state")
    readonly_fields = ("state",)
    inlines = (TermsInline,)

    def create_record(self, obj: Program, *, form: Form, actor: Actor) -> models.Model:
        return create_program(actor=actor, **form.cleaned_data)

    def change_record(self, obj: Program, *, form: Form, actor: Actor) -> None:
        update_program(program=obj, actor=actor, **form.cleaned_data)


@admin.register(Terms)
class TermsAdmin(ReadOnlyTenantAdmin):
    """Every version of every program's terms, with the document."""

    view_permission = Permission.LOYALTY_VIEW
    list_display = ("program", "version", "valid_from", "written_by", "created_at")
    list_filter = ("program",)
    list_select_related = ("program",)
    fields = ("program", "version", "valid_from", "written_by", "created_at", "document")


@admin.register(BudgetUse)
class BudgetUseAdmin(ReadOnlyTenantAdmin):
    """What rules with a budget have brought all members together."""

    view_permission = Permission.LOYALTY_VIEW
    list_display = ("rule", "program", "used")
    list_filter = ("program",)
    list_select_related = ("program",)
    fields = ("program", "rule", "used")


@admin.register(ClosedMonth)
class ClosedMonthAdmin(ReadOnlyTenantAdmin):
    """What was recorded in the months that are over."""

    view_permission = Permission.INSIGHTS_VIEW
    list_display = ("starts_on", "program", "issued", "redeemed", "expired", "reversed", "deferred_minor")
    list_filter = ("program",)
    list_select_related = ("program",)
    fields = ("program", "time_zone", "starts_on", "issued", "redeemed", "expired", "reversed", "deferred_minor", "closed_at")
