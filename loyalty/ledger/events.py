"""The event that tells of an entry, in the entry's own transaction."""

from typing import Final

from crm.events import NewEvent, append_event
from loyalty.ledger.store import NewEntry, OpenWallet
from loyalty.models import EntryKind

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


def record_entry_event(wallet: OpenWallet, entry: NewEntry, entry_id: int) -> None:
    """Write the event of an entry that was just posted, if its kind has one."""
    if (kind := EVENT_KINDS.get(entry.kind)) is None:
        return
    properties = {
        "program": wallet.program_id,
        "member": wallet.member_id,
        "entry": entry_id,
        "points": entry.amount,
        "balance": wallet.balance,
        "purchase": entry.purchase_id,
    }
    append_event(NewEvent(kind, entry.occurred_at, wallet.customer_id, "loyalty", properties))
