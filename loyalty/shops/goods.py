"""What every shop's order and refund comes down to."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from accounts.currencies import currency_exponent
from crm.actions import NewLine


class ShopDataError(ValueError):
    """The JSON is not what the shop documents."""


@dataclass(frozen=True, slots=True)
class Goods:
    """Pieces of a product and what all of them cost together."""

    product: str
    description: str
    quantity: int
    amount_minor: int

    def lines(self, sign: int = 1) -> Iterator[NewLine]:
        """Lines whose amounts are pieces times price; two of them where the amount does not divide evenly."""
        price, dearer = divmod(self.amount_minor, self.quantity)
        for quantity, unit_price in ((self.quantity - dearer, price), (dearer, price + 1)):
            if quantity:
                yield NewLine(unit_price, sign * quantity, self.product, self.description)


@dataclass(frozen=True, slots=True)
class ShopOrder:
    """A sale; ``id`` is exact, and ``number`` the receipt's number with us."""

    id: int
    number: str
    purchased_at: datetime
    currency: str
    email: str
    goods: tuple[Goods, ...]


@dataclass(frozen=True, slots=True)
class ShopRefund:
    """Goods of an order that come back, and an amount beyond them: less than nothing where something was kept.

    ``order_id`` may have been rounded on its way through JavaScript.
    """

    order_id: int
    number: str
    refunded_at: datetime
    goods: tuple[Goods, ...]
    amount_minor: int = 0


def same_id(one: int, other: int) -> bool:
    """Whether two ids are the same, or would be once JavaScript has rounded them to what a double holds."""
    return float(one) == float(other)


def minor(amount: Any, currency: str) -> int:
    """Minor units of a decimal, given as a string or, where the shop does so, as a number.

    Raises:
        ShopDataError: it is no amount in the currency.
    """
    try:
        value = Decimal(str(amount)).scaleb(currency_exponent(currency))
        if value != (whole := int(value)):
            raise ShopDataError(f"{amount!r} is finer than {currency}")
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise ShopDataError(f"{amount!r} is no amount") from error
    return whole


def moment(text: Any) -> datetime:
    """A time as shops write it; without an offset it is UTC.

    Raises:
        ShopDataError: it is no time.
    """
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise ShopDataError(f"{text!r} is no time") from error
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def field(raw: Mapping[str, Any], name: str) -> Any:
    """A field that has to be there.

    Raises:
        ShopDataError: it is not.
    """
    if raw.get(name) is None:
        raise ShopDataError(f"{name} is missing")
    return raw[name]


def some(goods: Iterable[Goods]) -> tuple[Goods, ...]:
    """Those of which there are pieces."""
    return tuple(one for one in goods if one.quantity)
