"""What a wallet holds: as it stands now, and as it stood at any past moment."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Sum

from loyalty.models import LotRemainder, Posting, Wallet
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
    """Points that can be spent now; what has lapsed since the last entry is not among them."""
    wallet = Wallet.objects.get(member_id=member_id)
    if wallet.next_due_at is None or wallet.next_due_at > now:
        return wallet.balance
    lapsed = (
        LotRemainder.objects.filter(member_id=member_id, available__gt=0, expires_at__lte=now).aggregate(sum=Sum("available"))["sum"] or 0
    )
    return wallet.balance - int(lapsed)
