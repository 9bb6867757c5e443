from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.admin_filters import MomentRangeFilter
from accounts.admin_site import ReadOnlyTenantAdmin
from accounts.permissions import Permission
from loyalty.models import OperationState, Till, TillOperation


@admin.register(Till)
class TillAdmin(ReadOnlyTenantAdmin):
    """Tills that sent what they did while nobody could be asked, with what still waits for an operation that never came."""

    view_permission = Permission.LOYALTY_VIEW
    list_display = ("code", "applied", "waiting", "first_seen_at")
    search_fields = ("code__istartswith",)
    fields = ("code", "applied", "waiting", "first_seen_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Till]:
        # Whatever waits comes behind what was answered: the index leads there, however long the till's history is.
        behind = TillOperation.objects.filter(till=OuterRef("pk"), sequence__gt=OuterRef("applied"), state=OperationState.WAITING)
        tills: QuerySet[Till] = (
            super()
            .get_queryset(request)
            .annotate(waiting=Coalesce(Subquery(behind.order_by().values("till").annotate(n=Count("*")).values("n")), 0))
        )
        return tills

    @admin.display(description=_("waiting operations"))
    def waiting(self, till: Till) -> int:
        count: int = till.waiting  # type: ignore[attr-defined]  # get_queryset counts them
        return count


@admin.register(TillOperation)
class TillOperationAdmin(ReadOnlyTenantAdmin):
    """What tills did, in their own words, and how each was answered."""

    view_permission = Permission.LOYALTY_VIEW
    list_display = ("till", "sequence", "kind", "state", "occurred_at", "received_at")
    list_filter = ("state", "till", ("received_at", MomentRangeFilter))
    list_filter_submit = True
    list_select_related = ("till",)
    search_fields = ("key__exact",)
    search_help_text = _("The key of an operation")
    ordering = ("-id",)
    fields = ("till", "sequence", "key", "kind", "body", "state", "answer", "occurred_at", "received_at", "answered_at")
