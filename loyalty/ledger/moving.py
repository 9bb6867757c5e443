"""Points go from one wallet to another and come back to the lots they were, with their dates and with debt.

What follows an earlier entry is posted where that entry is, whoever holds its points by now: they come home for it, and
what is left then goes on, all in one transaction.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Any

from django.db import transaction
from django.db.models import Q

from accounts.audit import SYSTEM, Actor
from loyalty.ledger.families import holders_after, lock_wallets
from loyalty.ledger.posting import Receipt, post_once
from loyalty.ledger.settling import settle_wallet
from loyalty.ledger.store import NewEntry, NewLot, OpenWallet, consumed_parts, lot_states, open_wallet, post_entry, spendable_lots
from loyalty.models import Entry, EntryKind, Lot, LotRemainder, Member, Wallet
from loyalty.rules import postings
from loyalty.rules.postings import LotState

Build = Callable[[OpenWallet], NewEntry]


def post_at_home(
    *, member_id: int, key: str, body: Mapping[str, Any], now: datetime, build: Build, actor: Actor, lot_id: int | None = None
) -> Receipt:
    """``post_once`` for what follows an earlier entry of a member whose membership may have moved since.

    Args:
        lot_id: the lot that the entry is about before all others.

    Returns:
        The receipt of the entry, with the standing of whoever holds the points.
    """
    if known := holders_after(member_id):
        lock_wallets([member_id, *known])
    holders: list[OpenWallet] = []

    def at_home(wallet: OpenWallet) -> NewEntry:
        # Asked again: a membership moves under its wallet's lock.
        holders.extend(_settled(one, wallet.now) for one in holders_after(member_id))
        with transaction.atomic() if holders else nullcontext():  # a refusal leaves nothing behind
            if holders and lot_id is not None:
                _bring_home(lot_id, {one.member_id: one for one in (wallet, *holders)}, actor)
            entry = build(wallet)
        estranged = _estranged(wallet, entry)
        if not holders and not estranged:
            return entry

        def go_on(entry_id: int) -> None:
            if entry.then:
                entry.then(entry_id)
            for lot in estranged:
                _send_home(lot, wallet, actor)
            carry_on([wallet, *holders], actor)

        return replace(entry, then=go_on)

    receipt = post_once(member_id=member_id, key=key, body=body, now=now, build=at_home)
    if not (chain := [one.member_id for one in holders] or known):
        return receipt
    last = Wallet.objects.get(pk=chain[-1])
    return replace(receipt, balance=last.balance, held=last.held, pending=last.pending, debt=last.debt)


def carry_on(wallets: Sequence[OpenWallet], actor: Actor) -> None:
    """Let all that is left in a wallet go to the next one, and so on to the last."""
    for source, target in pairwise(wallets):
        settle_wallet(source)
        for lot in LotRemainder.objects.filter(is_open=True, member_id=source.member_id).order_by("lot_id"):
            _move_lot(source, target, lot, actor)
        if source.debt:
            _move_debt(source, target, source.debt, actor)
        settle_wallet(target)


def carry_strays(*, now: datetime) -> int:
    """Let points go on that came to a membership in the moment in which it moved; returns how many memberships there were."""
    left = Q(wallet__balance__gt=0) | Q(wallet__pending__gt=0) | Q(wallet__debt__gt=0)
    strays = list(Member.objects.filter(left, moved_to__isnull=False).order_by("pk").values_list("pk", flat=True))
    for member_id in strays:
        chain = [member_id, *holders_after(member_id)]
        lock_wallets(chain)
        carry_on([_settled(one, now) for one in chain], SYSTEM)
    return len(strays)


def return_lots(source: OpenWallet, target: OpenWallet, actor: Actor) -> None:
    """Give a member what is left of the lots that moved to another, expired points too, and the debt that went with them."""
    taken_over = Entry.objects.filter(
        member_id=target.member_id, kind=EntryKind.MOVE_IN, lot=None, origin__member_id=source.member_id, origin__origin=None
    )
    for entry in taken_over.exclude(followers__kind=EntryKind.MOVE_OUT).order_by("pk"):
        _return_debt(source, target, entry, actor)
    for lot in Lot.objects.filter(member_id=target.member_id, moved_from__entry__member_id=source.member_id).order_by("pk"):
        _return_lot(source, target, lot, actor)
    for wallet in (source, target):
        settle_wallet(wallet)


def _settled(member_id: int, now: datetime) -> OpenWallet:
    wallet = open_wallet(member_id, now=now)[0]
    settle_wallet(wallet)
    return wallet


def _bring_home(lot_id: int, wallets: Mapping[int, OpenWallet], actor: Actor) -> None:
    for lot in Lot.objects.filter(moved_from_id=lot_id, member_id__in=wallets).select_related("moved_from").order_by("pk"):
        _bring_home(lot.pk, wallets, actor)
        assert lot.moved_from is not None
        _return_lot(wallets[lot.moved_from.member_id], wallets[lot.member_id], lot, actor)


def _estranged(wallet: OpenWallet, entry: NewEntry) -> list[Lot]:
    """Lots to which an entry gives something back, and which are of a membership that has left again."""
    touched = {leg.lot for leg in entry.legs if leg.lot and leg.amount > 0}
    moved = Lot.objects.filter(pk__in=touched, moved_from__isnull=False) if touched else Lot.objects.none()
    return list(moved.exclude(moved_from__member__moved_to=wallet.member_id).select_related("moved_from").order_by("pk"))


def _send_home(lot: Lot, wallet: OpenWallet, actor: Actor) -> None:
    assert lot.moved_from is not None
    owner = lot.moved_from.member_id
    wallets = [_settled(one, wallet.now) for one in (owner, *holders_after(owner))]
    _return_lot(wallets[0], wallet, lot, actor)
    carry_on(wallets, actor)


def _move_lot(source: OpenWallet, target: OpenWallet, lot: LotRemainder, actor: Actor) -> None:
    amount = lot.available + lot.pending
    standing = LotState(lot.lot_id, lot.earned_at, lot.expires_at, lot.available, lot.pending)
    origin = post_entry(source, NewEntry(EntryKind.MOVE_OUT, amount, postings.move_out(standing), source.now, actor))
    entry_id = target.next_entry_id()
    post_entry(
        target,
        NewEntry(
            EntryKind.MOVE_IN,
            amount,
            postings.move_in(replace(standing, id=entry_id), debt=target.debt),
            target.now,
            actor,
            entry_id,
            lot=NewLot(amount, lot.earned_at, lot.matures_at, lot.expires_at, lot.lot_id),
            terms_id=Entry.objects.values_list("terms_id", flat=True).get(pk=lot.lot_id),
            origin_id=origin,
        ),
    )


def _return_lot(source: OpenWallet, target: OpenWallet, lot: Lot, actor: Actor) -> None:
    there = lot_states([lot.pk])[lot.pk]
    amount = there.available + there.pending + there.expired
    if not amount:
        return
    leaving = NewEntry(EntryKind.MOVE_OUT, amount, postings.move_out(there), target.now, actor, origin_id=lot.pk)
    origin = post_entry(target, leaving)
    original = LotRemainder.objects.get(lot_id=lot.moved_from_id)
    if there.expires_at and original.expires_at and there.expires_at > original.expires_at:
        _keep_alive(source, original, there.expires_at)
    coming = replace(there, id=original.lot_id, expires_at=original.expires_at)
    if coming.expired and not coming.has_lapsed(source.now):  # they lapsed where nothing kept them alive
        coming = replace(coming, available=coming.available + coming.expired, expired=0)
    legs = postings.move_in(coming, debt=source.debt)
    due_at = [original.matures_at, original.expires_at]
    post_entry(source, NewEntry(EntryKind.MOVE_IN, amount, legs, source.now, actor, origin_id=origin, due_at=due_at))


def _keep_alive(wallet: OpenWallet, lot: LotRemainder, until: datetime) -> None:
    """Activity where the points were meanwhile has kept them alive."""
    lot.expires_at = until
    lot.save(update_fields=["expires_at"])
    details = {"lots": {str(lot.lot_id): until.isoformat()}}
    post_entry(wallet, NewEntry(EntryKind.PROLONG, 0, (), wallet.now, SYSTEM, details=details))


def _move_debt(giver: OpenWallet, taker: OpenWallet, amount: int, actor: Actor) -> None:
    origin = post_entry(giver, NewEntry(EntryKind.MOVE_OUT, amount, postings.move_debt_out(amount), giver.now, actor))
    legs = postings.move_debt_in(amount, spendable_lots(taker.member_id, amount))
    post_entry(taker, NewEntry(EntryKind.MOVE_IN, amount, legs, taker.now, actor, origin_id=origin))


def _return_debt(source: OpenWallet, target: OpenWallet, taken_over: Entry, actor: Actor) -> None:
    """What repaid the debt at once goes back to its lots; of the rest, what is not repaid yet."""
    parts = consumed_parts(taken_over.pk)
    owed = min(target.debt, taken_over.amount - sum(part.amount for part in parts))
    amount = owed + sum(part.amount for part in parts)
    if not amount:
        return
    legs = postings.move_debt_out(amount, parts=parts, debt=target.debt, at=target.now)
    due_at = [part.lot.expires_at for part in parts if not part.lot.has_lapsed(target.now)]
    entry = NewEntry(EntryKind.MOVE_OUT, amount, legs, target.now, actor, origin_id=taken_over.pk, due_at=due_at)
    origin = post_entry(target, entry)
    taken = postings.move_debt_in(amount, spendable_lots(source.member_id, amount))
    post_entry(source, NewEntry(EntryKind.MOVE_IN, amount, taken, source.now, actor, origin_id=origin))
