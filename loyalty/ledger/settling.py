"""What time alone does to a wallet: holds lapse, pending points mature, lots expire.

Each happens once, in the order of its moments, as of its moment and not of the run: settling late, often, or again after
a crash gives the same ledger. Every posting settles first, so nothing that has lapsed can be spent.
"""

from datetime import datetime

from accounts.audit import SYSTEM
from loyalty.ledger.events import record_entry_event
from loyalty.ledger.store import NewEntry, OpenWallet, first_due, held_parts, lots_due, post_entry, set_next_due
from loyalty.models import EntryKind, Hold, HoldState
from loyalty.rules import postings


def settle_wallet(wallet: OpenWallet, *, now: datetime) -> int:
    """Post what is due up to ``now``; returns how many entries that took. The wallet is locked by the caller."""
    if wallet.next_due_at is None or wallet.next_due_at > now:
        return 0
    settled = 0
    while (due := first_due(wallet.member_id)) and due[0] <= now:
        at, rank = due
        entry = (_lapse, _mature, _expire)[rank](wallet, at)
        record_entry_event(wallet, entry, post_entry(wallet, entry, now=now))
        settled += 1
    set_next_due(wallet, due[0] if due else None)
    return settled


def _lapse(wallet: OpenWallet, at: datetime) -> NewEntry:
    hold = Hold.objects.filter(member_id=wallet.member_id, state=HoldState.OPEN, lapses_at=at).earliest("id")
    Hold.objects.filter(pk=hold.pk).update(state=HoldState.LAPSED, resolved_at=at)
    legs = postings.resolve_hold(held_parts(hold.pk), 0, debt=wallet.debt, at=at)
    return NewEntry(EntryKind.LAPSE, hold.amount, legs, at, SYSTEM, hold_id=hold.pk)


def _mature(wallet: OpenWallet, at: datetime) -> NewEntry:
    parts = lots_due(wallet.member_id, column="matures_at", at=at)
    legs = postings.mature(parts, debt=wallet.debt)
    return NewEntry(EntryKind.MATURE, sum(part.amount for part in parts), legs, at, SYSTEM)


def _expire(wallet: OpenWallet, at: datetime) -> NewEntry:
    parts = lots_due(wallet.member_id, column="expires_at", at=at)
    return NewEntry(EntryKind.EXPIRE, sum(part.amount for part in parts), postings.expire(parts), at, SYSTEM)
