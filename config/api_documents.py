"""The OpenAPI document and the page that lets people read and try it."""

from functools import lru_cache
from typing import Any

from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import AllowAny
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


@lru_cache(maxsize=4)
def openapi_document(language: str) -> Any:
    """The document; it changes with the code alone, so it is made once per process and language."""
    with translation.override(language):
        return SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # untyped library


class SchemaView(APIView):
    """OpenAPI 3.1, as JSON or, when asked for, YAML."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]
    throttle_classes: list[Any] = []
    content_negotiation_class = DefaultContentNegotiation
    renderer_classes = [OpenApiJsonRenderer, OpenApiYamlRenderer]
    schema = None

    def get(self, request: Request) -> Response:
        return Response(openapi_document(translation.get_language() or "en"))


class DocumentationView(SpectacularSwaggerSplitView):
    """Swagger UI from our own files; its script has an address of its own, so the content policy stays strict."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]
    throttle_classes: list[Any] = []
    content_negotiation_class = DefaultContentNegotiation
    renderer_classes = [TemplateHTMLRenderer]
