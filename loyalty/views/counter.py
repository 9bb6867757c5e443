"""The counter: find a member, give, take, redeem, undo."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.formats import format_money, format_number
from accounts.permissions import Permission, requires
from crm.views.asking import asking, customer_or_404, seat_of
from loyalty.actions.counter import give_points, redeem_at_counter, redeem_reward_at_counter, take_points, undo_at_counter
from loyalty.actions.members import enrol_member
from loyalty.forms.counter import EnrolForm, ReasonForm, RedeemForm, TokenForm
from loyalty.ledger.posting import Receipt
from loyalty.models import Member, Reward
from loyalty.queries.members import find_people, member_number, members
from loyalty.queries.programs import terms_in_force
from loyalty.refusals import PointsRefusedError, points
from loyalty.views.member import member_page, worth_minor

MOST_TEXT = 100


@require_safe
@requires(Permission.POINTS_CHANGE)
def find_member(request: HttpRequest) -> HttpResponse:
    """Whose points it is about: by name, phone, e-mail, or the number on the card, typed or scanned."""
    text = request.GET.get("q", "").strip()[:MOST_TEXT]
    if number := member_number(text):
        scanned = Member.objects.filter(number=number).first()
        if scanned is not None and not request.htmx:  # type: ignore[attr-defined]  # set by HtmxMiddleware
            return redirect("loyalty:member", pk=scanned.holder.pk)
    people = find_people(text) if text else []
    return render(request, "loyalty/find_member.html", {"title": _("Points"), "text": text, "people": people})


@requires(Permission.POINTS_CHANGE)
def enrol(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a customer a member."""
    customer = customer_or_404(pk)
    form = EnrolForm(request.POST or None, customer_id=customer.pk)
    if request.method == "POST" and form.is_valid():
        member = enrol_member(program=form.cleaned_data["program"], customer=customer, now=timezone.now(), actor=asking(request).actor)
        messages.success(request, _("%(name)s is a member of %(program)s now.") % {"name": customer, "program": member.program})
        return redirect("loyalty:member", pk=member.pk)
    title = _("Make %(name)s a member") % {"name": customer}
    return render(request, "loyalty/enrol.html", {"title": title, "form": form, "customer": customer})


@require_POST
@requires(Permission.POINTS_CHANGE)
def give(request: HttpRequest, pk: int) -> HttpResponse:
    """Give points, with a reason, within the role's limit."""
    return _act(request, pk, "give", ReasonForm, give_points, _("%(points)s given."))


@require_POST
@requires(Permission.POINTS_CHANGE)
def take(request: HttpRequest, pk: int) -> HttpResponse:
    """Take points, with a reason, within the role's limit."""
    return _act(request, pk, "take", ReasonForm, take_points, _("%(points)s taken."))


@require_POST
@requires(Permission.POINTS_CHANGE)
def redeem(request: HttpRequest, pk: int) -> HttpResponse:
    """Spend points."""

    def act(*, role: object, **values: Any) -> Receipt:
        return redeem_at_counter(**values)

    return _act(request, pk, "redeem", RedeemForm, act, _("%(points)s redeemed."))


@require_POST
@requires(Permission.POINTS_CHANGE)
def redeem_reward(request: HttpRequest, pk: int, reward: int) -> HttpResponse:
    """Spend points on a reward."""
    get_object_or_404(Reward, pk=reward)

    def act(**values: Any) -> tuple[Receipt, str]:
        done = redeem_reward_at_counter(reward_id=reward, **values)
        return done.receipt, _("%(reward)s: the voucher is %(code)s.") % {"reward": done.voucher.reward, "code": done.voucher.code}

    return _act_at_once(request, pk, act)


@require_POST
@requires(Permission.POINTS_CHANGE)
def undo(request: HttpRequest, pk: int, entry: int) -> HttpResponse:
    """Undo a redemption, a taking, or a gift that was not touched."""

    def act(**values: Any) -> tuple[Receipt, str]:
        return undo_at_counter(entry_id=entry, role=asking(request).role, **values), _("Undone.")

    return _act_at_once(request, pk, act)


def _act_at_once(request: HttpRequest, pk: int, act: Callable[..., tuple[Receipt, str]]) -> HttpResponse:
    """What takes a press of a button and no more."""
    member, form = _member(pk), TokenForm(request.POST)
    try:
        if not form.is_valid():
            raise PointsRefusedError(" ".join(map(str, form.errors["token"])))
        receipt, words = act(member=member, token=form.cleaned_data["token"], now=timezone.now(), actor=asking(request).actor)
    except PointsRefusedError as error:
        messages.error(request, str(error))
    else:
        _tell(request, receipt, words)
    return redirect("loyalty:member", pk=pk)


def _act(
    request: HttpRequest, pk: int, name: str, kind: type[RedeemForm] | type[ReasonForm], act: Callable[..., Receipt], words: str
) -> HttpResponse:
    member, access = _member(pk), asking(request)
    form = kind(request.POST)
    if form.is_valid():
        try:
            receipt = act(member=member, now=timezone.now(), actor=access.actor, role=access.role, **form.cleaned_data)
        except PointsRefusedError as error:
            form.add_error("amount", str(error))
            form.renewed()
        else:
            told = words % {"points": points(form.cleaned_data["amount"])}
            _tell(request, receipt, f"{told} {_worth(request, member, form.cleaned_data['amount'])}" if name == "redeem" else told)
            return redirect("loyalty:member", pk=pk)
    return member_page(request, member, action=name, form=form)


def _worth(request: HttpRequest, member: Member, amount: int) -> str:
    """What the till takes off for redeemed points; nothing without terms."""
    minor, seat = worth_minor(terms_in_force(member.program_id, timezone.now()), amount), seat_of(request)
    return _("They are worth %(worth)s.") % {"worth": format_money(minor, seat.currency, seat.money_unit)} if minor else ""


def _member(pk: int) -> Member:
    return get_object_or_404(members(), pk=pk, is_active=True)


def _tell(request: HttpRequest, receipt: Receipt, words: str) -> None:
    if receipt.is_replay:
        messages.info(request, _("This was done before; nothing was done again."))
    else:
        messages.success(request, f"{words.rstrip()} " + _("The balance is %(balance)s now.") % {"balance": format_number(receipt.balance)})
