"""Points come, go and come back. Every action is one entry, identified by its key."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from accounts.audit import Actor
from loyalty.ledger.bought import cancel_bought
from loyalty.ledger.lapsed import spent_as_of
from loyalty.ledger.moving import post_at_home
from loyalty.ledger.posting import Receipt, checked_points, post_once
from loyalty.ledger.store import (
    NewEntry,
    NewLot,
    OpenWallet,
    consumed_parts,
    lot_states,
    repaid_parts,
    spendable_lots,
)
from loyalty.models import Entry, EntryKind, LotRemainder
from loyalty.rules import postings
from loyalty.rules.postings import Account, LotState, Part

# What took points out of a wallet for good, and can be undone.
SPENDING = (EntryKind.REDEEM, EntryKind.CAPTURE, EntryKind.TAKE)


class NotUndoableError(ValueError):
    """The entry redeemed or took nothing of this member, or less of it is left than was asked for."""


class NotEarnedError(ValueError):
    """The entry brought this member no points."""


def earn_points(
    *,
    member_id: int,
    amount: int,
    key: str,
    now: datetime,
    actor: Actor,
    occurred_at: datetime | None = None,
    matures_at: datetime | None = None,
    expires_at: datetime | None = None,
    terms_id: int | None = None,
    purchase_id: int | None = None,
    kind: EntryKind = EntryKind.EARN,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
) -> Receipt:
    """Bring new points in as a lot; pending until ``matures_at``, gone from ``expires_at`` on.

    Raises:
        PointsError, KeyReusedError, UnknownMemberError: see ``ledger.posting``.
    """
    checked_points(amount)
    told = details or {}

    def entry(wallet: OpenWallet) -> NewEntry:
        entry_id = wallet.next_entry_id()
        at = min(occurred_at or now, wallet.now)
        is_pending = matures_at is not None and matures_at > wallet.now
        lot = NewLot(amount, at, matures_at, expires_at)
        legs = postings.earn(LotState(entry_id, at, expires_at), amount, debt=wallet.debt, pending=is_pending)
        return NewEntry(
            kind, amount, legs, at, actor, entry_id, lot=lot, terms_id=terms_id, purchase_id=purchase_id, reason=reason, details=told
        )

    body = {"kind": kind, "amount": amount, "occurred_at": occurred_at, "purchase": purchase_id, "details": told}
    return post_once(member_id=member_id, key=key, body=body, now=now, build=entry)


def redeem_points(
    *,
    member_id: int,
    amount: int,
    key: str,
    now: datetime,
    actor: Actor,
    occurred_at: datetime | None = None,
    purchase_id: int | None = None,
    kind: EntryKind = EntryKind.REDEEM,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
) -> Receipt:
    """Spend points, the earliest to expire first. ``kind=TAKE`` takes them without anything in return.

    Args:
        occurred_at: when it was done; points that expired since then are spent first (see ``ledger.lapsed``).

    Raises:
        InsufficientPointsError: more than can be spent.
        PointsError, KeyReusedError, UnknownMemberError: see ``ledger.posting``.
    """
    checked_points(amount)

    def entry(wallet: OpenWallet) -> NewEntry:
        legs = spent_as_of(wallet, amount, occurred_at, to=Account.REVERSED if kind is EntryKind.TAKE else Account.REDEEMED)
        return NewEntry(kind, amount, legs, occurred_at or now, actor, purchase_id=purchase_id, reason=reason, details=details or {})

    body = {"kind": kind, "amount": amount, "occurred_at": occurred_at, "purchase": purchase_id, "details": details or {}}
    return post_once(member_id=member_id, key=key, body=body, now=now, build=entry, spends=True)


def undo_redemption(
    *,
    member_id: int,
    entry_id: int,
    key: str,
    now: datetime,
    actor: Actor,
    amount: int | None = None,
    occurred_at: datetime | None = None,
    reason: str = "",
) -> Receipt:
    """Give points that were redeemed or taken back to the lots they were of, with their expiries; lapsed ones expire at once.

    Args:
        amount: points to give back; everything that is left of the redemption when ``None``.

    Raises:
        NotUndoableError: nothing that this member redeemed or was taken from them, or less is left of it.
        VoucherNotOpenError, PriceError: it bought a reward, whose voucher is used or expired, or a part of its price was asked for.
        KeyReusedError, UnknownMemberError: see ``ledger.posting``.
    """

    def entry(wallet: OpenWallet) -> NewEntry:
        redemption = Entry.objects.filter(pk=entry_id, member_id=member_id, kind__in=SPENDING).first()
        consumed = consumed_parts(entry_id) if redemption else []
        left = sum(part.amount for part in consumed)
        wanted = left if amount is None else amount
        if redemption is None or not 0 < wanted <= left:
            raise NotUndoableError(entry_id)
        then = cancel_bought(entry_id, in_full=wanted == left, at=wallet.now, actor=actor, reason=reason)
        by = Account.REVERSED if redemption.kind == EntryKind.TAKE else Account.REDEEMED
        legs = postings.undo(consumed, wanted, by=by, debt=wallet.debt, at=wallet.now)
        due_at = [part.lot.expires_at for part in consumed if not part.lot.has_lapsed(wallet.now)]
        return NewEntry(
            EntryKind.UNDO, wanted, legs, occurred_at or wallet.now, actor, origin_id=entry_id, reason=reason, due_at=due_at, then=then
        )

    body = {"kind": EntryKind.UNDO, "entry": entry_id, "amount": amount}
    return post_at_home(member_id=member_id, key=key, body=body, now=now, build=entry, actor=actor)


def claw_back_points(
    *,
    member_id: int,
    amount: int,
    key: str,
    now: datetime,
    actor: Actor,
    earned_by: int | None = None,
    occurred_at: datetime | None = None,
    purchase_id: int | None = None,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
) -> Receipt:
    """Take earned points back, from the lot of the entry ``earned_by`` first; what is missing becomes debt.

    Raises:
        NotEarnedError: ``earned_by`` brought this member no points.
        PointsError, KeyReusedError, UnknownMemberError: see ``ledger.posting``.
    """
    checked_points(amount)

    def entry(wallet: OpenWallet) -> NewEntry:
        own = _own_lot(member_id, earned_by) if earned_by is not None else None
        legs = postings.claw_back(amount, own=own, lots=spendable_lots(member_id, amount + (own.available if own else 0)))
        return NewEntry(
            EntryKind.CLAWBACK,
            amount,
            legs,
            occurred_at or now,
            actor,
            purchase_id=purchase_id,
            origin_id=earned_by,
            reason=reason,
            details=details or {},
        )

    body = {"kind": EntryKind.CLAWBACK, "amount": amount, "earned_by": earned_by, "purchase": purchase_id, "details": details or {}}
    return post_at_home(member_id=member_id, key=key, body=body, now=now, build=entry, actor=actor, lot_id=earned_by)


def restore_clawback(*, member_id: int, entry_id: int, key: str, now: datetime, actor: Actor, reason: str = "") -> Receipt:
    """Give back all that a clawback took, since it was not due after all, where it was taken from.

    What it left as debt lowers the debt, whatever has expired since; what was repaid of that goes back to the lots that repaid it.

    Raises:
        NotUndoableError: no clawback of an earning of this member, or it was restored before.
        KeyReusedError, UnknownMemberError: see ``ledger.posting``.
    """

    def entry(wallet: OpenWallet) -> NewEntry:
        clawback = Entry.objects.filter(pk=entry_id, member_id=member_id, kind=EntryKind.CLAWBACK, origin__isnull=False).first()
        if clawback is None or Entry.objects.filter(origin_id=clawback.origin_id, details__clawback=entry_id).exists():
            raise NotUndoableError(entry_id)
        parts = consumed_parts(entry_id)
        owed = clawback.amount - sum(part.amount for part in parts)
        forgiven = min(wallet.debt, owed)
        repaid = repaid_parts(member_id, owed - forgiven)
        # Where the membership has moved, the debt went along: the points of the earning follow it.
        if elsewhere := owed - forgiven - sum(part.amount for part in repaid):
            parts.append(Part(_own_lot(member_id, clawback.origin_id or 0), elsewhere))
        maturing = _maturing(parts, wallet.now)
        taken, waiting = ([part for part in parts if (part.lot.id in maturing) is still] for still in (False, True))
        due_at = [*maturing.values()] + [part.lot.expires_at for part in (*parts, *repaid) if not part.lot.has_lapsed(wallet.now)]
        return NewEntry(
            EntryKind.RESTORE,
            clawback.amount,
            postings.restore(taken, waiting=waiting, forgiven=forgiven, repaid=repaid, debt=wallet.debt, at=wallet.now),
            wallet.now,
            actor,
            origin_id=clawback.origin_id,
            purchase_id=clawback.purchase_id,
            reason=reason,
            details={"clawback": entry_id},
            due_at=due_at,
        )

    body = {"kind": EntryKind.RESTORE, "clawback": entry_id}
    return post_at_home(member_id=member_id, key=key, body=body, now=now, build=entry, actor=actor)


def cancel_pending(*, member_id: int, entry_id: int, key: str, now: datetime, actor: Actor, reason: str = "") -> Receipt:
    """Cancel what is still pending of an earning.

    Raises:
        NotEarnedError: nothing of it is pending.
        KeyReusedError, UnknownMemberError: see ``ledger.posting``.
    """

    def entry(wallet: OpenWallet) -> NewEntry:
        lot = _own_lot(member_id, entry_id)
        if not lot.pending:
            raise NotEarnedError(entry_id)
        legs = postings.cancel(lot, lot.pending)
        return NewEntry(EntryKind.CANCEL, lot.pending, legs, now, actor, origin_id=entry_id, reason=reason)

    body = {"kind": EntryKind.CANCEL, "entry": entry_id}
    return post_at_home(member_id=member_id, key=key, body=body, now=now, build=entry, actor=actor, lot_id=entry_id)


def _maturing(parts: Sequence[Part], at: datetime) -> dict[int, datetime]:
    """Which lots of parts are not available yet, and from when on they are."""
    lots = LotRemainder.objects.filter(pk__in=[part.lot.id for part in parts], matures_at__gt=at)
    return {lot: matures_at for lot, matures_at in lots.values_list("pk", "matures_at") if matures_at}


def _own_lot(member_id: int, entry_id: int) -> LotState:
    if not Entry.objects.filter(pk=entry_id, member_id=member_id, lot__isnull=False).exists():
        raise NotEarnedError(entry_id)
    return lot_states([entry_id])[entry_id]
