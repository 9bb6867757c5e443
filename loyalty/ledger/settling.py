"""What time alone does to a wallet: holds lapse, pending points mature, lots expire.

Each happens once, in the order of its moments, as of its moment and not of the run: settling late, often, or again after
a crash gives the same ledger. Every posting settles first, so nothing that has lapsed can be spent.
"""

from datetime import datetime

from accounts.audit import SYSTEM
from loyalty.ledger.bought import return_reserved
from loyalty.ledger.store import (
    NewEntry,
    OpenWallet,
    Resolution,
    expiring_parts,
    first_due,
    held_parts,
    maturing_parts,
    post_entry,
    set_next_due,
)
from loyalty.models import EntryKind, HoldState
from loyalty.rules import postings


def settle_wallet(wallet: OpenWallet) -> int:
    """Post what is due by the wallet's clock; returns how many entries that took. The wallet is locked by the caller."""
    if wallet.next_due_at is None or wallet.next_due_at > wallet.now:
        return 0
    settled = 0
    while (due := first_due(wallet.member_id)) and due[0] <= wallet.now:
        at, rank, hold_id = due
        post_entry(wallet, _lapse(wallet, at, hold_id) if hold_id else (_mature if rank == 1 else _expire)(wallet, at))
        settled += 1
    set_next_due(wallet, due[0] if due else None)
    return settled


def _lapse(wallet: OpenWallet, at: datetime, hold_id: int) -> NewEntry:
    parts = held_parts(hold_id)
    legs = postings.resolve_hold(parts, 0, debt=wallet.debt, at=at)
    resolution = Resolution(HoldState.LAPSED)
    amount, then = sum(part.amount for part in parts), return_reserved(hold_id)
    return NewEntry(EntryKind.LAPSE, amount, legs, at, SYSTEM, hold_id=hold_id, resolution=resolution, then=then)


def _mature(wallet: OpenWallet, at: datetime) -> NewEntry:
    parts = maturing_parts(wallet.member_id, at)
    legs = postings.mature(parts, debt=wallet.debt, at=at)
    return NewEntry(EntryKind.MATURE, sum(part.amount for part in parts), legs, at, SYSTEM)


def _expire(wallet: OpenWallet, at: datetime) -> NewEntry:
    parts = expiring_parts(wallet.member_id, at)
    return NewEntry(EntryKind.EXPIRE, sum(part.amount for part in parts), postings.expire(parts), at, SYSTEM)
