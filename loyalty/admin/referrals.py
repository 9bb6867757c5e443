from django.contrib import admin

from accounts.admin_filters import MomentRangeFilter
from accounts.admin_site import ReadOnlyTenantAdmin
from accounts.permissions import Permission
from crm.admin.searching import CustomerSearchMixin
from loyalty.models import Referral, ReferralCode, ReferredIdentity


@admin.register(Referral)
class ReferralAdmin(CustomerSearchMixin, ReadOnlyTenantAdmin):
    """Who brought whom, what it brought, and what was noticed about it."""

    view_permission = Permission.LOYALTY_VIEW
    list_display = ("referrer", "customer", "state", "rejection", "flags", "joined_at", "referrer_points", "referee_points")
    list_filter = ("state", "rejection", "program", ("joined_at", MomentRangeFilter))
    list_filter_submit = True
    list_select_related = ("referrer", "customer")
    ordering = ("-id",)
    fields = (
        "program",
        "referrer",
        "customer",
        "state",
        "rejection",
        "flags",
        "invited_at",
        "joined_at",
        "purchase",
        "rewarded_at",
        "referrer_points",
        "referee_points",
    )


@admin.register(ReferralCode)
class ReferralCodeAdmin(ReadOnlyTenantAdmin):
    """Members' codes."""

    view_permission = Permission.LOYALTY_VIEW
    list_display = ("code", "member", "created_at")
    list_select_related = ("member",)
    search_fields = ("code__exact", "member__number__exact")
    ordering = ("-id",)
    fields = ("code", "member", "created_at")


@admin.register(ReferredIdentity)
class ReferredIdentityAdmin(ReadOnlyTenantAdmin):
    """Hashes of who was referred."""

    view_permission = Permission.LOYALTY_CHANGE
    list_display = ("identity", "program", "referral")
    list_select_related = ("program", "referral")
    search_fields = ("identity__exact",)
    ordering = ("-id",)
