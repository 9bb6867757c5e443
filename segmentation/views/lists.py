"""Fixed lists: made empty or as a snapshot, and changed by hand."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from accounts.formats import format_number
from accounts.forms import add_refusal
from accounts.permissions import Permission, requires
from accounts.queries import current_organization
from crm.models import Customer
from crm.normalisation.emails import normalise_email
from crm.normalisation.errors import NormalisationError
from crm.normalisation.phones import normalise_phone
from crm.views.asking import asking, customer_or_404
from segmentation.actions import add_members, create_segment, remove_members, snapshot_segment
from segmentation.forms import MembersForm, SegmentForm, SnapshotForm
from segmentation.models import Segment, SegmentKind
from segmentation.rules import RulesError
from segmentation.views.reading import trouble_text


@requires(Permission.SEGMENTS_CHANGE)
def new_list(request: HttpRequest) -> HttpResponse:
    """Begin a fixed list."""
    form = SegmentForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = create_segment(kind=SegmentKind.STATIC, actor=asking(request).actor, now=timezone.now(), **form.cleaned_data)
        except ValidationError as error:
            add_refusal(form, error)
        else:
            return redirect("segmentation:segment", pk=made.pk)
    return render(request, "segmentation/new_list.html", {"title": _("New fixed list"), "form": form})


@require_POST
@requires(Permission.SEGMENTS_CHANGE)
def take_snapshot(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep who is in a segment now as a fixed list."""
    segment, form = get_object_or_404(Segment, pk=pk), SnapshotForm(request.POST)
    if form.is_valid():
        try:
            made = snapshot_segment(segment=segment, name=form.cleaned_data["name"], actor=asking(request).actor, now=timezone.now())
        except ValidationError as error:
            add_refusal(form, error)
        except RulesError as error:
            form.add_error(None, trouble_text(error))
        else:
            count = made.member_count or 0
            told = ngettext("The list has %(count)s customer.", "The list has %(count)s customers.", count)
            messages.success(request, told % {"count": format_number(count)})
            return redirect("segmentation:segment", pk=made.pk)
    messages.error(request, _told(form))
    return redirect("segmentation:segment", pk=pk)


@require_POST
@requires(Permission.SEGMENTS_CHANGE)
def put_on_list(request: HttpRequest, pk: int) -> HttpResponse:
    """Put customers on a fixed list by what they are known by."""
    segment, form = get_object_or_404(Segment, pk=pk), MembersForm(request.POST)
    if not form.is_valid():
        messages.error(request, _told(form))
        return redirect("segmentation:segment", pk=pk)
    keys, unknown = _known_by(form.cleaned_data["identifiers"])
    try:
        added = add_members(segment=segment, customer_ids=keys, actor=asking(request).actor, now=timezone.now())
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("segmentation:segment", pk=pk)
    if unknown:
        told = ngettext("%(names)s is nobody's here.", "These are nobody's here: %(names)s.", len(unknown))
        messages.warning(request, told % {"names": ", ".join(unknown[:10])})
    told = ngettext("%(count)s customer was added.", "%(count)s customers were added.", added)
    messages.success(request, told % {"count": format_number(added)})
    return redirect("segmentation:segment", pk=pk)


@require_POST
@requires(Permission.SEGMENTS_CHANGE)
def take_off_list(request: HttpRequest, pk: int, customer_pk: int) -> HttpResponse:
    """Take a customer off a fixed list."""
    segment, customer = get_object_or_404(Segment, pk=pk), customer_or_404(customer_pk)
    try:
        remove_members(segment=segment, customer_ids=[customer.pk], actor=asking(request).actor, now=timezone.now())
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, _("%(name)s is off the list.") % {"name": customer})
    return redirect("segmentation:segment", pk=pk)


def _told(form: Form) -> str:
    return " ".join(str(message) for errors in form.errors.values() for message in errors)


def _known_by(identifiers: list[str]) -> tuple[set[int], list[str]]:
    """Keys of the customers that the identifiers name, and those that name nobody."""
    region = current_organization().region
    spelled = {typed: _spellings(typed, region) for typed in identifiers}
    wanted = {one for spellings in spelled.values() for one in spellings}
    rows = Customer.objects.filter(Q(email__in=wanted) | Q(phone__in=wanted) | Q(external_id__in=wanted))
    owners = {name: key for key, *names in rows.values_list("pk", "email", "phone", "external_id") for name in names if name}
    found = {typed: [owners[one] for one in spellings if one in owners] for typed, spellings in spelled.items()}
    return {key for keys in found.values() for key in keys}, [typed for typed, keys in found.items() if not keys]


def _spellings(typed: str, region: str) -> set[str]:
    spellings = {typed}
    for normalised in (normalise_email, lambda text: normalise_phone(text, region=region)):
        try:
            spellings.add(normalised(typed))
        except NormalisationError:
            continue
    return spellings
