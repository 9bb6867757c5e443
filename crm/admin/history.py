"""What happened and what was agreed to: to be read, never written."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.admin_filters import MomentRangeFilter
from accounts.admin_site import ReadOnlyTenantAdmin
from accounts.permissions import Permission, access_of
from crm.admin.searching import CustomerSearchMixin
from crm.admin.seeing import sees_all_locations
from crm.models import Consent, ConsentChange, CustomerFacts, Event, EventCursor, EventKey, Identity
from crm.queries.visible import events_for


@admin.register(Event)
class EventAdmin(ReadOnlyTenantAdmin):
    """The event log."""

    view_permission = Permission.EVENTS_VIEW
    list_display = ("occurred_at", "kind", "customer", "source", "recorded_at")
    list_filter = (("occurred_at", MomentRangeFilter),)
    list_filter_submit = True
    list_select_related = ("customer",)
    search_fields = ("kind__collated_prefix",)
    search_help_text = _("The beginning of a kind, such as purchase.")
    ordering = ("-id",)
    fields = ("kind", "customer", "occurred_at", "recorded_at", "source", "properties")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        access = access_of(request)
        if access is None:
            return Event.objects.none()
        return events_for(access)


@admin.register(ConsentChange)
class ConsentChangeAdmin(CustomerSearchMixin, ReadOnlyTenantAdmin):
    """The proof of every consent."""

    view_permission = Permission.CUSTOMERS_VIEW
    list_display = ("at", "customer", "channel", "purpose", "state", "source")
    list_filter = ("channel", "purpose", "state")
    list_select_related = ("customer",)
    ordering = ("-id",)


@admin.register(Consent)
class ConsentAdmin(CustomerSearchMixin, ReadOnlyTenantAdmin):
    """What holds now."""

    view_permission = Permission.CUSTOMERS_VIEW
    list_display = ("customer", "channel", "purpose", "state", "changed_at")
    list_filter = ("channel", "purpose", "state")
    list_select_related = ("customer",)
    ordering = ("-id",)


@admin.register(Identity)
class IdentityAdmin(CustomerSearchMixin, ReadOnlyTenantAdmin):
    """Further names customers are known by."""

    view_permission = Permission.CUSTOMERS_VIEW
    list_display = ("value", "kind", "source", "customer", "created_at")
    list_filter = ("kind",)
    list_select_related = ("customer",)
    own_exact = ("value",)


@admin.register(CustomerFacts)
class CustomerFactsAdmin(CustomerSearchMixin, ReadOnlyTenantAdmin):
    """What is counted per customer."""

    view_permission = Permission.CUSTOMERS_VIEW
    list_display = ("customer", "visit_count", "purchase_count", "spent_minor", "last_visit_at", "last_purchase_at")
    list_select_related = ("customer",)
    ordering = ("-customer_id",)

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return super().has_view_permission(request) and sees_all_locations(request)


@admin.register(EventKey)
class EventKeyAdmin(ReadOnlyTenantAdmin):
    """Keys that make recording an event again a no-op."""

    view_permission = Permission.EVENTS_CHANGE
    list_display = ("source", "key")
    search_fields = ("key__collated_prefix",)


@admin.register(EventCursor)
class EventCursorAdmin(ReadOnlyTenantAdmin):
    """How far each consumer has read the event log."""

    view_permission = Permission.EVENTS_CHANGE
    list_display = ("consumer", "transaction_id", "event_id")
    fields = ("consumer", "event_id")
