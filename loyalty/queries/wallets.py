"""What a wallet holds: as it stands now, and as it stood at any past moment."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Sum

from loyalty.ledger.posting import settle_member
from loyalty.models import Posting, Wallet
from loyalty.rules.postings import Account


@dataclass(frozen=True, slots=True)
class Standing:
    """A member's points; ``debt`` is what has to be earned before anything can be spent again."""

    balance: int
    held: int
    pending: int
    debt: int


def standing_at(member_id: int, at: datetime) -> Standing:
    """The wallet replayed from its postings, as recorded up to ``at`` inclusive."""
    sums = dict(
        Posting.objects.filter(entry__member_id=member_id, entry__recorded_at__lte=at, account__in=["wallet", "held", "pending", "debt"])
        .order_by()
        .values_list("account")
        .annotate(sum=Sum("amount"))
    )
    return Standing(sums.get(Account.WALLET, 0), sums.get(Account.HELD, 0), sums.get(Account.PENDING, 0), -sums.get(Account.DEBT, 0))


def spendable(member_id: int, now: datetime) -> int:
    """Points that can be spent now. What is due and not yet posted is played ahead and taken back, so that reading changes nothing."""
    wallet = Wallet.objects.get(member_id=member_id)
    if wallet.next_due_at is None or wallet.next_due_at > now:
        return wallet.balance
    with transaction.atomic():
        settle_member(member_id=member_id, now=now)
        wallet.refresh_from_db()
        transaction.set_rollback(True)
    return wallet.balance
