from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import F, Model, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.admin_site import ReadOnlyTenantInline, TenantModelAdmin
from accounts.audit import Actor
from accounts.exports import TableFormat
from accounts.formats import format_moment, format_money, format_number
from accounts.forms import TenantModelForm
from accounts.permissions import Permission, access_of
from accounts.queries import current_organization
from accounts.shown_values import ShownValuesMixin
from crm.actions import create_customer, update_customer
from crm.admin.seeing import sees_all_locations
from crm.models import Consent, Customer, CustomerFacts, Identity
from crm.queries.search import find_customers
from crm.views.downloads import customers_download


class CustomerAdminForm(ShownValuesMixin, TenantModelForm):
    """Takes phone and e-mail as people type them; the action brings them into their kept form."""

    phone = forms.CharField(label=_("phone"), required=False, max_length=40, widget=UnfoldAdminTextInputWidget)

    class Meta:
        model = Customer
        exclude = ("search_key",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.carry_shown_values()

    def _get_validation_exclusions(self) -> set[str]:
        # The action checks the kept form of these, and whether another customer has them.
        return super()._get_validation_exclusions() | {"organization", "phone", "email", "external_id"}


class FactsInline(ReadOnlyTenantInline):
    model = CustomerFacts
    view_permission = Permission.CUSTOMERS_VIEW
    fields = ("visit_count", "no_show_count", "purchase_count", "refund_count", "spent_minor", "last_visit_at", "last_purchase_at")

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_view_permission(request, obj) and sees_all_locations(request)


class ConsentInline(ReadOnlyTenantInline):
    model = Consent
    view_permission = Permission.CUSTOMERS_VIEW
    fields = ("channel", "purpose", "state", "changed_at")


class IdentityInline(ReadOnlyTenantInline):
    model = Identity
    view_permission = Permission.CUSTOMERS_VIEW
    fields = ("kind", "source", "value", "created_at")


@admin.register(Customer)
class CustomerAdmin(TenantModelAdmin):
    """Profiles; they are written through the same actions as on the pages."""

    form = CustomerAdminForm
    view_permission = Permission.CUSTOMERS_VIEW
    add_permission = change_permission = Permission.CUSTOMERS_CHANGE
    list_display = ("name_or_address", "phone", "email", "visits", "last_visit", "spent", "created_at")
    list_filter = ("gender", "preferred_location")
    list_select_related = ("facts", "organization")
    search_fields = ("search_key",)  # get_search_results looks by prefix, within the wall
    search_help_text = _("The beginning of a name, phone number or e-mail address, or a customer number")
    counted_everywhere = ("visits", "last_visit", "spent")
    inlines = (FactsInline, ConsentInline, IdentityInline)
    actions = ("export_csv", "export_xlsx")
    fieldsets = (
        (None, {"fields": ("first_name", "last_name", "phone", "email", "external_id")}),
        (_("About them"), {"fields": ("birthday", "gender", "language", "time_zone", "tags", "attributes")}),
        (_("With us"), {"fields": ("preferred_location", "preferred_staff")}),
        (_("Address"), {"fields": ("street", "city", "state", "postal_code", "country")}),
    )

    def get_list_display(self, request: HttpRequest) -> Any:
        shown = super().get_list_display(request)
        return shown if sees_all_locations(request) else [name for name in shown if name not in self.counted_everywhere]

    @admin.display(description=_("name"), ordering="search_key")
    def name_or_address(self, customer: Customer) -> str:
        return str(customer)

    @admin.display(description=_("visits"), ordering="facts__visit_count")
    def visits(self, customer: Customer) -> str:
        return format_number(customer.facts.visit_count)

    @admin.display(description=_("last visit"), ordering=F("facts__last_visit_at").desc(nulls_last=True))
    def last_visit(self, customer: Customer) -> str:
        return format_moment(customer.facts.last_visit_at)

    @admin.display(description=_("spent"), ordering="facts__spent_minor")
    def spent(self, customer: Customer) -> str:
        return format_money(customer.facts.spent_minor, customer.organization.currency, customer.organization.money_unit)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        found = find_customers(search_term, region=current_organization().region, at_most=None)
        return queryset.filter(pk__in=found.order_by().values("pk")), False

    def create_record(self, obj: Any, *, form: forms.Form, actor: Actor) -> Model:
        values = {name: form.cleaned_data[name] for name in form.changed_data}
        return create_customer(actor=actor, now=timezone.now(), source="admin", **values)

    def change_record(self, obj: Any, *, form: forms.Form, actor: Actor) -> None:
        values = {name: form.cleaned_data[name] for name in form.changed_data}
        update_customer(customer=obj, actor=actor, now=timezone.now(), source="admin", **values)

    def has_export_permission(self, request: HttpRequest) -> bool:
        access = access_of(request)
        return access is not None and access.allows(Permission.CUSTOMERS_EXPORT)

    @admin.action(description=_("Download the chosen customers (CSV)"), permissions=["export"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet[Customer]) -> HttpResponseBase:
        return customers_download(request, queryset, TableFormat.CSV, otherwise="admin:crm_customer_changelist")

    @admin.action(description=_("Download the chosen customers (Excel)"), permissions=["export"])
    def export_xlsx(self, request: HttpRequest, queryset: QuerySet[Customer]) -> HttpResponseBase:
        return customers_download(request, queryset, TableFormat.XLSX, otherwise="admin:crm_customer_changelist")
