"""How many stamps something is worth, and where a card stands."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from math import floor
from typing import Final, Protocol

from loyalty.rules.receipts import Exact, Line

MOST_PER_SALE: Final = 1_000
BY_HAND: Final = "hand:"  # how the keys of stamps begin that nothing bought or visited stands for


class Card(Protocol):
    """What of a stamp card decides what is stamped."""

    @property
    def stamped_for(self) -> str: ...
    @property
    def products(self) -> Collection[str]: ...
    @property
    def categories(self) -> Collection[str]: ...
    @property
    def least_minor(self) -> int: ...
    @property
    def valid_from(self) -> datetime | None: ...
    @property
    def valid_until(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class CardStanding:
    """A member's card: so many of ``size`` stamps; ``owed`` stamps were lost after the card's voucher had been used."""

    size: int
    stamps: int
    owed: int = 0


def stamps_for_sale(card: Card, left: Iterable[Line]) -> int:
    """The stamps of a sale, by what is left of it: an amount above nothing and the least, and whole pieces.

    More pieces may come back in an exchange than leave; then there is no stamp.
    """
    lines = list(left)
    amount = sum(line.amount for line in lines)
    if amount <= 0 or amount < card.least_minor:
        return 0
    match card.stamped_for:
        case "purchase":
            return 1
        case "product":
            return _whole(line.quantity for line in lines if line.product in card.products)
        case "category":
            return _whole(line.quantity for line in lines if line.category in card.categories)
        case _:
            return 0


def _whole(pieces: Iterable[Exact]) -> int:
    return min(max(floor(sum(pieces)), 0), MOST_PER_SALE)


def is_stamped(card: Card, at: datetime) -> bool:
    """Whether what happened at a moment is stamped; ``valid_until`` is the first one at which it is not."""
    return (not card.valid_from or card.valid_from <= at) and (not card.valid_until or at < card.valid_until)


def standing(*, stamps: int, filled: int, size: int) -> CardStanding:
    """Where a card stands that has so many stamps and gave so many vouchers."""
    left = stamps - filled * size
    return CardStanding(size, max(left, 0), max(-left, 0))
