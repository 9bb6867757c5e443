"""Stamps: counted once per source, taken back with refunds; a full card gives a voucher once.

What a source counts is set, not added: seeing a purchase again, late or in another order changes nothing.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Q

from accounts.audit import SYSTEM, Actor, changed_fields, record_audit
from crm.events import NewEvent, record_event
from loyalty.ledger.bought import VoucherNotOpenError, check_open, locked_vouchers
from loyalty.ledger.families import family_of
from loyalty.ledger.posting import KeyReusedError
from loyalty.ledger.stock import RewardRefusedError, find_piece, return_piece, take_piece, tell, tell_cancelled
from loyalty.models import FilledCard, Member, MemberCard, Program, Stamp, StampCard
from loyalty.rules.stamps import BY_HAND, is_stamped

# What decides how many stamps somebody has: changing it would make their stamps wrong.
FIXED = ("size", "stamped_for", "products", "categories", "least_minor")
MOST_BY_HAND = 20
MOST_VOUCHERS = 100


class StampRefusedError(ValueError):
    """The card takes no stamps now, or is of another program."""


class CardInUseError(ValueError):
    """Somebody has stamps on the card, so what it counts stays."""


@dataclass(frozen=True, slots=True)
class StampCount:
    """How many stamps a source is worth on a member's card, now that it is looked at (again).

    ``is_due``: it is to be stamped; anything else only lowers or restores what it was stamped before.
    """

    member_id: int
    card: StampCard
    key: str
    count: int
    at: datetime
    is_due: bool = True


@transaction.atomic
def create_stamp_card(*, program: Program, actor: Actor, **values: Any) -> StampCard:
    """Offer a stamp card in a program.

    Raises:
        ValidationError: per field.
    """
    card = StampCard(program=program, **values)
    card.validate(trusted=["program"])
    card.save(force_insert=True)
    record_audit(action="stamp_card.created", subject=card, actor=actor, after={"program": program.pk, **values})
    return card


@transaction.atomic
def change_stamp_card(*, card: StampCard, actor: Actor, **values: Any) -> StampCard:
    """Change a stamp card.

    Raises:
        ValidationError: per field.
        CardInUseError: it would change what the stamps that members have are worth.
    """
    card = StampCard.objects.select_for_update(of=("self",)).get(pk=card.pk)
    before, after = changed_fields(card, values)
    if not after:
        return card
    if not after.keys().isdisjoint(FIXED) and MemberCard.objects.filter(card=card).exists():
        raise CardInUseError(card.pk)
    card.validate(trusted=["program"])
    card.save(update_fields=list(after))
    record_audit(action="stamp_card.changed", subject=card, actor=actor, before=before, after=after)
    return card


@transaction.atomic
def give_stamps(*, member: Member, card: StampCard, key: str, now: datetime, actor: Actor, count: int = 1) -> MemberCard:
    """Stamp a member's card by hand; the same request again changes nothing.

    Raises:
        StampRefusedError: the card takes no stamps now, is of another program, or these are too many at once.
        KeyReusedError: the key came with another number of stamps before.
    """
    if (
        card.program_id != member.program_id
        or not member.is_active
        or not card.is_active
        or not is_stamped(card, now)
        or not 1 <= count <= MOST_BY_HAND
    ):
        raise StampRefusedError(card.pk)
    key = f"{BY_HAND}{key}"
    ((_pair, theirs),) = _locked_cards([(card.pk, member.pk)]).items()
    member_card, known = theirs[0], Stamp.objects.filter(member_card__in=theirs, key=key).first()
    if known is None:
        set_stamps([StampCount(member.pk, card, key, count, now)], now=now, actor=actor)
        record_audit(action="stamp.given", subject=member_card, actor=actor, after={"card": card.pk, "member": member.pk, "stamps": count})
    elif known.count != count:
        raise KeyReusedError(key)
    member_card.refresh_from_db()
    return member_card


@transaction.atomic
def take_stamps_back(*, member: Member, stamp: Stamp, now: datetime, actor: Actor) -> None:
    """Undo stamps given by hand; doing it again changes nothing."""
    card = stamp.member_card.card
    if set_stamps([StampCount(member.pk, card, stamp.key, 0, now, is_due=False)], now=now, actor=actor):
        after = {"card": card.pk, "member": member.pk, "key": stamp.key.removeprefix(BY_HAND), "stamps": stamp.count}
        record_audit(action="stamp.taken_back", subject=card, actor=actor, after=after)


@transaction.atomic
def set_stamps(counts: Collection[StampCount], *, now: datetime, actor: Actor = SYSTEM) -> int:
    """Set what sources count on members' cards, and give or take back the vouchers; returns how many sources changed."""
    stamped = _stamped([one for one in counts if not one.is_due])
    wanted = [one for one in counts if one.is_due or (one.card.pk, one.key) in stamped]
    cards = _locked_cards({(one.card.pk, one.member_id) for one in wanted})
    changed = [cards[one.card.pk, one.member_id] for one in wanted if _set(cards[one.card.pk, one.member_id], one)]
    # Vouchers come last: whoever counts pieces of rewards waits for no card any more.
    for theirs in {theirs[0].pk: theirs for theirs in changed}.values():
        _balance(theirs, now=now, actor=actor)
    return len(changed)


@transaction.atomic
def count_cards_again(*, member_id: int, now: datetime, actor: Actor) -> None:
    """Give or take back vouchers once a membership has come to a member, or has left them."""
    theirs = MemberCard.objects.filter(member__in=family_of([member_id])).values_list("card_id", flat=True)
    for cards in _locked_cards((card, member_id) for card in theirs).values():
        _balance(cards, now=now, actor=actor)


