"""What was given back of each sale: a pure function over the set of a customer's receipts.

Refunds that name their sale count against it. The others are matched to the customer's earlier sales, the latest first:
by product and price, then by product, then by amount alone. Whoever gets the receipts, in whatever order, finds the
same; a refund of something that no known sale explains waits for its sale and takes nothing back meanwhile, since
nothing was earned with it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

# Whole as long as it can be: a sale of many lines is looked at often.
Exact = int | Fraction


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a sale, or what is left of it; in a refund, ``of`` is the sale's line that comes back, where that is known."""

    product: str
    category: str
    price: int
    quantity: Exact
    amount: Exact
    id: int | None = None
    of: int | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """A sale, or with ``is_refund`` goods that came back: their lines may have a negative quantity, price or both."""

    id: int
    at: datetime
    lines: tuple[Line, ...]
    number: str = ""
    is_refund: bool = False
    refund_of: int | None = None


def remaining_lines(receipts: Sequence[Receipt]) -> dict[int, tuple[Line, ...]]:
    """What is left of each sale after all refunds."""
    sales = {receipt.id: _Left(receipt) for receipt in receipts if not receipt.is_refund}
    latest_first = sorted(sales.values(), key=lambda left: _order(left.sale), reverse=True)
    by_product: dict[str, list[_Left]] = defaultdict(list)
    for left in latest_first:
        for product in {line.product for line in left.sale.lines if line.product}:
            by_product[product].append(left)
    # Those that name their sale come first; without one, a refund's place among the others is by its time.
    refunds = sorted((receipt for receipt in receipts if receipt.is_refund), key=lambda refund: (refund.refund_of is None, _order(refund)))
    dues = [_Due(refund, sales.get(refund.refund_of or 0)) for refund in refunds if refund.refund_of is None or refund.refund_of in sales]
    for due in dues:
        due.give_back_named()
    for matches in (_same_product_and_price, _same_product):
        for due in dues:
            due.match(matches, by_product)
    for due in dues:
        due.match_amount(latest_first)
    return {key: left.lines() for key, left in sales.items()}


Matches = Callable[["_Back", Line], bool]


def _same_product_and_price(back: "_Back", line: Line) -> bool:
    return line.product == back.product and line.price == back.price


def _same_product(back: "_Back", line: Line) -> bool:
    return line.product == back.product


def _order(receipt: Receipt) -> tuple[object, ...]:
    # Ids follow the order of arrival, which must not matter.
    return (receipt.at, receipt.number, [(line.product, line.price, line.quantity, line.amount) for line in receipt.lines])


@dataclass(slots=True)
class _Back:
    """Pieces of a product that came back and have no sale yet."""

    product: str
    price: int
    quantity: Exact
    amount: Exact


class _Due:
    """A refund, and what of it has no sale yet."""

    def __init__(self, refund: Receipt, sale: "_Left | None") -> None:
        self.at, self.sale = refund.at, sale
        self.amount = max(-sum(line.amount for line in refund.lines), 0)
        self.named = [line for line in refund.lines if sale and line.of]
        self.backs = [
            _Back(line.product, abs(line.price), max(line.quantity, -line.quantity), -line.amount)
            for line in refund.lines
            if line.product and line.quantity and line.amount <= 0 and not (sale and line.of)
        ]

    def give_back_named(self) -> None:
        for line in self.named:
            assert self.sale is not None
            self.amount -= self.sale.give_back_line(line)
        self.amount = max(self.amount, 0)

    def match(self, matches: Matches, by_product: Mapping[str, Sequence["_Left"]]) -> None:
        for back in self.backs:
            for left in self._candidates(by_product.get(back.product, ())):
                if not back.quantity:
                    break
                self.amount -= left.give_back(back, matches, most=self.amount)

    def match_amount(self, latest_first: Sequence["_Left"]) -> None:
        for left in self._candidates(latest_first):
            if not self.amount:
                break
            given = min(self.amount, left.amount)
            left.unspecified += given
            self.amount -= given

    def _candidates(self, sales: Sequence["_Left"]) -> Iterable["_Left"]:
        return [self.sale] if self.sale else (left for left in sales if left.sale.at <= self.at)


@dataclass(slots=True)
class _Left:
    """What is left of a sale while refunds are matched."""

    sale: Receipt
    quantities: list[Exact] = field(init=False)
    amounts: list[Exact] = field(init=False)
    itemised: Exact = field(init=False)
    unspecified: Exact = 0

    def __post_init__(self) -> None:
        self.quantities = [line.quantity for line in self.sale.lines]
        self.amounts = [line.amount for line in self.sale.lines]
        self.itemised = sum(self.amounts)

    @property
    def amount(self) -> Exact:
        return max(self.itemised - self.unspecified, 0)

    def give_back_line(self, back: Line) -> Exact:
        """Take what comes back off the line it names; returns the amount, less than nothing where a discount comes back too."""
        for index, line in enumerate(self.sale.lines):
            if line.id == back.of:
                self.quantities[index] -= min(max(back.quantity, -back.quantity), self.quantities[index])
                self.amounts[index] += back.amount
                self.itemised += back.amount
                return -back.amount
        return 0

    def give_back(self, back: _Back, matches: Matches, *, most: Exact) -> Exact:
        """Take pieces off the lines that match; returns the amount that took with it."""
        total: Exact = 0
        for index, line in enumerate(self.sale.lines):
            pieces = min(back.quantity, self.quantities[index])
            if pieces <= 0 or line.amount < 0 or not matches(back, line):
                continue
            worth = back.amount if pieces == back.quantity else Fraction(pieces * back.amount) / back.quantity
            amount = min(worth, self.amounts[index], self.amount, most - total)
            back.amount -= worth
            back.quantity -= pieces
            self.quantities[index] -= pieces
            self.amounts[index] -= amount
            self.itemised -= amount
            total += amount
        return total

    def lines(self) -> tuple[Line, ...]:
        """The lines that are left; an amount that names no line lowers all of them by the same share."""
        share = Fraction(self.amount) / self.itemised if self.unspecified else 1
        return tuple(
            Line(line.product, line.category, line.price, quantity * share, amount * share)
            for line, quantity, amount in zip(self.sale.lines, self.quantities, self.amounts, strict=True)
        )
