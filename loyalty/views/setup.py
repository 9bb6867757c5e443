"""A program is set up in steps: each edits the draft of its terms, with what it would give beside it."""

from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.views.decorators.http import require_POST

from accounts.permissions import Permission, requires
from accounts.queries import Seat
from crm.views.asking import asking, seat_of
from loyalty.actions.drafts import draft_of, keep_draft, publish_draft
from loyalty.actions.programs import read_terms, terms_faults
from loyalty.forms.preview import SampleForm
from loyalty.forms.terms import (
    MOST_ROWS,
    BasicsForm,
    Document,
    EarnForm,
    ExpiryForm,
    LevelForm,
    MultiplierForm,
    RedemptionForm,
    RowForm,
    StepForm,
    TiersForm,
    rows_written,
)
from loyalty.models import Program
from loyalty.queries.simulation import simulate_terms
from loyalty.rules.earning import ON_PURCHASE, Occasion, earning, factor_of, rules_that_hold
from loyalty.rules.expiry import expires_at, matures_at
from loyalty.rules.receipts import Line
from loyalty.rules.terms import ProgramTerms, TermsError, parse_terms

STEPS: dict[str, Promise] = {
    "basics": _lazy("Basics"),
    "earning": _lazy("Earning"),
    "expiry": _lazy("Expiry"),
    "tiers": _lazy("Tiers"),
    "redemption": _lazy("Redeeming"),
    "review": _lazy("Review"),
}
FORMS: dict[str, type[StepForm]] = {"basics": BasicsForm, "expiry": ExpiryForm, "tiers": TiersForm, "redemption": RedemptionForm}
LISTS: dict[str, dict[str, type[RowForm]]] = {"earning": {"earn": EarnForm, "multipliers": MultiplierForm}, "tiers": {"levels": LevelForm}}
HEADINGS = {"earn": _lazy("What earns points"), "multipliers": _lazy("What multiplies them"), "levels": _lazy("Tiers, from the lowest")}


@dataclass
class Step:
    """What a step asks: one form, lists of rows, or both."""

    document: Document
    form: StepForm | None = None
    lists: dict[str, Any] = field(default_factory=dict)

    def is_valid(self) -> bool:
        parts: list[Any] = [part for part in (self.form, *self.lists.values()) if part is not None]
        valid = [part for part in parts if part.is_valid()]  # all of them are looked at, so that all faults show
        return len(valid) == len(parts)

    def written(self) -> Document:
        """The document with what was typed."""
        document = self.form.written() if self.form else dict(self.document)
        for name, rows in self.lists.items():
            holder = document if name != "levels" else document.get("tiers")
            if holder is not None:
                holder[name] = rows_written(holder.get(name, []), rows)
        return document


@requires(Permission.LOYALTY_CHANGE)
def edit_step(request: HttpRequest, pk: int, step: str) -> HttpResponse:
    """Show a step, or keep what was typed in it and go on to the next."""
    program, names = _program(pk), list(STEPS)
    if step not in STEPS:
        raise Http404
    if step == "review":
        return _review(request, program)
    asked = _step(request, step, draft_of(program), seat_of(request))
    if request.method == "POST" and asked.is_valid():
        keep_draft(program=program, document=asked.written())
        return redirect("loyalty:setup", pk=pk, step=names[names.index(step) + 1])
    context = {
        **_around(program, step),
        "asked": asked,
        "lists": [(name, HEADINGS[name], rows) for name, rows in asked.lists.items()],
        "sample": SampleForm(seat=seat_of(request)),
        "before": names[names.index(step) - 1] if names.index(step) else "",
    }
    return render(request, "loyalty/setup.html", context)


