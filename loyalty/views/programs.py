"""Programs: the list, what holds in one, and how it goes."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.formats import format_day
from accounts.forms import add_refusal
from accounts.pagination import PAGE_SIZE, BoundedPaginator
from accounts.permissions import Permission, requires
from crm.views.asking import asking
from loyalty.actions.programs import activate_program, close_program, create_program
from loyalty.forms.programs import ProgramForm
from loyalty.models import Program, ProgramState, Terms
from loyalty.queries.liability import liability_by_month, outstanding_points
from loyalty.queries.participation import participation
from loyalty.queries.programs import TermsBook
from loyalty.queries.tiers import members_by_tier
from loyalty.rules.liability import PeriodAccount

TONES = {ProgramState.DRAFT: "muted", ProgramState.ACTIVE: "good", ProgramState.CLOSED: "warn"}
MONTHS_SHOWN = 24


@require_safe
@requires(Permission.LOYALTY_VIEW)
def list_programs(request: HttpRequest) -> HttpResponse:
    """The programs, with what state they are in."""
    page = BoundedPaginator(Program.objects.all(), PAGE_SIZE).get_page(request.GET.get("page"))
    book, now = TermsBook(), timezone.now()
    rows = [(program, TONES[ProgramState(program.state)], book.in_force(program.pk, now)) for program in page.object_list]
    return render(request, "loyalty/programs.html", {"title": _("Programs"), "page": page, "rows": rows})


@requires(Permission.LOYALTY_CHANGE)
def new_program(request: HttpRequest) -> HttpResponse:
    """Begin a program; what holds in it is written in the steps that follow."""
    form = ProgramForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            program = create_program(actor=asking(request).actor, **form.cleaned_data)
        except ValidationError as error:
            add_refusal(form, error)
        else:
            return redirect("loyalty:setup", pk=program.pk, step="basics")
    return render(request, "loyalty/new_program.html", {"title": _("New program"), "form": form})


@require_safe
@requires(Permission.LOYALTY_VIEW)
def show_program(request: HttpRequest, pk: int) -> HttpResponse:
    """What holds in a program, and every version before it."""
    program, book, now, access = get_object_or_404(Program, pk=pk), TermsBook(), timezone.now(), asking(request)
    page = BoundedPaginator(Terms.objects.filter(program=program), PAGE_SIZE).get_page(request.GET.get("page"))
    version = book.in_force(pk, now)
    context = {
        "title": program.name,
        "program": program,
        "tone": TONES[ProgramState(program.state)],
        "version": version,
        "terms": version.terms if version else None,
        "page": page,
        "may_change": access.allows(Permission.LOYALTY_CHANGE),
        "may_look": access.allows(Permission.INSIGHTS_VIEW),
    }
    return render(request, "loyalty/program.html", context)


@require_POST
@requires(Permission.LOYALTY_CHANGE)
def move_program(request: HttpRequest, pk: int) -> HttpResponse:
    """Open a program, or close it."""
    program, actor = get_object_or_404(Program, pk=pk), asking(request).actor
    try:
        if request.POST.get("state") == ProgramState.CLOSED:
            close_program(program=program, actor=actor)
            messages.success(request, _("The program is closed. What members have stays theirs."))
        else:
            activate_program(program=program, actor=actor, now=timezone.now())
            messages.success(request, _("The program runs."))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    return redirect("loyalty:program", pk=pk)


@require_safe
@requires(Permission.INSIGHTS_VIEW)
def show_board(request: HttpRequest, pk: int) -> HttpResponse:
    """How a program goes: who takes part, tiers, earned against redeemed, what expires, what is owed. Loaded after the page."""
    program, now, book = get_object_or_404(Program, pk=pk), timezone.now(), TermsBook()
    location_ids = asking(request).location_ids
    accounts = liability_by_month(program_id=pk, until=now, location_ids=location_ids)[-MONTHS_SHOWN:]
    version, outstanding = book.in_force(pk, now), outstanding_points(pk)
    share, redemption = (version.terms.redeemed_share, version.terms.redemption) if version else (100, None)
    context: dict[str, Any] = {
        "program": program,
        "part": participation(program_id=pk, now=now, location_ids=location_ids),
        "outstanding": outstanding,
        "owed_minor": outstanding * redemption.minor * share // (redemption.points * 100) if redemption else None,
        "share": share / 100,
        "breakage": _breakage(accounts),
        "tiers": _tier_chart(book, program, members_by_tier(pk)),
        "flow": _flow_chart(accounts),
        "accounts": [(format_day(account.starts_on), account) for account in reversed(accounts)],
    }
    return render(request, "loyalty/fragments/board.html", context)


def _breakage(accounts: list[PeriodAccount]) -> tuple[int, int]:
    """Points that expired, of all that were redeemed or expired."""
    expired = sum(account.expired for account in accounts)
    return expired, expired + sum(account.redeemed for account in accounts)


def _tier_chart(book: TermsBook, program: Program, counts: dict[str, int]) -> dict[str, Any] | None:
    levels = book.levels(program.pk, timezone.now())
    if not levels:
        return None
    named = [(level.name or level.key, counts.get(level.key, 0)) for level in levels]
    if rest := sum(counts.values()) - sum(count for _name, count in named):
        named.insert(0, (_("No tier"), rest))
    return {
        "label": _("Tier"),
        "labels": [name for name, _n in named],
        "series": [{"name": _("Members"), "values": [n for _name, n in named]}],
    }


def _flow_chart(accounts: list[PeriodAccount]) -> dict[str, Any] | None:
    if not accounts:
        return None
    series = [
        (_("Earned"), [account.issued for account in accounts]),
        (_("Redeemed"), [account.redeemed for account in accounts]),
        (_("Expired"), [account.expired for account in accounts]),
    ]
    labels = [format_day(account.starts_on) for account in accounts]
    return {"label": _("Month from"), "labels": labels, "series": [{"name": name, "values": values} for name, values in series]}
