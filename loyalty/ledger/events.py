"""The event that tells of an entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crm.events import NewEvent
from loyalty.models import EntryKind

if TYPE_CHECKING:
    from loyalty.ledger.store import NewEntry, OpenWallet

# Reservations come and go at the till within minutes: they stay in the ledger.
EVENT_KINDS: Final[dict[EntryKind, str]] = {
    EntryKind.EARN: "points.earned",
    EntryKind.GIVE: "points.given",
    EntryKind.TAKE: "points.taken",
    EntryKind.MATURE: "points.matured",
    EntryKind.CANCEL: "points.cancelled",
    EntryKind.REDEEM: "points.redeemed",
    EntryKind.CAPTURE: "points.redeemed",
    EntryKind.UNDO: "points.restored",
    EntryKind.EXPIRE: "points.expired",
    EntryKind.CLAWBACK: "points.clawed_back",
    EntryKind.RESTORE: "points.given_back",
}


def entry_event(wallet: OpenWallet, entry: NewEntry, entry_id: int) -> NewEvent | None:
    """The event of an entry, if its kind has one; the wallet stands as after it."""
    if (kind := EVENT_KINDS.get(entry.kind)) is None:
        return None
    properties = {
        "program": wallet.program_id,
        "member": wallet.member_id,
        "entry": entry_id,
        "points": entry.amount,
        "balance": wallet.balance,
        "purchase": entry.purchase_id,
    }
    return NewEvent(kind, min(entry.occurred_at, wallet.now), wallet.customer_id, "loyalty", properties)
