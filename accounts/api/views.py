"""The base of every view of the API: one transaction in the caller's tenant scope, from authentication to the rendered answer."""

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import Any, ClassVar, cast

from django.db import IntegrityError, models, transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import status
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, Serializer
from rest_framework.viewsets import GenericViewSet

from accounts.api.errors import ParameterError
from accounts.api.fields import Input
from accounts.api.idempotency import Replayed, claim, keep_answer
from accounts.audit import Actor
from accounts.permissions import Access, Permission
from accounts.tenancy import tenant

SOURCE = "api"
ID = "[0-9]{1,19}"  # in addresses; no more digits than a key of the database can have
# How long a statement may take, and how long a request waits for another (one with the same Idempotency-Key, say).
LIMITS = {"statement_timeout": "30s", "lock_timeout": "10s"}
PAGE_PARAMETERS = frozenset({"cursor", "limit"})


class ApiViewSet(GenericViewSet[Any]):
    """Parse, authorise, call one action or query, render.

    ``permissions`` says per action of the viewset what the caller needs; an action that is missing there is shut.
    Keys of ``lasting`` actions are never forgotten: what they record earns, and nothing else may tell that it was recorded.
    ``conflicts`` are the problems with members of their own that its writing actions may answer, for the document.
    ``bodiless`` actions are told nothing by a body; one that says something all the same is refused.
    ``made_at`` says where what an action makes stands, by the base name of its addresses, if not among the viewset's own.
    ``queryset`` rows are found by ``pk`` inside the caller's organization, and at the caller's locations where
    ``location_lookup`` names the way to the location.
    """

    permissions: ClassVar[Mapping[str, Permission | tuple[Permission, ...]]] = {}
    lasting: ClassVar[frozenset[str]] = frozenset()
    conflicts: ClassVar[tuple[type[Serializer[Any]], ...]] = ()
    made_at: ClassVar[Mapping[str, str]] = {}
    bodiless: ClassVar[frozenset[str]] = frozenset()
    ordering: tuple[str, ...] = ("-id",)
    location_lookup: str | None = None
    lookup_value_regex = ID
    http_method_names = ["get", "head", "post", "patch", "delete"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        """Answer inside the caller's scope; every answer that is an error leaves nothing behind."""
        self.now: datetime = timezone.now()
        self.claimed: int | None = None
        try:
            with ExitStack() as self.scope:
                response = cast(Response, super().dispatch(request, *args, **kwargs))
                response.render()
                if response.status_code < status.HTTP_400_BAD_REQUEST and self.claimed is not None:
                    keep_answer(self.claimed, response, lasting=self.action in self.lasting)
                elif response.status_code >= status.HTTP_400_BAD_REQUEST and isinstance(self.request.auth, Access):
                    transaction.set_rollback(True)
                return response
        except IntegrityError as error:  # a reference that vanished is found at the commit
            return self._late_refusal(error)

    def _late_refusal(self, error: IntegrityError) -> Response:
        response = self.finalize_response(self.request, self.handle_exception(error))
        response.render()
        return response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.check_parameters()
        self.claimed = claim(request, self.access, self.now)
        if self.action in self.bodiless:
            self.parsed(Input)

    def perform_authentication(self, request: Request) -> None:
        super().perform_authentication(request)
        if isinstance(request.auth, Access):
            self.scope.enter_context(tenant(request.auth.organization_id, **LIMITS))

    def handle_exception(self, exc: Exception) -> Response:
        return exc.response if isinstance(exc, Replayed) else super().handle_exception(exc)

    def check_parameters(self) -> None:
        """Refuse query parameters that nothing reads: a mistyped filter would quietly return everything."""
        known = self.known_parameters()
        unknown = [name for name in self.request.query_params if name not in known]
        nul = [name for name, value in self.request.query_params.items() if "\x00" in value]
        errors = {name: [ErrorDetail(_("This parameter is not known here."), code="unknown_parameter")] for name in unknown}
        errors |= {name: [ErrorDetail(_("Text cannot hold the character NUL."), code="null_characters_not_allowed")] for name in nul}
        if errors:
            raise ParameterError(errors)

    def known_parameters(self) -> frozenset[str]:
        """Query parameters of this action."""
        if self.action != "list":
            return frozenset()
        filterset = getattr(self, "filterset_class", None)
        return PAGE_PARAMETERS | (frozenset(filterset.base_filters) if filterset else frozenset())

    @property
    def default_response_headers(self) -> dict[str, str]:
        # Personal data stays out of every cache on the way.
        return {**super().default_response_headers, "Cache-Control": "no-store"}

    @property
    def required_permissions(self) -> tuple[Permission, ...]:
        needed = self.permissions.get(self.action or "", ())
        return (needed,) if isinstance(needed, Permission) else needed

    @property
    def access(self) -> Access:
        access = self.request.auth
        assert isinstance(access, Access)  # HoldsPermission has seen it
        return access

    @property
    def actor(self) -> Actor:
        return self.access.actor

    def all_rows(self) -> QuerySet[Any]:
        """Rows that the caller may see: one limited to locations sees those of theirs."""
        rows = super().get_queryset()
        if self.location_lookup is None or self.access.location_ids is None:
            return rows
        return rows.filter(**{f"{self.location_lookup}__in": self.access.location_ids})

    def get_queryset(self) -> QuerySet[Any]:
        # The schema is generated without a caller.
        return super().get_queryset() if getattr(self, "swagger_fake_view", False) else self.all_rows()

    def found(self, pk: int) -> Any:
        """The row of the path, or 404."""
        return get_object_or_404(self.get_queryset(), pk=pk)

    def parsed(self, kind: type[Serializer[Any]], **options: Any) -> dict[str, Any]:
        """The checked values of the body."""
        serializer = kind(data=self.request.data, context=self.get_serializer_context(), **options)
        serializer.is_valid(raise_exception=True)
        values: dict[str, Any] = serializer.validated_data
        return values

    def listed(self, kind: type[BaseSerializer[Any]], rows: QuerySet[Any] | None = None) -> Response:
        """A page of rows under the filters of the request."""
        filtered = self.filter_queryset(self.get_queryset() if rows is None else rows)
        page = self.paginate_queryset(filtered)
        return self.get_paginated_response(kind(page, many=True, context=self.get_serializer_context()).data)

    def rendered(self, kind: type[BaseSerializer[Any]], instance: Any, status_code: int = status.HTTP_200_OK) -> Response:
        return Response(kind(instance, context=self.get_serializer_context()).data, status=status_code)

    def created(self, kind: type[BaseSerializer[Any]], instance: models.Model) -> Response:
        """201 with the address of what is new."""
        return self.located(self.rendered(kind, instance, status.HTTP_201_CREATED), pk=instance.pk)

    def located(self, response: Response, **known_by: Any) -> Response:
        """The answer with the address of what was made."""
        place = {name: value for name, value in self.kwargs.items() if name != "pk"} | known_by
        address = reverse(f"{self.made_at.get(self.action, self.basename)}-detail", kwargs=place)
        response["Location"] = f"{address.rstrip('/')}/"
        return response
