from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.admin_site import ReadOnlyTenantAdmin, ReadOnlyTenantInline
from accounts.permissions import Permission
from crm.admin.seeing import sees_all_locations
from crm.models import ImportChunk, ImportFinding, ImportJob


class OfImport(ReadOnlyTenantAdmin):
    """Something of imports; files of purchases are those of all locations."""

    kind_lookup = "job__kind"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows if sees_all_locations(request) else rows.exclude(**{self.kind_lookup: "purchases"})


class ChunkInline(ReadOnlyTenantInline):
    model = ImportChunk
    view_permission = Permission.CUSTOMERS_IMPORT
    fields = ("first_row", "last_row", "counts", "written_at")


@admin.register(ImportJob)
class ImportJobAdmin(OfImport):
    """Files of customers and purchases; the pages of imports start them."""

    kind_lookup = "kind"
    view_permission = Permission.CUSTOMERS_IMPORT
    list_display = ("__str__", "kind", "state", "is_dry_run", "row_count", "actor_label", "created_at", "finished_at")
    list_filter = ("kind", "state", "is_dry_run")
    search_fields = ("file_name",)
    search_help_text = _("A part of the file's name")
    ordering = ("-id",)
    inlines = (ChunkInline,)
    fields = (
        "file_name", "kind", "state", "is_dry_run", "file_bytes", "encoding", "delimiter", "options", "progress", "row_count", "counts", "refusal",
        "actor_label", "created_at", "started_at", "finished_at",
    )  # fmt: skip

    @admin.display(description=_("error"))
    def refusal(self, job: ImportJob) -> str:
        return job.refusal


@admin.register(ImportFinding)
class ImportFindingAdmin(OfImport):
    """Rows that were rejected, or taken with something left out."""

    view_permission = Permission.CUSTOMERS_IMPORT
    list_display = ("__str__", "job", "is_rejected", "field", "row")
    list_filter = ("is_rejected", "code")
    list_select_related = ("job",)
    ordering = ("-job_id", "row")
    fields = ("job", "row", "is_rejected", "code", "reason", "field", "raw")

    @admin.display(description=_("reason"))
    def reason(self, finding: ImportFinding) -> str:
        return finding.reason


@admin.register(ImportChunk)
class ImportChunkAdmin(OfImport):
    """Ranges of rows that are written."""

    view_permission = Permission.CUSTOMERS_IMPORT
    list_display = ("__str__", "job", "written_at")
    list_select_related = ("job",)
    ordering = ("-id",)
    fields = ("job", "first_row", "last_row", "counts", "written_at")
