"""Points that had not lapsed at the moment a till says: what was redeemed while nobody could be asked counts as of then."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from loyalty.ledger.store import OpenWallet, lot_states, lots_to_spend
from loyalty.models import Lot, Posting
from loyalty.rules import postings
from loyalty.rules.postings import Account, Leg, LotState

# A till whose clock is wrong, or that says so, brings back nothing older.
LATEST: Final = timedelta(days=7)


def believed(said: datetime | None, now: datetime) -> datetime:
    """The moment a till says something was done at; now, where it says none, one that is still to come or one too long ago."""
    return said if said is not None and now - LATEST <= said < now else now


def spent_as_of(wallet: OpenWallet, amount: int, said: datetime | None, *, to: Account = Account.REDEEMED) -> list[Leg]:
    """The legs by which points go that were spent when a till says.

    Raises:
        InsufficientPointsError: fewer are there, or were then.
    """
    lapsed = lapsed_since(wallet, said)
    parts = postings.take([*lapsed, *lots_to_spend(wallet, amount)], amount)
    return postings.spend(parts, to=to, lapsed=lapsed)


def lapsed_since(wallet: OpenWallet, said: datetime | None) -> list[LotState]:
    """Lots of a settled wallet that could be spent when a till says and have expired since; what of them has is what is available."""
    if (at := believed(said, wallet.now)) == wallet.now:
        return []
    expired = Posting.objects.filter(entry__member_id=wallet.member_id, entry__occurred_at__gt=at, account=Account.EXPIRED, amount__gt=0)
    lots = Lot.objects.filter(pk__in=expired.order_by().values("lot"), earned_at__lte=at).exclude(matures_at__gt=at)
    states = lot_states(lots.values_list("pk", flat=True)).values()
    return [replace(lot, available=lot.expired) for lot in states if lot.expired and lot.has_lapsed(wallet.now) and not lot.has_lapsed(at)]
