"""Files of customers and purchases: sent, followed while they are read, and what became of their rows."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.fields import Input, Output
from accounts.api.parsing import UploadParser, check_storable
from accounts.api.schema import PATH_ID
from accounts.api.views import ApiViewSet
from accounts.permissions import Permission
from crm.imports.actions import ImportOptions, start_import
from crm.imports.fields import ImportKind
from crm.imports.limits import UnreadableFileError
from crm.imports.queries import refused_words
from crm.models import ImportFinding, ImportJob
from crm.normalisation.amounts import DateOrder
from crm.queries.visible import imports_for

MAX_COLUMNS = 200
MAX_HEADERS = 20
MAX_HEADER = 200
# What of a file cannot be used → where the caller said it.
PLACES = {
    "columns": "columns",
    "unknown_field": "columns",
    "unknown_column": "columns",
    "email_template": "email_template",
    "encoding": "encoding",
    "delimiter": "delimiter",
}


class ImportOutput(Output):
    counts = serializers.DictField(child=serializers.IntegerField(), read_only=True)
    error = serializers.CharField(source="refusal", read_only=True)

    class Meta:
        model = ImportJob
        fields = (
            "id", "kind", "state", "is_dry_run", "file_name", "file_bytes", "encoding", "delimiter", "progress", "row_count", "counts",
            "error", "created_at", "started_at", "finished_at",
        )  # fmt: skip


class FindingOutput(Output):
    message = serializers.CharField(source="reason", read_only=True)

    class Meta:
        model = ImportFinding
        fields = ("id", "row", "is_rejected", "code", "message", "field", "raw")


class ImportInput(Input):
    """A CSV (also packed with gzip) or XLSX file and, where detection is not enough, how to read it."""

    kind = serializers.ChoiceField(choices=[(str(kind), str(kind)) for kind in ImportKind])
    file = serializers.FileField(max_length=200, allow_empty_file=False)
    is_dry_run = serializers.BooleanField(default=False, help_text=_("Only say what would happen."))
    encoding = serializers.CharField(required=False, allow_blank=True, max_length=40)
    delimiter = serializers.CharField(required=False, allow_blank=True, max_length=1, trim_whitespace=False)
    date_order = serializers.ChoiceField(choices=[(str(order), str(order)) for order in DateOrder], required=False, allow_blank=True)
    email_template = serializers.CharField(required=False, allow_blank=True, max_length=120)
    columns = serializers.JSONField(required=False, help_text=_('Field → headers: {"email": ["E-mail", "Mail"]}.'))

    def validate_kind(self, kind: str) -> str:
        if kind == ImportKind.PURCHASES and self.context["view"].access.location_ids is not None:
            raise serializers.ValidationError(_("A file of purchases is imported by somebody of all locations."), code="locations")
        return kind

    def validate_columns(self, value: Any) -> dict[str, list[str]]:
        check_storable(value)
        if not _is_mapping(value):
            raise serializers.ValidationError(_("Give an object of fields and lists of headers."), code="invalid")
        return dict(value)


def _is_mapping(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= MAX_COLUMNS
        and all(isinstance(headers, list) and 0 < len(headers) <= MAX_HEADERS for headers in value.values())
        and all(isinstance(header, str) and len(header) <= MAX_HEADER for headers in value.values() for header in headers)
    )


class ImportViewSet(ApiViewSet):
    """Imports, latest first."""

    queryset = ImportJob.objects.all()
    serializer_class = ImportOutput
    permissions = {
        "list": Permission.CUSTOMERS_IMPORT,
        "retrieve": Permission.CUSTOMERS_IMPORT,
        "create": Permission.CUSTOMERS_IMPORT,
    }

    def all_rows(self) -> QuerySet[Any]:
        return imports_for(self.access)

    def get_parsers(self) -> list[Any]:
        return [UploadParser()]

    @extend_schema(summary="List imports", responses=ImportOutput(many=True))
    def list(self, request: Request) -> Response:
        return self.listed(ImportOutput)

    @extend_schema(summary="Show an import and how far it is", responses=ImportOutput)
    def retrieve(self, request: Request, pk: int) -> Response:
        return self.rendered(ImportOutput, self.found(pk))

    @extend_schema(summary="Import a file", description="Answered at once; follow `state` and `progress`.",
                   request={"multipart/form-data": ImportInput}, responses={201: ImportOutput})  # fmt: skip
    def create(self, request: Request) -> Response:
        values = self.parsed(ImportInput)
        kind, file = ImportKind(values.pop("kind")), values.pop("file")
        try:
            job = start_import(kind=kind, file=file, file_name=file.name, actor=self.actor, now=self.now, options=ImportOptions(**values))
        except UnreadableFileError as error:
            raise ValidationError({PLACES.get(error.code, "file"): [ErrorDetail(refused_words(error), code=error.code)]}) from error
        return self.created(ImportOutput, job)


@extend_schema(parameters=[OpenApiParameter("import_id", PATH_ID, OpenApiParameter.PATH)])
class FindingViewSet(ApiViewSet):
    """Rows that were rejected, or taken with something left out, and why."""

    queryset = ImportFinding.objects.all()
    serializer_class = FindingOutput
    ordering = ("row", "id")
    permissions = {"list": Permission.CUSTOMERS_IMPORT}

    @extend_schema(summary="List what was found in an import", description="In the order of the file.", responses=FindingOutput(many=True))
    def list(self, request: Request, import_id: int) -> Response:
        return self.listed(FindingOutput)

    def get_queryset(self) -> QuerySet[Any]:
        if getattr(self, "swagger_fake_view", False):
            return super().get_queryset()
        job = get_object_or_404(imports_for(self.access), pk=self.kwargs["import_id"])
        return super().get_queryset().filter(job=job)
