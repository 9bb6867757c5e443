from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.admin_filters import MomentRangeFilter
from accounts.admin_site import ReadOnlyTenantAdmin, ReadOnlyTenantInline
from accounts.permissions import Permission
from crm.admin.searching import CustomerSearchMixin
from crm.models import Purchase, PurchaseLine


class LineInline(ReadOnlyTenantInline):
    model = PurchaseLine
    view_permission = Permission.PURCHASES_VIEW
    fields = ("product_code", "description", "category", "quantity", "unit_price_minor", "amount_minor")


@admin.register(Purchase)
class PurchaseAdmin(CustomerSearchMixin, ReadOnlyTenantAdmin):
    """Receipts: recorded on the pages, by imports and through the API; what was wrong is refunded, never edited."""

    view_permission = Permission.PURCHASES_VIEW
    location_lookup = "location"
    list_display = ("__str__", "purchased_at", "kind", "customer", "total_minor", "payment_method", "location", "source")
    list_filter = ("kind", "payment_method", "location", ("purchased_at", MomentRangeFilter))
    list_filter_submit = True
    list_select_related = ("customer", "location")
    search_help_text = _("A receipt number, or the beginning of a customer's name")
    own_exact = ("number",)
    ordering = ("-purchased_at", "-id")
    inlines = (LineInline,)
    fields = (
        "number",
        "kind",
        "customer",
        "purchased_at",
        "total_minor",
        "payment_method",
        "location",
        "staff",
        "refund_of",
        "source",
        "created_at",
    )


@admin.register(PurchaseLine)
class PurchaseLineAdmin(ReadOnlyTenantAdmin):
    """Lines of receipts, to search by what was bought."""

    view_permission = Permission.PURCHASES_VIEW
    location_lookup = "purchase__location"
    list_display = ("__str__", "purchase", "category", "quantity", "unit_price_minor", "amount_minor")
    list_select_related = ("purchase",)
    search_fields = ("product_code__exact", "description__istartswith")
