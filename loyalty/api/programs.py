"""Programs and their terms over the API, and what their points owe."""

import re
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.errors import placed
from accounts.api.schema import PATH_ID
from accounts.api.views import ApiViewSet
from accounts.permissions import Permission
from loyalty.actions.programs import read_terms, write_terms
from loyalty.api.inputs import NewTermsInput, TermsInput
from loyalty.api.outputs import LiabilityOutput, ProgramOutput, ProgramWithTermsOutput, TermsOutput
from loyalty.models import Program, Terms
from loyalty.queries.liability import liability_by_month, outstanding_points
from loyalty.rules.terms import TermsError, terms_document, terms_schema


class ProgramViewSet(ApiViewSet):
    """Loyalty programs; the points of each are a currency of their own."""

    queryset = Program.objects.all()
    serializer_class = ProgramOutput
    permissions = {
        "list": Permission.LOYALTY_VIEW,
        "retrieve": Permission.LOYALTY_VIEW,
        "terms_schema": Permission.LOYALTY_VIEW,
        "liability": (Permission.LOYALTY_VIEW, Permission.INSIGHTS_VIEW),
    }

    @extend_schema(summary="List programs", responses=ProgramOutput(many=True))
    def list(self, request: Request) -> Response:
        return self.listed(ProgramOutput)

    @extend_schema(summary="Show a program with the terms in force", responses=ProgramWithTermsOutput)
    def retrieve(self, request: Request, pk: int) -> Response:
        program = self.found(pk)
        program.in_force = Terms.objects.filter(program=program, valid_from__lte=self.now).order_by("-version").first()
        return self.rendered(ProgramWithTermsOutput, program)

    @extend_schema(summary="Show the JSON schema of terms", responses={200: {"type": "object"}})
    @action(detail=False, url_path="schema", pagination_class=None)
    def terms_schema(self, request: Request) -> Response:
        return Response(terms_schema())

    @extend_schema(
        summary="Show what a program's points owe",
        description="Month by month: opening + issued - redeemed - expired - reversed = closing.",
        responses=LiabilityOutput,
    )
    @action(detail=True)
    def liability(self, request: Request, pk: int) -> Response:
        program = self.found(pk)
        months = liability_by_month(program_id=program.pk, until=self.now)
        return self.rendered(LiabilityOutput, {"outstanding": outstanding_points(program.pk), "months": months})


@extend_schema(parameters=[OpenApiParameter("program_id", PATH_ID, OpenApiParameter.PATH)])
class TermsViewSet(ApiViewSet):
    """The versions of a program's terms; none of them ever changes."""

    queryset = Terms.objects.all()
    serializer_class = TermsOutput
    ordering = ("-version",)
    permissions = {"list": Permission.LOYALTY_VIEW, "create": Permission.LOYALTY_CHANGE, "check": Permission.LOYALTY_VIEW}

    @property
    def program(self) -> Program:
        """The program of the path, or 404."""
        return get_object_or_404(Program.objects.all(), pk=self.kwargs["program_id"])

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        return rows if getattr(self, "swagger_fake_view", False) else rows.filter(program=self.program)

    @extend_schema(summary="List the versions of a program's terms", description="Latest first.", responses=TermsOutput(many=True))
    def list(self, request: Request, program_id: int) -> Response:
        return self.listed(TermsOutput)

    @extend_schema(
        summary="Write the next version of a program's terms",
        description="What was earned under earlier versions stays as it is.",
        request=NewTermsInput,
        responses={201: TermsOutput},
    )
    def create(self, request: Request, program_id: int) -> Response:
        program, values = self.program, self.parsed(NewTermsInput)
        try:
            return self.rendered(TermsOutput, write_terms(program=program, actor=self.actor, now=self.now, **values), 201)
        except TermsError as error:
            raise _faults(error) from error

    @extend_schema(
        summary="Check terms without writing them",
        description="Answers the document with every key named.",
        request=TermsInput,
        responses={200: {"type": "object"}},
    )
    @action(detail=False, methods=["post"], url_path="validate")
    def check(self, request: Request, program_id: int) -> Response:
        _program, values = self.program, self.parsed(TermsInput)
        try:
            return Response(terms_document(read_terms(values["document"])))
        except TermsError as error:
            raise _faults(error) from error


def _faults(error: TermsError) -> ValidationError:
    """The faults of terms, each at its node."""
    found = (
        (tuple(re.findall(r"[^.\[\]]+", problem.path)), problem.code, _(problem.message) % dict(problem.params))
        for problem in error.problems
    )
    return ValidationError({"document": placed(found)})
