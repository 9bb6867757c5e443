"""Activity keeps points alive: one entry says until when, and the dates of the lots it is about follow."""

from collections.abc import Mapping
from datetime import datetime

from accounts.audit import SYSTEM
from accounts.postgresql.prepared import run_prepared
from accounts.tenancy import current_organization_id
from loyalty.ledger import statements
from loyalty.ledger.settling import settle_wallet
from loyalty.ledger.store import NewEntry, open_wallet, post_entry
from loyalty.models import EntryKind


def prolong_lots(*, member_id: int, at: datetime, until: Mapping[int, datetime], now: datetime) -> None:
    """Let lots that were there at a moment and have not lapsed live until the moment of the terms they were earned under.

    An entry is posted only if a lot then lives longer, so doing it again changes nothing.
    """
    wallet, _known = open_wallet(member_id, now=now)
    settle_wallet(wallet)
    values = {"organization": current_organization_id(), "member": member_id, "at": at, "now": wallet.now}
    moved = run_prepared(statements.PROLONG, values | {"terms": list(until), "dates": list(until.values())}).rowcount
    if moved:
        details = {"expires_at": {str(terms): moment.isoformat() for terms, moment in until.items()}}
        post_entry(wallet, NewEntry(EntryKind.PROLONG, 0, (), at, SYSTEM, details=details))
