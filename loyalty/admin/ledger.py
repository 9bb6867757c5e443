from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from accounts.admin_filters import MomentRangeFilter
from accounts.admin_site import ReadOnlyTenantAdmin, ReadOnlyTenantInline
from accounts.formats import format_moment, format_number
from accounts.permissions import Permission
from crm.admin.searching import CustomerSearchMixin
from loyalty.models import Entry, Hold, Lot, Member, Posting, Wallet


class _OfMember(CustomerSearchMixin, ReadOnlyTenantAdmin):
    """Rows of a member, found by the customer or by the number on the card."""

    view_permission = Permission.LOYALTY_VIEW
    search_help_text = _("A member number, or the beginning of a customer's name, phone number or e-mail address")
    customer_lookup = "member__customer"
    search_fields = ("member__customer__search_key",)
    own_exact = ("member__number",)
    list_select_related: tuple[str, ...] = ("member__customer",)

    @admin.display(description=_("customer"))
    def customer(self, obj: Wallet | Hold | Entry | Lot) -> str:
        return str(obj.member.customer)


@admin.register(Member)
class MemberAdmin(CustomerSearchMixin, ReadOnlyTenantAdmin):
    """Customers in programs; people enrol them on the pages, purchases by themselves."""

    view_permission = Permission.LOYALTY_VIEW
    list_display = ("number", "customer", "program", "tier", "points", "joined_at", "is_active")
    list_filter = ("program", "is_active")
    list_select_related = ("customer", "program", "wallet")
    search_help_text = _("A member number, or the beginning of a customer's name, phone number or e-mail address")
    own_exact = ("number",)
    fields = ("number", "customer", "program", "joined_at", "tier", "tier_since", "tier_until", "is_active")
    actions_detail = ("open_page",)

    @admin.display(description=_("points"), ordering="wallet__balance")
    def points(self, member: Member) -> str:
        return format_number(member.wallet.balance)

    @action(description=_("Open the member's page"), url_path="open-page")
    def open_page(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return redirect("loyalty:member", pk=object_id)


@admin.register(Wallet)
class WalletAdmin(_OfMember):
    """What the entries of a member add up to."""

    list_display = ("member", "customer", "balance", "pending", "held", "debt", "updated_at")
    ordering = ("-updated_at",)
    fields = ("member", "balance", "pending", "held", "debt", "next_due_at", "updated_at")


@admin.register(Hold)
class HoldAdmin(_OfMember):
    """Points reserved at tills."""

    list_display = ("__str__", "member", "customer", "amount", "captured", "state", "placed_at", "lapses_at")
    list_filter = ("state",)
    ordering = ("-id",)


class PostingInline(ReadOnlyTenantInline):
    model = Posting
    view_permission = Permission.LOYALTY_VIEW
    fields = ("account", "amount", "lot")


@admin.register(Entry)
class EntryAdmin(_OfMember):
    """The points ledger, entry by entry, with the postings of each."""

    list_display = ("occurred_at", "kind", "amount", "member", "customer", "reason", "actor_label")
    list_filter = ("kind", ("recorded_at", MomentRangeFilter))
    list_filter_submit = True
    ordering = ("-id",)
    inlines = (PostingInline,)
    fields = (
        "member",
        "sequence",
        "kind",
        "amount",
        "occurred_at",
        "recorded_at",
        "purchase",
        "hold",
        "origin",
        "terms",
        "reason",
        "actor_label",
        "details",
    )


@admin.register(Posting)
class PostingAdmin(ReadOnlyTenantAdmin):
    """The legs of entries; those of one entry sum to zero."""

    view_permission = Permission.LOYALTY_VIEW
    list_display = ("entry", "account", "amount", "lot")
    list_filter = ("account",)
    list_select_related = ("entry", "lot")
    ordering = ("-id",)


@admin.register(Lot)
class LotAdmin(_OfMember):
    """Points that came in together, with what is left of them."""

    list_display = ("__str__", "member", "customer", "amount", "left", "earned_at", "matures_at", "gone_from")
    list_select_related = ("member__customer", "remainder")
    ordering = ("-entry_id",)
    fields = ("entry", "member", "amount", "left", "earned_at", "matures_at", "gone_from")

    @admin.display(description=_("left of it"))
    def left(self, lot: Lot) -> str:
        return format_number(lot.remainder.available + lot.remainder.pending)

    @admin.display(description=_("expires"))
    def gone_from(self, lot: Lot) -> str:
        # Activity may have moved it on; what is left says when it really goes.
        return format_moment(lot.remainder.expires_at) if lot.remainder.expires_at else "–"
