"""Points reserved at the till: placed, then captured or released once, or lapsed by themselves."""

from dataclasses import replace
from datetime import datetime

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts.audit import Actor
from loyalty.ledger.bought import issue_reserved, return_reserved
from loyalty.ledger.lapsed import believed, spent_as_of
from loyalty.ledger.posting import Receipt, checked_points, post_once
from loyalty.ledger.store import NewEntry, OpenWallet, Resolution, held_parts, lots_to_spend, open_hold
from loyalty.models import Entry, EntryKind, Hold, HoldState
from loyalty.rules import postings


class HoldResolvedError(ValueError):
    """The hold was captured, released or has lapsed; ``state`` says which."""

    def __init__(self, state: HoldState) -> None:
        super().__init__(state.value)
        self.state = state


class CaptureError(ValueError):
    """More was to be captured than is held."""


def hold_points(
    *,
    member_id: int,
    amount: int,
    lapses_at: datetime,
    key: str,
    now: datetime,
    actor: Actor,
    occurred_at: datetime | None = None,
    reason: str = "",
) -> tuple[Receipt, int]:
    """Reserve points until ``lapses_at``; returns the receipt and the hold's id, which is its entry's.

    Raises:
        InsufficientPointsError: more than can be spent.
        PointsError, KeyReusedError, UnknownMemberError: see ``ledger.posting``.
    """
    checked_points(amount)

    def entry(wallet: OpenWallet) -> NewEntry:
        parts = postings.take(lots_to_spend(wallet, amount), amount)
        return NewEntry(EntryKind.HOLD, amount, postings.hold(parts), occurred_at or wallet.now, actor, lapses_at=lapses_at, reason=reason)

    receipt = post_once(member_id=member_id, key=key, body={"kind": EntryKind.HOLD, "amount": amount}, now=now, build=entry, spends=True)
    return receipt, receipt.entry_id


def capture_hold(
    *,
    member_id: int,
    hold_id: int,
    key: str,
    now: datetime,
    actor: Actor,
    amount: int | None = None,
    occurred_at: datetime | None = None,
    purchase_id: int | None = None,
    reason: str = "",
) -> Receipt:
    """Redeem what is held, or ``amount`` of it; the rest returns to where it came from.

    Args:
        occurred_at: when it was done; a hold that lapsed since then was good, and as much is redeemed (see ``ledger.lapsed``).

    Raises:
        HoldResolvedError: it was resolved before.
        InsufficientPointsError: it has lapsed since it was captured, and its points are gone.
        CaptureError: ``amount`` is less than 1 or more than is held.
        PriceError: it is a part of what the reward reserved with it costs.
        RewardRefusedError: that reward went to somebody else when the hold had lapsed by their clock.
        KeyReusedError, UnknownMemberError: see ``ledger.posting``.
    """

    def entry(wallet: OpenWallet) -> NewEntry:
        lapsed = _lapsed_since(wallet, hold_id, occurred_at)
        held = lapsed.amount if lapsed else _held(member_id, hold_id)
        captured, at = held if amount is None else amount, occurred_at or wallet.now
        if not 0 < captured <= held:
            raise CaptureError(captured)
        if lapsed:
            legs, details = spent_as_of(wallet, captured, occurred_at), {"hold": hold_id}
            return NewEntry(EntryKind.REDEEM, captured, legs, at, actor, purchase_id=purchase_id, reason=reason, details=details)
        then = issue_reserved(hold_id, captured=captured, held=held, at=wallet.now, actor=actor)
        return replace(_resolve(wallet, hold_id, captured, at, actor), purchase_id=purchase_id, reason=reason, then=then)

    body = {"kind": EntryKind.CAPTURE, "hold": hold_id, "amount": amount, "purchase": purchase_id}
    return post_once(member_id=member_id, key=key, body=body, now=now, build=entry)


def release_hold(
    *, member_id: int, hold_id: int, key: str, now: datetime, actor: Actor, occurred_at: datetime | None = None, reason: str = ""
) -> Receipt:
    """Give everything that is held back.

    Raises:
        HoldResolvedError: it was resolved before.
        KeyReusedError, UnknownMemberError: see ``ledger.posting``.
    """

    def entry(wallet: OpenWallet) -> NewEntry:
        _held(member_id, hold_id)
        return replace(_resolve(wallet, hold_id, 0, occurred_at or wallet.now, actor), reason=reason, then=return_reserved(hold_id))

    return post_once(member_id=member_id, key=key, body={"kind": EntryKind.RELEASE, "hold": hold_id}, now=now, build=entry)


def _lapsed_since(wallet: OpenWallet, hold_id: int, said: datetime | None) -> Hold | None:
    """The hold, if it lapsed after a till says that it was captured, and was not honoured yet; a reward's went with its piece."""
    if (at := believed(said, wallet.now)) == wallet.now:
        return None
    lapsed = Hold.objects.filter(pk=hold_id, member_id=wallet.member_id, state=HoldState.LAPSED, placed_at__lte=at, lapses_at__gt=at)
    hold = lapsed.filter(vouchers=None).first()
    is_honoured = hold and Entry.objects.filter(member_id=wallet.member_id, details__hold=hold_id).exists()
    return None if is_honoured else hold


def hold_of(member_id: int, hold_id: int) -> Hold:
    """The member's hold, whatever its state.

    Raises:
        ValidationError: the member has none with this id.
    """
    if (hold := Hold.objects.filter(pk=hold_id, member_id=member_id).first()) is None:
        raise ValidationError({"hold": ValidationError(_("The member has no such hold."), code="does_not_exist")})
    return hold


def _held(member_id: int, hold_id: int) -> int:
    if (amount := open_hold(member_id, hold_id)) is None:
        raise HoldResolvedError(HoldState(hold_of(member_id, hold_id).state))
    return amount


def _resolve(wallet: OpenWallet, hold_id: int, captured: int, occurred_at: datetime, actor: Actor) -> NewEntry:
    parts = held_parts(hold_id)
    kind, state = (EntryKind.CAPTURE, HoldState.CAPTURED) if captured else (EntryKind.RELEASE, HoldState.RELEASED)
    return NewEntry(
        kind,
        captured or sum(part.amount for part in parts),
        postings.resolve_hold(parts, captured, debt=wallet.debt, at=wallet.now),
        occurred_at,
        actor,
        hold_id=hold_id,
        resolution=Resolution(state, captured),
        due_at=[part.lot.expires_at for part in parts if not part.lot.has_lapsed(wallet.now)],
    )