@require_POST
@requires(Permission.LOYALTY_CHANGE)
def show_preview(request: HttpRequest, pk: int, step: str) -> HttpResponse:
    """What a purchase would give under the draft, with the step as it stands in the form."""
    program, seat = _program(pk), seat_of(request)
    document = draft_of(program)
    if step in STEPS and step != "review":
        asked = _step(request, step, document, seat)
        if asked.is_valid():
            document = asked.written()
    sample = SampleForm(request.POST, seat=seat)
    amount = sample.cleaned_data["sample"] if sample.is_valid() else 0
    try:
        context = preview_of(parse_terms(document), amount, timezone.now())
    except TermsError as error:
        context = {"faults": terms_faults(error)}
    return render(request, "loyalty/fragments/terms_preview.html", context)


@require_POST
@requires(Permission.LOYALTY_CHANGE)
def publish(request: HttpRequest, pk: int) -> HttpResponse:
    """Let the draft hold from now on."""
    program = _program(pk)
    try:
        terms = publish_draft(program=program, actor=asking(request).actor, now=timezone.now())
    except TermsError as error:
        messages.error(request, _("Nothing was published: %(faults)s") % {"faults": " ".join(terms_faults(error))})
        return redirect("loyalty:setup", pk=pk, step="review")
    messages.success(request, _("Version %(number)s holds from now on.") % {"number": terms.version})
    return redirect("loyalty:program", pk=pk)


@requires(Permission.LOYALTY_CHANGE)
def show_simulation(request: HttpRequest, pk: int) -> HttpResponse:
    """The draft tried on the last year's history; loaded after the page."""
    program = _program(pk)
    try:
        tried = simulate_terms(program_id=program.pk, draft=read_terms(draft_of(program)), now=timezone.now())
    except TermsError as error:
        return render(request, "loyalty/fragments/simulation.html", {"faults": terms_faults(error)})
    return render(request, "loyalty/fragments/simulation.html", {"tried": tried})


def preview_of(terms: ProgramTerms, amount_minor: int, now: datetime) -> dict[str, Any]:
    """What a purchase of this amount would give a member without a tier to whom no further condition applies."""
    occasion, zone = Occasion(timezone.localtime(now)), ZoneInfo(timezone.get_current_timezone_name())
    line = Line("", "", amount_minor, Fraction(1), Fraction(amount_minor))
    earned = earning(rules_that_hold(terms, occasion, ON_PURCHASE), factor_of(terms, occasion), [line])
    return {
        "amount_minor": amount_minor,
        "points": earned.total,
        "worth_minor": earned.total * terms.redemption.minor // terms.redemption.points,
        "usable_at": matures_at(terms.pending_days, now, zone),
        "expires_at": expires_at(terms.expiry, now, zone),
    }


def _review(request: HttpRequest, program: Program) -> HttpResponse:
    context = {**_around(program, "review"), "sample": SampleForm(seat=seat_of(request))}
    try:
        context["terms"] = read_terms(draft_of(program))
    except TermsError as error:
        context["faults"] = terms_faults(error)
    return render(request, "loyalty/setup_review.html", context)


def _around(program: Program, step: str) -> dict[str, Any]:
    return {"title": _("Set up %(program)s") % {"program": program}, "program": program, "step": step, "steps": STEPS.items()}


def _step(request: HttpRequest, step: str, document: Document, seat: Seat) -> Step:
    data = request.POST if request.method == "POST" else None
    form = FORMS[step](data, document=document, seat=seat) if step in FORMS else None
    lists = {}
    basis = request.POST.get("basis") or (document.get("tiers") or {}).get("basis", "")
    for name, kind in LISTS.get(step, {}).items():
        nodes = (document if name != "levels" else document.get("tiers") or {}).get(name, [])
        rows: Any = forms.formset_factory(kind, extra=0 if nodes else 1, max_num=MOST_ROWS, absolute_max=MOST_ROWS)
        lists[name] = rows(data, prefix=name, initial=[kind.initial_of(node) for node in nodes], form_kwargs={"seat": seat, "basis": basis})
    return Step(document, form, lists)


def _program(pk: int) -> Program:
    return get_object_or_404(Program, pk=pk)
