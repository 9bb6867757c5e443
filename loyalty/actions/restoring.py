"""Points that paid for a sale come back with its refunds, whoever recorded them.

A refund of the till names goods, and has a line of its own for what points had paid of them. Any other one says how much
money comes back: its share of the money paid is its share of the goods, and of the points.
"""

from datetime import datetime
from typing import Final

from django.db.models import Q, Sum
from django.utils.translation import gettext as _

from accounts.audit import Actor
from crm.models import Purchase, PurchaseLine
from loyalty.actions.points import undo_redemption
from loyalty.models import Entry, EntryKind
from loyalty.refusals import TillRefusedError
from loyalty.rules.till import POINTS_CODE, share_back

TILL: Final = "till"  # the source of receipts that the till's actions write


def restore_points(*, refund: Purchase, key: str, now: datetime, actor: Actor, points: int | None = None) -> int:
    """Give back the points that paid for what a refund gives back of its sale; returns how many.

    Args:
        points: to give back; when ``None``, what all refunds of the sale together leave to be given back.

    Raises:
        TillRefusedError: fewer points are left of what was redeemed.
    """
    left, whole = _redeemed(refund.refund_of_id or 0)
    if points and points > sum(left.values()):
        raise TillRefusedError(_("Fewer points are left of what was redeemed."), code="not_undoable")
    due = points
    if due is None:
        due = _come_back(refund.refund_of, whole) - whole + sum(left.values()) if left and refund.refund_of else 0
    restored = 0
    for entry, most in left.items():
        if (amount := min(most, due - restored)) > 0:
            undo_redemption(
                member_id=entry.member_id,
                entry_id=entry.pk,
                amount=amount,
                key=f"{key}:undo:{entry.pk}",
                occurred_at=refund.purchased_at,
                now=now,
                actor=actor,
            )
            restored += amount
    return restored


def goods_back(sale: Purchase, paying: PurchaseLine | None) -> int:
    """What the till's refunds gave back of the goods of a sale, before what points had paid of them."""
    lines = PurchaseLine.objects.filter(purchase__refund_of=sale, purchase__source=TILL)
    lines = lines.exclude(refund_of=paying) if paying else lines
    return -(lines.aggregate(sum=Sum("amount_minor"))["sum"] or 0)


def _redeemed(sale_id: int) -> tuple[dict[Entry, int], int]:
    """What is left of each redemption that paid for a sale, and how much all of them were; rewards are none of them."""
    entries = Entry.objects.filter(purchase=sale_id, kind__in=[EntryKind.REDEEM, EntryKind.CAPTURE], vouchers=None).order_by("pk")
    undone = Sum("followers__amount", filter=Q(followers__kind=EntryKind.UNDO), default=0)
    left: dict[Entry, int] = {entry: entry.amount - entry.undone for entry in entries.annotate(undone=undone)}
    return left, sum(entry.amount for entry in left)


def _come_back(sale: Purchase, whole: int) -> int:
    """What of the points of a sale has to have come back by all its refunds."""
    lines = list(sale.lines.all())
    paying = next((line for line in lines if line.product_code == POINTS_CODE), None)
    goods_minor = sum(line.amount_minor for line in lines if line is not paying)
    totals = sale.refunds.aggregate(all=Sum("total_minor", default=0), till=Sum("total_minor", filter=Q(source=TILL), default=0))
    money_back = totals["till"] - totals["all"]
    if money_back and sale.total_minor + totals["all"] <= 0:
        return whole
    # In parts of a minor unit, for which nothing is rounded before the end.
    parts = sale.total_minor if money_back else 1
    return share_back(whole, back_minor=goods_back(sale, paying) * parts + money_back * goods_minor, goods_minor=goods_minor * parts)
