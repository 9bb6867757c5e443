"""Importing on pages: choose a file, check its columns on the first rows, watch it, read what became of it."""

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.vary import vary_on_headers

from accounts.exports import csv_response
from accounts.pagination import PAGE_SIZE, BoundedPaginator
from accounts.permissions import Permission, requires
from crm.imports.actions import choose_columns, repeat_import, start_import
from crm.imports.fields import ImportKind
from crm.imports.forms import ColumnsForm, UploadForm
from crm.imports.limits import UnreadableFileError
from crm.imports.queries import import_progress, preview_import, refused_words, summary_lines
from crm.models import ImportFinding, ImportJobState
from crm.queries.visible import imports_for
from crm.views.asking import asking

SHOWN_FINDINGS = 25
MOST_DOWNLOADED = 200_000
TONES = {ImportJobState.DONE: "good", ImportJobState.FAILED: "bad", ImportJobState.DRAFT: "warn"}


@requires(Permission.CUSTOMERS_IMPORT)
def list_imports(request: HttpRequest) -> HttpResponse:
    """Imports, the latest first."""
    page = BoundedPaginator(imports_for(asking(request)), PAGE_SIZE).get_page(request.GET.get("page"))
    rows = [(job, TONES.get(ImportJobState(job.state), "info")) for job in page.object_list]
    return render(request, "crm/imports/list.html", {"title": _("Imports"), "page": page, "rows": rows})


@requires(Permission.CUSTOMERS_IMPORT)
def new_import(request: HttpRequest) -> HttpResponse:
    """Choose a file; it is kept and its columns are looked at next."""
    form = UploadForm(request.POST or None, request.FILES or None, access=asking(request))
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            job = start_import(
                kind=ImportKind(form.cleaned_data["kind"]), file=file, file_name=file.name, actor=asking(request).actor, now=timezone.now(),
                is_draft=True,
            )  # fmt: skip
        except UnreadableFileError as error:
            form.add_error("file", refused_words(error))
        else:
            return redirect("crm:import_columns", pk=job.pk)
    return render(request, "crm/imports/upload.html", {"title": _("Import a file"), "form": form})


@requires(Permission.CUSTOMERS_IMPORT)
def check_columns(request: HttpRequest, pk: int) -> HttpResponse:
    """Which column is what, on the first rows; from here it is rehearsed or imported."""
    job = get_object_or_404(imports_for(asking(request)), pk=pk)
    if job.state != ImportJobState.DRAFT:
        return redirect("crm:import", pk=pk)
    form = ColumnsForm(request.POST or None, job=job)
    if request.method == "POST" and form.is_valid():
        try:
            choose_columns(job=job, options=form.options(is_dry_run="rehearse" in request.POST), actor=asking(request).actor)
        except UnreadableFileError as error:
            form.add_error(None, refused_words(error))
        else:
            return redirect("crm:import", pk=pk)
    preview = preview_import(job)
    columns = [
        (field, [cells[index] for _row, cells in preview.rows if index < len(cells) and cells[index]])
        for index, field in enumerate(form.columns())
    ]
    context = {"title": _("Check the columns"), "job": job, "form": form, "columns": columns, "findings": preview.findings}
    return render(request, "crm/imports/columns.html", context)


# Browsers that go back keep the page and its fragment apart.
@vary_on_headers("HX-Request")
@requires(Permission.CUSTOMERS_IMPORT)
def show_import(request: HttpRequest, pk: int) -> HttpResponse:
    """How far an import is, or what became of it; the page asks again every two seconds until it is over."""
    job = get_object_or_404(imports_for(asking(request)), pk=pk)
    if job.state == ImportJobState.DRAFT:
        return redirect("crm:import_columns", pk=pk)
    findings = ImportFinding.objects.filter(job=job).order_by("-is_rejected", "row", "id") if job.is_over else ImportFinding.objects.none()
    first = list(findings[: SHOWN_FINDINGS + 1])
    context = {
        "title": job.file_name, "job": job, "progress": import_progress(job, now=timezone.now()), "tone": TONES.get(ImportJobState(job.state), "info"),
        "lines": summary_lines(job) if job.is_over else [], "findings": first[:SHOWN_FINDINGS],
        "shown": SHOWN_FINDINGS, "has_more_findings": len(first) > SHOWN_FINDINGS,
    }  # fmt: skip
    return render(request, "crm/imports/fragments/state.html" if request.headers.get("HX-Request") else "crm/imports/show.html", context)


@requires(Permission.CUSTOMERS_IMPORT)
def rehearsed_for_real(request: HttpRequest, pk: int) -> HttpResponse:
    """Import the file of a rehearsal with the same columns."""
    rehearsal = get_object_or_404(imports_for(asking(request)), pk=pk, is_dry_run=True, state=ImportJobState.DONE)
    if request.method != "POST":
        return redirect("crm:import", pk=pk)
    job = repeat_import(job=rehearsal, actor=asking(request).actor, now=timezone.now())
    messages.success(request, _("The import has begun."))
    return redirect("crm:import", pk=job.pk)


@requires(Permission.CUSTOMERS_IMPORT)
def download_findings(request: HttpRequest, pk: int) -> HttpResponse:
    """Rows that were rejected or changed, as they stood in the file, with the reason."""
    job = get_object_or_404(imports_for(asking(request)), pk=pk)
    rows: QuerySet[ImportFinding] = ImportFinding.objects.filter(job=job)
    if request.GET.get("only") == "rejected":
        rows = rows.filter(is_rejected=True)
    header = [_("Row"), _("Rejected"), _("Field"), _("Reason"), _("Row as it stood")]
    cells = (
        (found.row, _("yes") if found.is_rejected else _("no"), found.field, found.reason, found.raw)
        for found in rows.order_by("row", "id")[:MOST_DOWNLOADED].iterator(chunk_size=2_000)
    )
    return csv_response(f"import-{job.pk}-rows", header, cells)
