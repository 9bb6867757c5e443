"""The builder page: rules are put together without writing them, counted and previewed on the way."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.forms import add_refusal
from accounts.permissions import Permission, requires
from crm.views.asking import asking
from segmentation.actions import create_segment, delete_segment, update_segment
from segmentation.builder import build, edited, read_form
from segmentation.builder.reading import Rules, new_condition
from segmentation.forms import SegmentForm
from segmentation.models import Segment, SegmentKind
from segmentation.queries import SegmentTooSlow, preview_customers, read_rules, rules_customers, size
from segmentation.rules import Problem, RulesError
from segmentation.sentences import Narrator
from segmentation.words import Words


@requires(Permission.SEGMENTS_CHANGE)
def new_segment(request: HttpRequest) -> HttpResponse:
    """Put a new segment together."""
    return _edit(request, None)


@requires(Permission.SEGMENTS_CHANGE)
def edit_segment(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a segment's name and rules."""
    return _edit(request, get_object_or_404(Segment, pk=pk))


def _edit(request: HttpRequest, segment: Segment | None) -> HttpResponse:
    words = Words(segment.pk if segment else None)
    if request.method != "POST":
        form = SegmentForm(initial={"name": segment.name, "description": segment.description} if segment else None)
        return _page(request, segment, form, words, segment.rules if segment else {"all": [new_condition()]})
    rules, form = read_form(request.POST, words), SegmentForm(request.POST)
    if "save" not in request.POST:
        rules, focus = edited(rules, request.POST.get("do", ""), words)
        return _page(request, segment, SegmentForm(initial=request.POST.dict()), words, rules, focus=focus)
    problems = _problems(rules, words) if _has_rules(segment) else ()
    if form.is_valid() and not problems:
        try:
            saved = _save(request, segment, form, rules)
        except ValidationError as error:
            add_refusal(form, error)
        else:
            messages.success(request, _("“%(name)s” is saved.") % {"name": saved.name})
            return redirect("segmentation:segment", pk=saved.pk)
    return _page(request, segment, form, words, rules, problems)


def _has_rules(segment: Segment | None) -> bool:
    return segment is None or segment.kind == SegmentKind.DYNAMIC


def _save(request: HttpRequest, segment: Segment | None, form: SegmentForm, rules: Rules) -> Segment:
    common: dict[str, Any] = {"actor": asking(request).actor, "now": timezone.now(), **form.cleaned_data}
    if segment is None:
        return create_segment(rules=rules, **common)
    if _has_rules(segment):
        common["rules"] = rules
    return update_segment(segment=segment, **common)


def _problems(rules: Rules, words: Words) -> tuple[Problem, ...]:
    try:
        read_rules(rules, words=words)
    except RulesError as error:
        return error.problems
    return ()


def _page(
    request: HttpRequest, segment: Segment | None, form: SegmentForm, words: Words, rules: Rules, problems: tuple[Problem, ...] = (),
    focus: str = "",
) -> HttpResponse:  # fmt: skip
    context = {
        "title": segment.name if segment else _("New segment"),
        "segment": segment,
        "form": form,
        "root": build(rules, words, problems, focus) if _has_rules(segment) else None,
        "problems": len(problems),
    }
    return render(request, "segmentation/edit.html", context, status=422 if problems or form.errors else 200)


@require_POST
@requires(Permission.SEGMENTS_CHANGE)
def redraw(request: HttpRequest) -> HttpResponse:
    """The builder after a button was pressed or a choice changed what is asked beside it."""
    words = Words(_editing(request))
    rules, focus = edited(read_form(request.POST, words), request.POST.get("do", ""), words)
    response = render(request, "segmentation/fragments/builder.html", {"root": build(rules, words, focus=focus)})
    response["HX-Trigger-After-Swap"] = "redrawn"
    return response


@require_POST
@requires(Permission.SEGMENTS_CHANGE)
def preview(request: HttpRequest) -> HttpResponse:
    """The rules in words, how many customers they choose now, and the newest of them."""
    words = Words(_editing(request))
    rules, context = read_form(request.POST, words), dict[str, Any]()
    try:
        context["sentence"] = Narrator(words).sentence(read_rules(rules, words=words))
        customers = rules_customers(rules, now=timezone.now())
        context |= {"size": size(customers), "customers": preview_customers(customers)}
    except RulesError as error:
        context["unfinished"] = len(error.problems)
    except SegmentTooSlow as error:
        context["trouble"] = str(error)
    return render(request, "segmentation/fragments/preview.html", context)


def _editing(request: HttpRequest) -> int | None:
    number = request.POST.get("editing", "")
    return int(number) if number.isascii() and number.isdecimal() and len(number) < 19 else None


@require_POST
@requires(Permission.SEGMENTS_CHANGE)
def remove_segment(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete a segment that nothing uses."""
    segment = get_object_or_404(Segment, pk=pk)
    try:
        delete_segment(segment=segment, actor=asking(request).actor, now=timezone.now())
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("segmentation:segment", pk=pk)
    messages.success(request, _("“%(name)s” is deleted.") % {"name": segment.name})
    return redirect("segmentation:list")
