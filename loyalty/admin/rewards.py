from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.forms import Form
from django.utils.translation import gettext_lazy as _

from accounts.admin_filters import MomentRangeFilter
from accounts.admin_site import ReadOnlyTenantAdmin, TenantModelAdmin
from accounts.audit import Actor
from accounts.permissions import Permission
from loyalty.actions.catalogue import change_reward, create_reward
from loyalty.models import Reward, Voucher


@admin.register(Reward)
class RewardAdmin(TenantModelAdmin):
    """The catalogue. What is sold is counted by vouchers, never typed; a reward that was offered once stays."""

    view_permission = Permission.LOYALTY_VIEW
    add_permission = change_permission = Permission.LOYALTY_CHANGE
    list_display = ("name", "program", "kind", "points", "cash_minor", "stock", "sold", "is_active")
    list_filter = ("program", "kind", "is_active")
    list_select_related = ("program",)
    search_fields = ("name__istartswith",)
    readonly_fields = ("sold", "created_at")
    fieldsets = (
        (None, {"fields": ("program", "name", "description", "kind", "picture", "picture_url", "is_active")}),
        (_("Price"), {"fields": ("points", "cash_minor")}),
        (_("Stock"), {"fields": ("stock", "sold")}),
        (_("Who and when"), {"fields": ("valid_from", "valid_until", "limit_per_member", "limit_per_period", "limit_period", "tiers")}),
        (_("Vouchers"), {"fields": ("voucher_days",)}),
    )

    def fixed_fields(self, request: Any, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "program") if obj else self.readonly_fields

    def create_record(self, obj: Reward, *, form: Form, actor: Actor) -> Model:
        return create_reward(actor=actor, **_values(form, form.cleaned_data))

    def change_record(self, obj: Reward, *, form: Form, actor: Actor) -> None:
        change_reward(reward=obj, actor=actor, **_values(form, form.changed_data))


def _values(form: Form, names: Iterable[str]) -> dict[str, Any]:
    # The form says False of a picture that is taken away.
    return {name: form.cleaned_data[name] or "" if name == "picture" else form.cleaned_data[name] for name in names}


@admin.register(Voucher)
class VoucherAdmin(ReadOnlyTenantAdmin):
    """Vouchers. Codes are worth what stands on them: they are shown to those who may use them."""

    view_permission = Permission.POINTS_CHANGE
    list_display = ("code", "reward", "member", "state", "points", "cash_minor", "issued_at", "expires_at", "used_at", "used_location")
    list_filter = ("state", "reward", ("issued_at", MomentRangeFilter))
    list_filter_submit = True
    list_select_related = ("reward", "member", "used_location")
    search_fields = ("code__exact", "member__number__exact")
    search_help_text = _("A voucher's code or a member's number")
    ordering = ("-id",)
