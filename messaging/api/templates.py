"""Templates over the API: wordings, what is wrong with them, how they look."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.fields import Input, Output
from accounts.api.filters import FlagFilter
from accounts.api.schema import PATH_ID
from accounts.api.views import ApiViewSet
from accounts.permissions import Permission
from accounts.queries import current_organization
from crm.api.fields import CustomerField
from crm.models import Channel, Purpose
from messaging.actions.templates import archive_template, create_template, restore_template, save_version, update_template
from messaging.content.frame import MessageSource
from messaging.content.problems import MessageRejectedError, RenderError, Severity, errors_of
from messaging.content.validation import (
    MAX_HTML_CHARACTERS,
    MAX_SUBJECT_CHARACTERS,
    MAX_TEXT_CHARACTERS,
    validate_message,
)
from messaging.models import MessageTemplate, TemplateVersion
from messaging.previews import preview_message
from messaging.variables import known_variables

LANGUAGE = r"^[a-z]{2,3}(-[A-Za-z]{2,4})?$"


class TemplateOutput(Output):
    class Meta:
        model = MessageTemplate
        exclude = ("organization",)


class TemplateInput(Input):
    name = serializers.CharField(max_length=120)
    purpose = serializers.ChoiceField(choices=Purpose.choices, required=False)


class NewTemplateInput(TemplateInput):
    channel = serializers.ChoiceField(choices=Channel.choices, required=False)


class VersionOutput(Output):
    links = serializers.ListField(child=serializers.DictField(), read_only=True)

    class Meta:
        model = TemplateVersion
        exclude = ("organization", "created_by")


class VersionSummaryOutput(Output):
    class Meta:
        model = TemplateVersion
        fields = ("id", "number", "language", "subject", "created_at")


class WordingInput(Input):
    """A message as its author writes it, with variables such as {{ customer.first_name }}."""

    subject = serializers.CharField(max_length=MAX_SUBJECT_CHARACTERS, allow_blank=True)
    html = serializers.CharField(max_length=MAX_HTML_CHARACTERS, allow_blank=True, trim_whitespace=False)
    text = serializers.CharField(max_length=MAX_TEXT_CHARACTERS, required=False, allow_blank=True, trim_whitespace=False)
    preheader = serializers.CharField(max_length=MAX_SUBJECT_CHARACTERS, required=False, allow_blank=True)
    language = serializers.RegexField(LANGUAGE, required=False, max_length=8)


class ValidateInput(WordingInput):
    purpose = serializers.ChoiceField(choices=Purpose.choices, default=Purpose.MARKETING)


class PreviewWordingInput(WordingInput):
    customer = CustomerField(required=False, allow_null=True)


class PreviewVersionInput(Input):
    customer = CustomerField(required=False, allow_null=True)


class WordingProblemOutput(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()
    part = serializers.CharField()
    line = serializers.IntegerField(allow_null=True)
    name = serializers.CharField(allow_blank=True)
    severity = serializers.ChoiceField(choices=[(str(severity), str(severity)) for severity in Severity])


class ProblemsOutput(serializers.Serializer[Any]):
    is_sendable = serializers.BooleanField()
    problems = WordingProblemOutput(many=True)


class MessagePreviewOutput(serializers.Serializer[Any]):
    sender = serializers.CharField()
    recipient = serializers.CharField()
    subject = serializers.CharField(allow_blank=True)
    html = serializers.CharField(allow_blank=True)
    text = serializers.CharField(allow_blank=True)


class TemplateFilter(django_filters.FilterSet):
    is_archived = FlagFilter(field_name="archived_at", lookup_expr="isnull", exclude=True)
    purpose = django_filters.ChoiceFilter(choices=Purpose.choices)

    class Meta:
        model = MessageTemplate
        fields: list[str] = []


class TemplateViewSet(ApiViewSet):
    """Messages with a name; their words stand in versions that never change."""

    queryset = MessageTemplate.objects.all()
    serializer_class = TemplateOutput
    filterset_class = TemplateFilter
    bodiless = frozenset({"archive", "restore"})
    permissions = {
        "list": Permission.TEMPLATES_VIEW,
        "retrieve": Permission.TEMPLATES_VIEW,
        "check_wording": Permission.TEMPLATES_VIEW,
        "preview": (Permission.TEMPLATES_VIEW, Permission.CUSTOMERS_VIEW),
        "create": Permission.TEMPLATES_CHANGE,
        "partial_update": Permission.TEMPLATES_CHANGE,
        "archive": Permission.TEMPLATES_CHANGE,
        "restore": Permission.TEMPLATES_CHANGE,
    }

    @extend_schema(summary="List templates", responses=TemplateOutput(many=True))
    def list(self, request: Request) -> Response:
        return self.listed(TemplateOutput)

    @extend_schema(summary="Show a template", responses=TemplateOutput)
    def retrieve(self, request: Request, pk: int) -> Response:
        return self.rendered(TemplateOutput, self.found(pk))

    @extend_schema(summary="Begin a template", description="It says nothing until it has a version.",
                   request=NewTemplateInput, responses={201: TemplateOutput})  # fmt: skip
    def create(self, request: Request) -> Response:
        return self.created(TemplateOutput, create_template(actor=self.actor, **self.parsed(NewTemplateInput)))

    @extend_schema(summary="Rename a template or give it another purpose", request=TemplateInput, responses=TemplateOutput)
    def partial_update(self, request: Request, pk: int) -> Response:
        template, values = self.found(pk), self.parsed(TemplateInput, partial=True)
        update_template(template=template, actor=self.actor, **values)
        return self.rendered(TemplateOutput, template)

    @extend_schema(summary="Archive a template", request=None, responses=TemplateOutput)
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: int) -> Response:
        template = self.found(pk)
        archive_template(template=template, now=self.now, actor=self.actor)
        return self.rendered(TemplateOutput, template)

    @extend_schema(summary="Bring an archived template back", request=None, responses=TemplateOutput)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: int) -> Response:
        template = self.found(pk)
        restore_template(template=template, actor=self.actor)
        return self.rendered(TemplateOutput, template)

    @extend_schema(
        summary="Say what is wrong with a wording", description="Nothing is saved.", request=ValidateInput, responses=ProblemsOutput
    )
    @action(detail=False, methods=["post"], url_path="validate")
    def check_wording(self, request: Request) -> Response:
        values = self.parsed(ValidateInput)
        unsubscribable = values.pop("purpose") != Purpose.TRANSACTIONAL
        address = current_organization().postal_address
        problems = validate_message(worded(values), known_variables(), unsubscribable=unsubscribable, postal_address=address)
        return self.rendered(ProblemsOutput, {"is_sendable": not errors_of(problems), "problems": problems})

    @extend_schema(summary="Show a wording as a customer would see it", description="Without a customer: with sample values. Nothing is saved.",
                   request=PreviewWordingInput, responses=MessagePreviewOutput)  # fmt: skip
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        values = self.parsed(PreviewWordingInput)
        customer = values.pop("customer", None)
        with faults_told():
            seen = preview_message(source=worded(values), now=self.now, customer_id=customer.pk if customer else None)
        return self.rendered(MessagePreviewOutput, seen)


@extend_schema(parameters=[OpenApiParameter("template_id", PATH_ID, OpenApiParameter.PATH)])
class VersionViewSet(ApiViewSet):
    """The wordings of a template; addressed by their number."""

    queryset = TemplateVersion.objects.all()
    serializer_class = VersionOutput
    permissions = {
        "list": Permission.TEMPLATES_VIEW,
        "retrieve": Permission.TEMPLATES_VIEW,
        "preview": (Permission.TEMPLATES_VIEW, Permission.CUSTOMERS_VIEW),
        "create": Permission.TEMPLATES_CHANGE,
    }
    lookup_field = "number"

    @extend_schema(summary="List a template's versions", description="Newest first, without their words.",
                   responses=VersionSummaryOutput(many=True))  # fmt: skip
    def list(self, request: Request, template_id: int) -> Response:
        return self.listed(VersionSummaryOutput)

    @extend_schema(summary="Show a version of a template", responses=VersionOutput)
    def retrieve(self, request: Request, template_id: int, number: int) -> Response:
        return self.rendered(VersionOutput, self.version(number))

    @extend_schema(summary="Save a wording as the next version", description="The wording it has already is no new version.",
                   request=WordingInput, responses={201: VersionOutput})  # fmt: skip
    def create(self, request: Request, template_id: int) -> Response:
        template, values = self.template(), self.parsed(WordingInput)
        with faults_told():
            version = save_version(template=template, source=worded(values), actor=self.actor)
        return self.located(self.rendered(VersionOutput, version, 201), number=version.number)

    @extend_schema(summary="Show a version as a customer would see it", request=PreviewVersionInput, responses=MessagePreviewOutput)
    @action(detail=True, methods=["post"])
    def preview(self, request: Request, template_id: int, number: int) -> Response:
        version, customer = self.version(number), self.parsed(PreviewVersionInput).get("customer")
        source = MessageSource(version.subject, version.html, version.text, version.preheader, version.language)
        with faults_told():
            seen = preview_message(source=source, now=self.now, customer_id=customer.pk if customer else None)
        return self.rendered(MessagePreviewOutput, seen)

    def template(self) -> MessageTemplate:
        return get_object_or_404(MessageTemplate.objects.all(), pk=self.kwargs["template_id"])

    def version(self, number: int) -> TemplateVersion:
        version: TemplateVersion = get_object_or_404(self.get_queryset(), number=number)
        return version

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        return rows if getattr(self, "swagger_fake_view", False) else rows.filter(template=self.template())


def worded(values: dict[str, Any]) -> MessageSource:
    """What the compiler takes; in the organization's language unless another is named."""
    return MessageSource(**{"language": current_organization().language, **values})


@contextmanager
def faults_told() -> Iterator[None]:
    """Tell what is wrong with a message at the part it is in."""
    try:
        yield
    except MessageRejectedError as error:
        raise ValidationError(_by_part(error)) from error
    except RenderError as error:
        raise ValidationError({"html": [ErrorDetail(error.detail, code=error.reason)]}) from error


def _by_part(error: MessageRejectedError) -> dict[str, list[ErrorDetail]]:
    faults: dict[str, list[ErrorDetail]] = {}
    for problem in error.problems:
        faults.setdefault("html" if problem.part == "message" else str(problem.part), []).append(
            ErrorDetail(problem.message, code=problem.code)
        )
    return faults