@transaction.atomic
def give_owed_vouchers(*, now: datetime) -> int:
    """Give the vouchers of full cards whose reward was sold out; returns how many there were."""
    has_taken_over = Q(member__in=Member.objects.filter(moved_to__isnull=False).values("moved_to"))
    # Most cards were never full: they are left out before anything is counted.
    cards = MemberCard.objects.filter(Q(stamps__gte=F("card__size")) | has_taken_over, member__is_active=True)
    full = cards.annotate(given=Count("filled")).filter(Q(stamps__gte=F("card__size") * (F("given") + 1)) | has_taken_over)
    pairs = full.values_list("card_id", "member_id")
    return sum(_balance(theirs, now=now, actor=SYSTEM) for theirs in _locked_cards(pairs).values())


def _stamped(counts: Collection[StampCount]) -> set[tuple[int, str]]:
    """The cards and keys of what is stamped already."""
    family = family_of({one.member_id for one in counts}) if counts else []
    stamps = Stamp.objects.filter(member_card__member__in=family, key__in={one.key for one in counts})
    return set(stamps.values_list("member_card__card_id", "key"))


def _locked_cards(pairs: Iterable[tuple[int, int]]) -> dict[tuple[int, int], list[MemberCard]]:
    """The cards of (card, member), made where there are none, locked in one order; behind each those of memberships that moved to it."""
    wanted = sorted(set(pairs))
    MemberCard.objects.bulk_create([MemberCard(card_id=card, member_id=member) for card, member in wanted], ignore_conflicts=True)
    members = {member for _card, member in wanted}
    everybody = family_of(members)
    rows = MemberCard.objects.select_for_update(of=("self",)).select_related("card__reward", "member").order_by("card_id", "member_id")
    found = {(row.card_id, row.member_id): row for row in rows.filter(card_id__in={card for card, _ in wanted}, member_id__in=everybody)}
    families = {one: [other for other in family_of([one]) if other != one] if len(everybody) > len(members) else [] for one in members}
    return {
        (card, member): [found[card, one] for one in (member, *families[member]) if (card, one) in found]
        for card, member in wanted
        if (card, member) in found
    }


def _set(theirs: Sequence[MemberCard], wanted: StampCount) -> bool:
    stamp = Stamp.objects.filter(member_card__in=theirs, key=wanted.key).first()
    if stamp is None and not (wanted.is_due and wanted.card.is_active):
        return False
    stamp = stamp or Stamp(member_card=theirs[0], key=wanted.key, count=0, stamped_at=wanted.at)
    member_card = next(one for one in theirs if one.pk == stamp.member_card_id)
    change = wanted.count - stamp.count
    if change > 0 and not wanted.card.is_active:  # a card that is over still loses stamps
        return False
    if change == 0 and stamp.pk:
        return False
    stamp.count = wanted.count
    stamp.save()
    if change == 0:  # it was given back before it was seen, by a refund that may yet turn out to be of another sale
        return False
    member_card.stamps += change
    member_card.save(update_fields=["stamps"])
    member, total = theirs[0].member, sum(one.stamps for one in theirs)
    properties: dict[str, Any] = {"program": member.program_id, "member": member.pk, "card": member_card.card_id}
    properties |= {"name": member_card.card.name, "stamps": abs(change), "total": total}
    kind = "stamp.given" if change > 0 else "stamp.taken_back"
    record_event(NewEvent(kind, wanted.at, member.customer_id, "loyalty", properties))
    return True


def _balance(theirs: Sequence[MemberCard], *, now: datetime, actor: Actor) -> int:
    """Give vouchers for what is full, or take unused ones back for what is not; returns how many were given.

    More than ``MOST_VOUCHERS`` at once are left to the sweep, so that one huge sale does not hold up the others.
    """
    filled = list(FilledCard.objects.filter(member_card__in=theirs).order_by("-number"))
    full = sum(one.stamps for one in theirs) // theirs[0].card.size
    first, given = filled[0].number + 1 if filled else 1, 0
    while given < min(full - len(filled), MOST_VOUCHERS) and _give(theirs[0], first + given, now=now, actor=actor):
        given += 1
    too_many = len(filled) - full
    for one in filled:
        if too_many > 0 and _take_back(one, now=now, actor=actor):
            too_many -= 1
    return given


def _give(member_card: MemberCard, number: int, *, now: datetime, actor: Actor) -> bool:
    try:
        piece = find_piece(member_card.card.reward, at=now)
    except RewardRefusedError:
        return False  # the sweep gives it when there is a piece again
    voucher = take_piece(piece, member_card.member, at=now, is_gift=True)
    FilledCard.objects.create(member_card=member_card, number=number, voucher=voucher, filled_at=now)
    record_audit(action="voucher.given", subject=voucher, actor=actor, after={"card": member_card.card_id, "number": number})
    tell("voucher.given", voucher, now)
    return True


def _take_back(filled: FilledCard, *, now: datetime, actor: Actor) -> bool:
    """Take the voucher of a card that is not full any more; one that was used stays, and its stamps are owed."""
    voucher = locked_vouchers().get(pk=filled.voucher_id)
    try:
        check_open(voucher, now)
    except VoucherNotOpenError:
        return False
    filled.delete()
    return_piece(voucher)
    tell_cancelled(voucher, at=now, actor=actor)
    return True
