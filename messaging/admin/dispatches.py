from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.admin_filters import MomentRangeFilter
from accounts.admin_site import ReadOnlyTenantAdmin
from accounts.permissions import Permission
from crm.admin.searching import CustomerSearchMixin
from messaging.models import Chunk, Delivery, Dispatch, TrackingHit
from messaging.models.delivery import reason_words


@admin.register(Dispatch)
class DispatchAdmin(ReadOnlyTenantAdmin):
    """Messages on their way; campaigns steer them, nothing is changed here."""

    view_permission = Permission.MESSAGES_VIEW
    list_display = (
        "label", "channel", "purpose", "state", "planned_count", "sent_count", "failed_count", "skipped_count", "ambiguous_count",
        "created_at", "completed_at",
    )  # fmt: skip
    list_filter = ("state", "channel", "purpose", ("created_at", MomentRangeFilter))
    list_filter_submit = True
    search_fields = ("label",)


@admin.register(Delivery)
class DeliveryAdmin(CustomerSearchMixin, ReadOnlyTenantAdmin):
    """The ledger: one row per recipient, with the reason each was sent or not."""

    view_permission = Permission.MESSAGES_VIEW
    list_display = (
        "address", "customer", "dispatch", "state", "told_reason", "sent_at", "opened_at", "clicked_at", "unsubscribed_at", "bounced_at",
    )  # fmt: skip
    list_select_related = ("customer", "dispatch")
    list_filter = ("state",)
    ordering = ("-id",)

    @admin.display(description=_("reason"), ordering="reason")
    def told_reason(self, delivery: Delivery) -> str:
        return reason_words(delivery.reason)


@admin.register(TrackingHit)
class TrackingHitAdmin(ReadOnlyTenantAdmin):
    """Every request for a pixel or a tracked link, people's and machines'."""

    view_permission = Permission.MESSAGES_VIEW
    list_display = ("at", "kind", "delivery_number", "link_index", "address", "machine", "user_agent")
    list_filter = ("kind", "machine")
    ordering = ("-id",)
    fields = ("at", "kind", "delivery_number", "link_index", "address", "machine", "user_agent")

    @admin.display(description=_("delivery"))
    def delivery_number(self, hit: TrackingHit) -> int:
        return hit.delivery_id


@admin.register(Chunk)
class ChunkAdmin(ReadOnlyTenantAdmin):
    """Parts of the ledger as workers hold them; for whoever looks into a stalled dispatch."""

    view_permission = Permission.SENDERS_CHANGE
    list_display = ("dispatch", "first_id", "last_id", "done_through", "sending_through", "leased_until", "finished_at")
    list_select_related = ("dispatch",)
    list_filter = (("finished_at", admin.EmptyFieldListFilter),)
    ordering = ("-id",)
