"""Points reserved at the till: placed, then captured or released once, or lapsed by themselves."""

from datetime import datetime

from accounts.audit import Actor
from loyalty.ledger.posting import Receipt, checked_points, post_once
from loyalty.ledger.store import NewEntry, OpenWallet, held_parts, spendable_lots
from loyalty.models import Entry, EntryKind, Hold, HoldState
from loyalty.rules import postings


class HoldResolvedError(ValueError):
    """The hold was captured, released or has lapsed, or is not this member's."""


class CaptureError(ValueError):
    """More was to be captured than is held."""


def hold_points(
    *, member_id: int, amount: int, lapses_at: datetime, key: str, now: datetime, actor: Actor, reason: str = ""
) -> tuple[Receipt, int]:
    """Reserve points until ``lapses_at``; returns the receipt and the hold's id.

    Raises:
        InsufficientPointsError: more than can be spent.
        PointsError, KeyReusedError, UnknownMemberError: see ``ledger.posting``.
    """
    checked_points(amount)

    def entry(wallet: OpenWallet) -> NewEntry:
        parts = postings.take(spendable_lots(member_id, amount), amount)
        hold = Hold.objects.create(member_id=member_id, amount=amount, placed_at=now, lapses_at=lapses_at)
        return NewEntry(EntryKind.HOLD, amount, postings.hold(parts), now, actor, hold_id=hold.pk, reason=reason, due_at=[lapses_at])

    receipt = post_once(member_id=member_id, key=key, body={"kind": EntryKind.HOLD, "amount": amount}, now=now, build=entry)
    hold_id = Entry.objects.values_list("hold_id", flat=True).get(pk=receipt.entry_id)
    assert hold_id is not None
    return receipt, hold_id


def capture_hold(
    *,
    member_id: int,
    hold_id: int,
    key: str,
    now: datetime,
    actor: Actor,
    amount: int | None = None,
    purchase_id: int | None = None,
    reason: str = "",
) -> Receipt:
    """Redeem what is held, or ``amount`` of it; the rest returns to where it came from.

    Raises:
        HoldResolvedError: it was resolved before.
        CaptureError: ``amount`` is less than 1 or more than is held.
        KeyReusedError, UnknownMemberError: see ``ledger.posting``.
    """

    def entry(wallet: OpenWallet) -> NewEntry:
        hold = _open_hold(member_id, hold_id)
        captured = hold.amount if amount is None else amount
        if not 0 < captured <= hold.amount:
            raise CaptureError(captured)
        return _resolve(wallet, hold, captured, EntryKind.CAPTURE, now, actor, reason, purchase_id)

    body = {"kind": EntryKind.CAPTURE, "hold": hold_id, "amount": amount, "purchase": purchase_id}
    return post_once(member_id=member_id, key=key, body=body, now=now, build=entry)


def release_hold(*, member_id: int, hold_id: int, key: str, now: datetime, actor: Actor, reason: str = "") -> Receipt:
    """Give everything that is held back.

    Raises:
        HoldResolvedError: it was resolved before.
        KeyReusedError, UnknownMemberError: see ``ledger.posting``.
    """

    def entry(wallet: OpenWallet) -> NewEntry:
        return _resolve(wallet, _open_hold(member_id, hold_id), 0, EntryKind.RELEASE, now, actor, reason)

    return post_once(member_id=member_id, key=key, body={"kind": EntryKind.RELEASE, "hold": hold_id}, now=now, build=entry)


def _open_hold(member_id: int, hold_id: int) -> Hold:
    # The wallet's lock guards its holds.
    hold = Hold.objects.filter(pk=hold_id, member_id=member_id, state=HoldState.OPEN).first()
    if hold is None:
        raise HoldResolvedError(hold_id)
    return hold


def _resolve(
    wallet: OpenWallet, hold: Hold, captured: int, kind: EntryKind, now: datetime, actor: Actor, reason: str, purchase_id: int | None = None
) -> NewEntry:
    parts = held_parts(hold.pk)
    hold.state = HoldState.CAPTURED if captured else HoldState.RELEASED
    hold.captured, hold.resolved_at = captured, now
    hold.save(update_fields=["state", "captured", "resolved_at"])
    legs = postings.resolve_hold(parts, captured, debt=wallet.debt, at=now)
    due_at = [part.lot.expires_at for part in parts if not part.lot.has_lapsed(now)]
    amount = captured or hold.amount
    return NewEntry(kind, amount, legs, now, actor, hold_id=hold.pk, purchase_id=purchase_id, reason=reason, due_at=due_at)
