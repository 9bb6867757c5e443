"""Programs and their terms over the API, and what their points owe."""

import re
from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.errors import Conflict, placed
from accounts.api.schema import PATH_ID, WrongStateProblemSerializer
from accounts.api.views import ApiViewSet
from accounts.permissions import Permission
from loyalty.actions.programs import (
    ProgramStateError,
    activate_program,
    close_program,
    create_program,
    read_terms,
    update_program,
    write_terms,
)
from loyalty.api.inputs import NewTermsInput, ProgramInput, TermsInput
from loyalty.api.outputs import (
    LiabilityOutput,
    ProgramOutput,
    ProgramWithTermsOutput,
    ReferralFiguresOutput,
    SimulationOutput,
    TermsOutput,
)
from loyalty.models import Program, Terms
from loyalty.queries.liability import liability_by_month, outstanding_points
from loyalty.queries.referrals import program_figures
from loyalty.queries.simulation import simulate_terms
from loyalty.rules.terms import ProgramTerms, TermsError, terms_document, terms_schema


class ProgramViewSet(ApiViewSet):
    """Loyalty programs; the points of each are a currency of their own."""

    queryset = Program.objects.all()
    serializer_class = ProgramOutput
    conflicts = (WrongStateProblemSerializer,)
    bodiless = frozenset({"activate", "close"})
    permissions = {
        "list": Permission.LOYALTY_VIEW,
        "retrieve": Permission.LOYALTY_VIEW,
        "terms_schema": Permission.LOYALTY_VIEW,
        "liability": (Permission.LOYALTY_VIEW, Permission.INSIGHTS_VIEW),
        "referrals": (Permission.LOYALTY_VIEW, Permission.INSIGHTS_VIEW),
        "create": Permission.LOYALTY_CHANGE,
        "partial_update": Permission.LOYALTY_CHANGE,
        "activate": Permission.LOYALTY_CHANGE,
        "close": Permission.LOYALTY_CHANGE,
    }

    @extend_schema(summary="List programs", responses=ProgramOutput(many=True))
    def list(self, request: Request) -> Response:
        return self.listed(ProgramOutput)

    @extend_schema(summary="Show a program with the terms in force", responses=ProgramWithTermsOutput)
    def retrieve(self, request: Request, pk: int) -> Response:
        program = self.found(pk)
        program.in_force = Terms.objects.filter(program=program, valid_from__lte=self.now).order_by("-version").first()
        return self.rendered(ProgramWithTermsOutput, program)

    @extend_schema(
        summary="Begin a program",
        description="A draft without terms: write them, then activate it.",
        request=ProgramInput,
        responses={201: ProgramOutput},
    )
    def create(self, request: Request) -> Response:
        return self.created(ProgramOutput, create_program(actor=self.actor, **self.parsed(ProgramInput)))

    @extend_schema(summary="Change what a program is called", request=ProgramInput, responses=ProgramOutput)
    def partial_update(self, request: Request, pk: int) -> Response:
        program, values = self.found(pk), self.parsed(ProgramInput, partial=True)
        return self.rendered(ProgramOutput, update_program(program=program, actor=self.actor, **values))

    @extend_schema(summary="Let points be earned in a program", description="409 without terms in force.", request=None,
                   responses=ProgramOutput)  # fmt: skip
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, pk: int) -> Response:
        return self._moved(activate_program, pk, now=self.now)

    @extend_schema(
        summary="Let nothing more be earned in a program",
        description="What members have stays theirs, and it can be activated again.",
        request=None,
        responses=ProgramOutput,
    )
    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: int) -> Response:
        return self._moved(close_program, pk)

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
        months = liability_by_month(program_id=program.pk, until=self.now, location_ids=self.access.location_ids)
        return self.rendered(LiabilityOutput, {"outstanding": outstanding_points(program.pk), "months": months})

    @extend_schema(summary="Show what referrals came to in a program", responses=ReferralFiguresOutput)
    @action(detail=True)
    def referrals(self, request: Request, pk: int) -> Response:
        return self.rendered(ReferralFiguresOutput, program_figures(self.found(pk).pk, self.access.location_ids))

    def _moved(self, move: Callable[..., Program], pk: int, **options: Any) -> Response:
        program = self.found(pk)
        try:
            return self.rendered(ProgramOutput, move(program=program, actor=self.actor, **options))
        except ProgramStateError as error:
            facts = {"state": self.found(pk).state} if error.code == "wrong_state" else None
            raise Conflict(" ".join(error.messages), code=error.code, facts=facts) from error


@extend_schema(parameters=[OpenApiParameter("program_id", PATH_ID, OpenApiParameter.PATH)])
class TermsViewSet(ApiViewSet):
    """The versions of a program's terms; none of them ever changes."""

    queryset = Terms.objects.all()
    serializer_class = TermsOutput
    ordering = ("-version",)
    permissions = {
        "list": Permission.LOYALTY_VIEW,
        "create": Permission.LOYALTY_CHANGE,
        "check": Permission.LOYALTY_VIEW,
        "simulate": Permission.LOYALTY_CHANGE,
    }

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
        _program, terms = self.program, self._read()
        return Response(terms_document(terms))

    @extend_schema(
        summary="Try terms on the last year's purchases and visits",
        description="What they would have cost beside those in force, and how many members would have got more or less. Nothing is written.",
        request=TermsInput,
        responses={200: SimulationOutput},
    )
    @action(detail=False, methods=["post"])
    def simulate(self, request: Request, program_id: int) -> Response:
        program, terms = self.program, self._read()
        return self.rendered(SimulationOutput, simulate_terms(program_id=program.pk, draft=terms, now=self.now))

    def _read(self) -> ProgramTerms:
        try:
            return read_terms(self.parsed(TermsInput)["document"])
        except TermsError as error:
            raise _faults(error) from error


def _faults(error: TermsError) -> ValidationError:
    """The faults of terms, each at its node."""
    found = (
        (tuple(re.findall(r"[^.\[\]]+", problem.path)), problem.code, _(problem.message) % dict(problem.params))
        for problem in error.problems
    )
    return ValidationError({"document": placed(found)})
