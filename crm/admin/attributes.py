from django.contrib import admin

from accounts.admin_site import TenantModelAdmin
from accounts.permissions import Permission
from crm.models import AttributeDefinition


@admin.register(AttributeDefinition)
class AttributeDefinitionAdmin(TenantModelAdmin):
    """The custom attributes that profiles may have. The type stays: values of the old one would be left behind."""

    view_permission = Permission.CUSTOMERS_VIEW
    add_permission = change_permission = Permission.ORGANIZATION_CHANGE
    list_display = ("label", "key", "type")
    list_filter = ("type",)
    search_fields = ("label", "key")
    prepopulated_fields = {"key": ("label",)}
    fields = ("label", "key", "type", "choices")

    def fixed_fields(self, request: object, obj: object = None) -> tuple[str, ...]:
        return ("key", "type") if obj else ()

    def get_prepopulated_fields(self, request: object, obj: object = None) -> dict[str, tuple[str, ...]]:
        return {} if obj else {"key": ("label",)}
