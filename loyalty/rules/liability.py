"""What points owe: their worth, the part of a sale that belongs to them, and a period's account of them."""

from dataclasses import dataclass
from datetime import date
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Worth:
    """What a point is worth in minor units, and the share of points that is expected to be redeemed."""

    point_minor: Fraction
    redeemed_share: Fraction

    def of(self, points: int) -> Fraction:
        """The stand-alone selling price of points (IFRS 15, B42): their worth times the likelihood that they are used."""
        return points * self.point_minor * self.redeemed_share


@dataclass(frozen=True, slots=True)
class Split:
    """A sale's price, divided between what was sold and the points that came with it."""

    goods_minor: int
    points_minor: int


def split_sale(*, sale_minor: int, points: int, worth: Worth) -> Split:
    """Divide a sale in proportion to the stand-alone prices of the goods and of the points (IFRS 15, 74 and B40 to B42).

    The report does the same in SQL (``queries.liability``). The points' part is rounded to whole minor units, half up, and the goods have the rest: nothing of the sale is lost.

    Example: a sale of 800.00 with 2,000 points worth 0.012 each, of which 80 % are redeemed, is 781.25 and 18.75.
    """
    price = worth.of(points)
    if sale_minor <= 0 or price <= 0:
        return Split(sale_minor, 0)
    points_minor = int(sale_minor * price / (sale_minor + price) + Fraction(1, 2))
    return Split(sale_minor - points_minor, points_minor)


@dataclass(frozen=True, slots=True)
class PeriodAccount:
    """Points of a program over a period. ``reversed`` is what refunds, cancellations and takings removed.

    ``moved`` is zero over a whole program: what leaves one member comes to another.
    """

    starts_on: date
    opening: int
    issued: int
    redeemed: int
    expired: int
    reversed: int
    deferred_minor: int = 0

    @property
    def closing(self) -> int:
        return self.opening + self.issued - self.redeemed - self.expired - self.reversed
