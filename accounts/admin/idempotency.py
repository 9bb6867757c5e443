from django.contrib import admin

from accounts.admin_site import ReadOnlyTenantAdmin
from accounts.models import IdempotencyKey
from accounts.permissions import Permission


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyTenantAdmin):
    """What the API was asked with an ``Idempotency-Key``, and answered, in the last two days; what recorded purchases and visits stays."""

    view_permission = Permission.API_KEYS_CHANGE
    list_display = ("key", "status", "created_at", "is_lasting")
    search_fields = ("key__startswith",)
    ordering = ("-created_at", "-id")
    fields = ("key", "status", "created_at", "is_lasting", "body")
    readonly_fields = fields
