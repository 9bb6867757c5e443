"""Pages that show segments, who is in them and why."""

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.formats import format_day
from accounts.pagination import PAGE_SIZE, BoundedPaginator
from accounts.permissions import Permission, requires
from crm.views.asking import asking, customer_or_404
from crm.views.downloads import customers_download, format_asked
from segmentation.actions import note_size, problem_text
from segmentation.explanation import explain
from segmentation.forms import MembersForm, SnapshotForm
from segmentation.models import Segment, SegmentKind
from segmentation.queries import SegmentTooSlow, for_display, is_in_segment, read_rules, segment_customers, size, time_limit
from segmentation.references import References
from segmentation.rules import RulesError
from segmentation.sentences import Narrator
from segmentation.words import Words

FRESH = timedelta(minutes=10)
SHOWN_ON_CUSTOMER = 30
PANEL_SECONDS = 2


@requires(Permission.SEGMENTS_VIEW)
def list_segments(request: HttpRequest) -> HttpResponse:
    """All segments with their rules in words and their sizes."""
    text = request.GET.get("q", "").strip()[:100]
    rows = Segment.objects.filter(name__icontains=text) if text else Segment.objects.all()
    page = BoundedPaginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    words, now = Words(), timezone.now()
    listed = [{"segment": one, "sentence": in_words(one, words), "stale": _is_stale(one, now)} for one in page.object_list]
    context = {"title": _("Segments"), "page": page, "listed": listed, "search_text": text, "may_change": _may_change(request)}
    return render(request, "segmentation/segments.html", context)


@requires(Permission.SEGMENTS_VIEW)
def show_size(request: HttpRequest, pk: int) -> HttpResponse:
    """Count a segment for the list, and remember the count."""
    segment, now = get_object_or_404(Segment, pk=pk), timezone.now()
    context: dict[str, Any] = {"segment": segment}
    try:
        segment.member_count, segment.counted_at = size(segment_customers(segment, now=now)).customers, now
        note_size(segment=segment, customers=segment.member_count, now=now)
    except (RulesError, SegmentTooSlow) as error:
        context["trouble"] = trouble_text(error)
    return render(request, "segmentation/fragments/size.html", context)


@requires(Permission.SEGMENTS_VIEW)
def show_segment(request: HttpRequest, pk: int) -> HttpResponse:
    """A segment: what it asks, how many it has, and who they are."""
    segment, now, words = get_object_or_404(Segment, pk=pk), timezone.now(), Words()
    context: dict[str, Any] = {
        "title": segment.name,
        "segment": segment,
        "sentence": in_words(segment, words),
        "users": Segment.objects.filter(pk__in=References().users_of(segment.pk)),
        "may_change": _may_change(request),
        "snapshot_form": SnapshotForm(initial={"name": _("%(name)s, %(day)s") % {"name": segment.name, "day": format_day(now)}}),
        "members_form": MembersForm(),
        "is_list": segment.kind == SegmentKind.STATIC,
    }
    try:
        context |= _members(request, segment, now)
    except (RulesError, SegmentTooSlow) as error:
        context["trouble"] = trouble_text(error)
    return render(request, "segmentation/segment.html", context)


def _members(request: HttpRequest, segment: Segment, now: datetime) -> dict[str, Any]:
    customers = segment_customers(segment, now=now)
    measured = size(customers)
    note_size(segment=segment, customers=measured.customers, now=now)
    with time_limit(2 * PANEL_SECONDS):
        page = BoundedPaginator(customers.order_by("-pk"), PAGE_SIZE).get_page(request.GET.get("page"))
        keys = [customer.pk for customer in page.object_list]
    return {"size": measured, "page": page, "members": for_display(segment_customers(segment, now=now).model.objects.filter(pk__in=keys))}


@requires(Permission.CUSTOMERS_EXPORT)
def download_segment(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Who is in a segment now, as a file."""
    segment = get_object_or_404(Segment, pk=pk)
    page = reverse("segmentation:segment", args=[pk])
    try:
        customers = segment_customers(segment, now=timezone.now())
    except RulesError:
        return redirect(page)  # which says what is wrong with them
    return customers_download(request, customers, format_asked(request), otherwise=page)


@requires(Permission.SEGMENTS_VIEW)
def show_reason(request: HttpRequest, pk: int, customer_pk: int) -> HttpResponse:
    """Why a customer is in a segment, or not."""
    segment, customer = get_object_or_404(Segment, pk=pk), customer_or_404(customer_pk)
    context: dict[str, Any] = {"title": segment.name, "segment": segment, "customer": customer}
    try:
        context["reason"] = explain(segment, customer, now=timezone.now())
    except RulesError as error:
        context["trouble"] = trouble_text(error)
    return render(request, "segmentation/reason.html", context)


@requires(Permission.SEGMENTS_VIEW)
def show_panel(request: HttpRequest, pk: int) -> HttpResponse:
    """The segments a customer is in, for their page."""
    customer, now, words = customer_or_404(pk), timezone.now(), Words()
    inside: list[Segment] = []
    outside: list[Segment] = []
    left_out = False
    for segment in Segment.objects.order_by("name")[:SHOWN_ON_CUSTOMER]:
        try:
            with time_limit(PANEL_SECONDS):
                is_member = is_in_segment(segment, customer, now=now, words=words)
        except (RulesError, SegmentTooSlow):
            left_out = True
            continue
        (inside if is_member else outside).append(segment)
    context = {"customer": customer, "inside": inside, "outside": outside, "left_out": left_out}
    return render(request, "segmentation/fragments/customer_panel.html", context)


def in_words(segment: Segment, words: Words) -> str:
    """The rules as a sentence; for rules that hold no longer, what is wrong with them."""
    if segment.kind == SegmentKind.STATIC:
        return _("A fixed list")
    try:
        return Narrator(words).sentence(read_rules(segment.rules, words=words, is_stored=True))
    except RulesError as error:
        return trouble_text(error)


def trouble_text(error: RulesError | SegmentTooSlow) -> str:
    """What went wrong, in the reader's words."""
    if isinstance(error, RulesError):
        return _("These rules no longer work: %(problems)s") % {"problems": "; ".join(map(problem_text, error.problems))}
    return str(error)


def _is_stale(segment: Segment, now: datetime) -> bool:
    return segment.counted_at is None or now - segment.counted_at > FRESH


def _may_change(request: HttpRequest) -> bool:
    return asking(request).allows(Permission.SEGMENTS_CHANGE)
