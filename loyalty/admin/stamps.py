from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.forms import Form
from django.utils.translation import gettext as _

from accounts.admin_filters import MomentRangeFilter
from accounts.admin_site import ReadOnlyTenantAdmin, ReadOnlyTenantInline, TenantModelAdmin
from accounts.audit import Actor
from accounts.permissions import Permission
from loyalty.actions.stamps import FIXED, CardInUseError, change_stamp_card, create_stamp_card
from loyalty.models import FilledCard, MemberCard, Stamp, StampCard


@admin.register(StampCard)
class StampCardAdmin(TenantModelAdmin):
    """Stamp cards that programs offer. What a card counts stays once somebody has stamps on it."""

    view_permission = Permission.LOYALTY_VIEW
    add_permission = change_permission = Permission.LOYALTY_CHANGE
    list_display = ("name", "program", "size", "stamped_for", "reward", "is_active")
    list_filter = ("program", "stamped_for", "is_active")
    list_select_related = ("program", "reward")
    search_fields = ("name__istartswith",)
    fields = ("program", "name", *FIXED, "reward", "valid_from", "valid_until", "is_active")

    def fixed_fields(self, request: Any, obj: Any = None) -> tuple[str, ...]:
        return ("program",) if obj else ()

    def create_record(self, obj: StampCard, *, form: Form, actor: Actor) -> Model:
        return create_stamp_card(actor=actor, **form.cleaned_data)

    def change_record(self, obj: StampCard, *, form: Form, actor: Actor) -> None:
        try:
            change_stamp_card(card=obj, actor=actor, **{name: form.cleaned_data[name] for name in form.changed_data})
        except CardInUseError as error:
            raise ValidationError(_("Members have stamps on this card, so what it counts stays. Offer a new card instead.")) from error


class StampInline(ReadOnlyTenantInline):
    model = Stamp
    view_permission = Permission.LOYALTY_VIEW
    fields = ("key", "count", "stamped_at")


class FilledCardInline(ReadOnlyTenantInline):
    model = FilledCard
    view_permission = Permission.LOYALTY_VIEW
    fields = ("number", "filled_at")


@admin.register(MemberCard)
class MemberCardAdmin(ReadOnlyTenantAdmin):
    """Where members' cards stand."""

    view_permission = Permission.LOYALTY_VIEW
    list_display = ("member", "card", "stamps")
    list_filter = ("card",)
    list_select_related = ("member", "card")
    search_fields = ("member__number__exact",)
    ordering = ("-id",)
    inlines = (StampInline, FilledCardInline)


@admin.register(Stamp)
class StampAdmin(ReadOnlyTenantAdmin):
    """What each stamp was for."""

    view_permission = Permission.LOYALTY_VIEW
    list_display = ("stamped_at", "member_card", "key", "count")
    list_filter = (("stamped_at", MomentRangeFilter),)
    list_filter_submit = True
    list_select_related = ("member_card",)
    search_fields = ("key__exact",)
    ordering = ("-id",)


@admin.register(FilledCard)
class FilledCardAdmin(ReadOnlyTenantAdmin):
    """Cards that were full; their vouchers' codes are shown to those who may use them."""

    view_permission = Permission.POINTS_CHANGE
    list_display = ("filled_at", "member_card", "number", "voucher")
    list_select_related = ("member_card", "voucher")
    ordering = ("-id",)
