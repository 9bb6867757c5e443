"""What points are worth at the till, and what of them comes back with goods: whole points, whole minor units."""

from typing import Final

from loyalty.rules.terms import Redemption

# The line of a sale that says what its points paid for.
POINTS_CODE: Final = "loyalty-points"


def worth_minor(points: int, rate: Redemption) -> int:
    """What points pay for, rounded down."""
    return points * rate.minor // rate.points


def missing_points(available: int, rate: Redemption) -> int:
    """How many more it takes before any can pay; none where points pay from the first on."""
    return max(rate.smallest - available, 0) if rate.smallest > 1 else 0


def most_points(total_minor: int, available: int, rate: Redemption) -> int:
    """The most points that a cart can be paid with, none of them in vain; nothing when that is less than may be redeemed."""
    points = min(available, max(total_minor, 0) * rate.points // rate.minor)
    return points if points >= rate.smallest else 0


def share_back(whole: int, *, back_minor: int, goods_minor: int) -> int:
    """What of some points, or of what they paid, has come back once goods worth so much have.

    It depends on the sum of all refunds alone, so that any split of them gives back what one refund would.
    """
    return whole if back_minor >= goods_minor else whole * max(back_minor, 0) // goods_minor
