"""Stamp cards: what is offered, and stamps by hand at the counter."""

from typing import Any

from django.contrib import messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.pagination import PAGE_SIZE, BoundedPaginator
from accounts.permissions import Permission, requires
from crm.views.asking import asking
from loyalty.actions.counter import stamp_at_counter, take_stamps_at_counter
from loyalty.actions.stamps import StampRefusedError
from loyalty.forms.counter import TokenForm
from loyalty.ledger.posting import KeyReusedError
from loyalty.models import FilledCard, Member, MemberCard, Reward, StampCard
from loyalty.queries.members import members
from loyalty.queries.stamps import ever_stamped_by_hand
from loyalty.refusals import PointsRefusedError
from loyalty.rules.stamps import is_stamped


@require_safe
@requires(Permission.LOYALTY_VIEW)
def list_stamp_cards(request: HttpRequest) -> HttpResponse:
    """The stamp cards that programs offer, and how many members have and filled them."""
    now = timezone.now()
    page = BoundedPaginator(StampCard.objects.select_related("program", "reward"), PAGE_SIZE).get_page(request.GET.get("page"))
    shown = [card.pk for card in page.object_list]
    held = _count(MemberCard.objects.filter(card__in=shown, stamps__gt=0).values_list("card"))
    filled = _count(FilledCard.objects.filter(member_card__card__in=shown).values_list("member_card__card"))
    context: dict[str, Any] = {
        "title": _("Stamp cards"),
        "page": page,
        "rows": [
            (card, card.is_active and is_stamped(card, now), held.get(card.pk, 0), filled.get(card.pk, 0)) for card in page.object_list
        ],
        "may_change": asking(request).allows(Permission.LOYALTY_CHANGE),
        "has_rewards": Reward.objects.exists(),
    }
    return render(request, "loyalty/stamp_cards.html", context)


@require_POST
@requires(Permission.POINTS_CHANGE)
def give_stamp(request: HttpRequest, pk: int, card: int) -> HttpResponse:
    """Put one stamp on a member's card."""
    member, form, stamp_card = _member(pk), TokenForm(request.POST), get_object_or_404(StampCard.objects.select_related("reward"), pk=card)
    if not form.is_valid():
        messages.error(request, " ".join(map(str, form.errors["token"])))
        return redirect("loyalty:member", pk=pk)
    try:
        held = stamp_at_counter(
            member=member,
            card=stamp_card,
            key=form.cleaned_data["token"],
            now=timezone.now(),
            actor=asking(request).actor,
            role=asking(request).role,
        )
    except PointsRefusedError as error:
        messages.error(request, str(error))
    except (StampRefusedError, KeyReusedError):
        messages.error(request, _("Nothing was changed: the card takes no stamps now."))
    else:
        full = bool(held.stamps) and held.stamps % stamp_card.size == 0
        messages.success(request, _("Stamped; the card is full: %(reward)s.") % {"reward": stamp_card.reward} if full else _("Stamped."))
    return redirect("loyalty:member", pk=pk)


@require_POST
@requires(Permission.POINTS_CHANGE)
def take_stamp(request: HttpRequest, pk: int, stamp: int) -> HttpResponse:
    """Take a stamp back that was given by hand."""
    member = _member(pk)
    found = get_object_or_404(ever_stamped_by_hand(member), pk=stamp)
    try:
        take_stamps_at_counter(member=member, stamp=found, now=timezone.now(), actor=asking(request).actor, role=asking(request).role)
    except PointsRefusedError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The stamp is taken back."))
    return redirect("loyalty:member", pk=pk)


def _count(cards: QuerySet[Any, tuple[Any, ...]]) -> dict[int, int]:
    return dict(cards.order_by().annotate(count=Count("pk")))


def _member(pk: int) -> Member:
    return get_object_or_404(members(), pk=pk, is_active=True)
