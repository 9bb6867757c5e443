"""What points reserve or buy goes the way of the points.

Before an entry is posted its voucher is looked at and locked; what becomes of it is written with the entry
(``NewEntry.then``). Locks are taken in one order: wallet, the wallet's voucher, the program's stock.
"""

from collections.abc import Callable
from datetime import datetime

from django.db.models import QuerySet

from accounts.audit import Actor
from accounts.postgresql.prepared import run_prepared
from accounts.tenancy import current_organization_id
from loyalty.ledger.stock import RewardRefusedError, organization_zone, return_piece, tell_cancelled, tell_redeemed
from loyalty.models import Voucher, VoucherState
from loyalty.rules.rewards import Refusal, voucher_end

Then = Callable[[int], None]
_OF_HOLD = "select id from loyalty_voucher where organization_id = %(organization)s and hold_id = %(hold)s for update"


class VoucherNotOpenError(ValueError):
    """The voucher was used or cancelled, or has expired; ``state`` says which."""

    def __init__(self, state: VoucherState) -> None:
        super().__init__(state.value)
        self.state = state


class PriceError(ValueError):
    """A part of what a reward costs cannot be redeemed or undone alone."""


def issue_reserved(hold_id: int, *, captured: int, held: int, at: datetime, actor: Actor) -> Then | None:
    """Look at the voucher that a hold reserved, if there is one; it is issued as bought by the entry that captures the hold.

    Raises:
        PriceError: less is captured than the reward costs.
        RewardRefusedError: its piece went to somebody else when the hold had lapsed by their clock.
    """
    voucher = _voucher_of(hold_id)
    if voucher is None:
        return None
    if voucher.state != VoucherState.RESERVED:
        raise RewardRefusedError(Refusal.SOLD_OUT)
    if captured != held:
        raise PriceError(captured)

    def issue(entry_id: int) -> None:
        voucher.state, voucher.entry_id, voucher.issued_at = VoucherState.ISSUED, entry_id, at
        voucher.expires_at = voucher_end(at, voucher.reward.voucher_days, organization_zone())
        voucher.save(update_fields=["state", "entry", "issued_at", "expires_at"])
        tell_redeemed(voucher, at=at, actor=actor)

    return issue


def return_reserved(hold_id: int) -> Then | None:
    """Look at the voucher that a hold reserved, if there is one; its piece returns as its points do."""
    voucher = _voucher_of(hold_id)
    if voucher is None or voucher.state != VoucherState.RESERVED:
        return None
    return lambda _entry_id: return_piece(voucher)


def cancel_bought(entry_id: int, *, in_full: bool, at: datetime, actor: Actor, reason: str) -> Then | None:
    """Look at the voucher that an entry bought, if there is one; it is cancelled as its points return.

    Raises:
        VoucherNotOpenError: it was used, or has expired.
        PriceError: only a part of the price returns.
    """
    voucher = locked_vouchers().filter(entry_id=entry_id).first()
    if voucher is None:
        return None
    if not in_full:
        raise PriceError(entry_id)
    check_open(voucher, at)

    def cancel(_entry_id: int) -> None:
        return_piece(voucher)
        tell_cancelled(voucher, at=at, actor=actor, reason=reason)

    return cancel


def locked_vouchers() -> QuerySet[Voucher]:
    """Vouchers with their reward and member, locked until the end of the transaction."""
    return Voucher.objects.select_for_update(of=("self",)).select_related("reward", "member")


def check_open(voucher: Voucher, at: datetime) -> None:
    """Refuse a voucher that cannot be used at a moment, whether or not a sweep came to it.

    Raises:
        VoucherNotOpenError: see above.
    """
    if voucher.state != VoucherState.ISSUED:
        raise VoucherNotOpenError(VoucherState(voucher.state))
    if voucher.expires_at is not None and voucher.expires_at <= at:
        raise VoucherNotOpenError(VoucherState.EXPIRED)


def _voucher_of(hold_id: int) -> Voucher | None:
    # Most holds reserve no reward, so looking for one has to cost next to nothing.
    row = run_prepared(_OF_HOLD, {"organization": current_organization_id(), "hold": hold_id}).fetchone()
    return Voucher.objects.select_related("reward", "member").get(pk=row[0]) if row else None
