"""What each thing that happens to a wallet does to its accounts: pure functions from state to legs that sum to zero."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

# The most points one entry can be about.
MAX_POINTS: Final = 10**12


class Account(StrEnum):
    """``wallet`` to ``debt`` are the member's side (debt is negative), the others the program's."""

    WALLET = "wallet"
    HELD = "held"
    PENDING = "pending"
    DEBT = "debt"
    ISSUED = "issued"
    REDEEMED = "redeemed"
    EXPIRED = "expired"
    REVERSED = "reversed"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Leg:
    """Points that come to an account (positive) or leave it, and the lot they belong to where that matters."""

    account: Account
    amount: int
    lot: int | None = None


@dataclass(frozen=True, slots=True)
class LotState:
    """A lot as it stands: what can be spent, what is pending, what of it has expired."""

    id: int
    earned_at: datetime
    expires_at: datetime | None = None
    available: int = 0
    pending: int = 0
    expired: int = 0

    def has_lapsed(self, at: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= at


@dataclass(frozen=True, slots=True)
class Part:
    """Some points of a lot."""

    lot: LotState
    amount: int


class InsufficientPointsError(ValueError):
    """More points were asked for than can be spent."""

    def __init__(self, *, wanted: int, available: int) -> None:
        super().__init__(f"{wanted} points wanted, {available} available")
        self.wanted, self.available = wanted, available


def spending_order(lots: Iterable[LotState]) -> list[LotState]:
    """Earliest expiry first, then oldest; what never expires comes last."""
    return sorted(lots, key=lambda lot: (lot.expires_at is None, lot.expires_at or lot.earned_at, lot.earned_at, lot.id))


def take(lots: Iterable[LotState], amount: int) -> list[Part]:
    """The parts of ``lots`` that ``amount`` is spent from.

    Raises:
        InsufficientPointsError: the lots hold less.
    """
    parts = take_up_to(lots, amount)
    if (available := sum(part.amount for part in parts)) < amount:
        raise InsufficientPointsError(wanted=amount, available=available)
    return parts


def take_up_to(lots: Iterable[LotState], amount: int) -> list[Part]:
    """Like ``take``, of lots that may hold less."""
    parts = []
    for lot in spending_order(lots):
        if amount and lot.available:
            taken = min(lot.available, amount)
            parts.append(Part(lot, taken))
            amount -= taken
    return parts


def receive(parts: Iterable[Part], *, debt: int) -> list[Leg]:
    """Points come to the member: debt is repaid first, the rest can be spent."""
    legs = []
    for part in parts:
        repaid = min(debt, part.amount)
        debt -= repaid
        legs += _legs((Account.DEBT, repaid, part.lot.id), (Account.WALLET, part.amount - repaid, part.lot.id))
    return legs


def return_parts(parts: Sequence[Part], *, debt: int, at: datetime) -> list[Leg]:
    """Points come back to the lots they were of; those of lapsed lots expire at once."""
    lapsed = [Leg(Account.EXPIRED, part.amount, part.lot.id) for part in parts if part.lot.has_lapsed(at)]
    return lapsed + receive([part for part in parts if not part.lot.has_lapsed(at)], debt=debt)


def earn(lot: LotState, amount: int, *, debt: int, pending: bool) -> list[Leg]:
    """New points, which can be spent at once or come later."""
    arriving = [Leg(Account.PENDING, amount, lot.id)] if pending else receive([Part(lot, amount)], debt=debt)
    return [Leg(Account.ISSUED, -amount), *arriving]


def mature(parts: Sequence[Part], *, debt: int, at: datetime) -> list[Leg]:
    """Pending points become available; those of lots that lapsed while they were pending expire at once."""
    return [*(Leg(Account.PENDING, -part.amount, part.lot.id) for part in parts), *return_parts(parts, debt=debt, at=at)]


def spend(parts: Sequence[Part], *, to: Account, lapsed: Sequence[LotState] = ()) -> list[Leg]:
    """Points leave the wallet for good; those of ``lapsed`` lots have expired since they were spent."""
    late = {lot.id for lot in lapsed}
    leaving = [Leg(Account.EXPIRED if part.lot.id in late else Account.WALLET, -part.amount, part.lot.id) for part in parts]
    return [*leaving, Leg(to, sum(part.amount for part in parts))]


def hold(parts: Iterable[Part]) -> list[Leg]:
    """Points are reserved, lot by lot."""
    return [leg for part in parts for leg in (Leg(Account.WALLET, -part.amount, part.lot.id), Leg(Account.HELD, part.amount, part.lot.id))]


def resolve_hold(parts: Sequence[Part], captured: int, *, debt: int, at: datetime) -> list[Leg]:
    """Of what was held, ``captured`` points are redeemed in the order they were taken and the rest returns."""
    legs = [Leg(Account.HELD, -part.amount, part.lot.id) for part in parts] + _legs((Account.REDEEMED, captured, None))
    returning = []
    for part in parts:
        used = min(captured, part.amount)
        captured -= used
        if part.amount > used:
            returning.append(Part(part.lot, part.amount - used))
    return legs + return_parts(returning, debt=debt, at=at)


def undo(consumed: Sequence[Part], amount: int, *, by: Account, debt: int, at: datetime) -> list[Leg]:
    """``amount`` points that went to the account ``by`` go back to their lots, the last one taken first."""
    returning, left = [], amount
    for part in reversed(consumed):
        given = min(part.amount, left)
        left -= given
        if given:
            returning.append(Part(part.lot, given))
    return [Leg(by, -amount), *return_parts(returning, debt=debt, at=at)]


def expire(parts: Iterable[Part]) -> list[Leg]:
    """What is left of lapsed lots goes."""
    return [
        leg for part in parts for leg in (Leg(Account.WALLET, -part.amount, part.lot.id), Leg(Account.EXPIRED, part.amount, part.lot.id))
    ]


def cancel(lot: LotState, amount: int) -> list[Leg]:
    """Pending points never come."""
    return [Leg(Account.PENDING, -amount, lot.id), Leg(Account.REVERSED, amount)]


def claw_back(amount: int, *, own: LotState | None, lots: Iterable[LotState]) -> list[Leg]:
    """Earned points are taken back: from the lot they came in by, expired ones included, then from the others; what is missing is debt.

    A point that has expired is not taken a second time, so it does not matter whether the refund or the expiry came first.
    """
    legs, left = [Leg(Account.REVERSED, amount)], amount
    if own is not None:
        for account, there in ((Account.PENDING, own.pending), (Account.WALLET, own.available), (Account.EXPIRED, own.expired)):
            taken = min(there, left)
            left -= taken
            legs += _legs((account, -taken, own.id))
    others = take_up_to((lot for lot in lots if own is None or lot.id != own.id), left)
    left -= sum(part.amount for part in others)
    return [*legs, *_from_wallet(others), *_legs((Account.DEBT, -left, None))]


def restore(
    taken: Sequence[Part], *, waiting: Sequence[Part] = (), forgiven: int = 0, repaid: Sequence[Part] = (), debt: int, at: datetime
) -> list[Leg]:
    """What a clawback took comes back, since it was not due; what of it is not available yet goes on waiting.

    Args:
        forgiven: of what it left as debt, what is still owed; nobody's points are needed for it, so none of them expire.
        repaid: the points that have repaid the rest of it meanwhile.
    """
    pending = [Leg(Account.PENDING, part.amount, part.lot.id) for part in waiting]
    unpaid = [Leg(Account.DEBT, -part.amount, part.lot.id) for part in repaid]
    cleared = forgiven + sum(part.amount for part in repaid)
    returned = cleared + sum(part.amount for part in (*taken, *waiting))
    returning = return_parts([*taken, *repaid], debt=debt - forgiven, at=at)
    return [Leg(Account.REVERSED, -returned), *_legs((Account.DEBT, cleared, None)), *unpaid, *pending, *returning]


def last_repaid(legs: Iterable[tuple[int, int]], amount: int) -> dict[int, int]:
    """Up to ``amount`` points by the lots that repaid a debt last, most recent first.

    Args:
        legs: lots and what they repaid, less than nothing where it was given back, in the order in which that happened.
    """
    standing: list[tuple[int, int]] = []
    for lot, points in legs:
        if points > 0:
            standing.append((lot, points))
        else:
            _pop(standing, -points)
    return _pop(standing, amount)


def _pop(standing: list[tuple[int, int]], amount: int) -> dict[int, int]:
    popped: dict[int, int] = {}
    while amount and standing:
        lot, points = standing.pop()
        taken = min(points, amount)
        amount -= taken
        popped[lot] = popped.get(lot, 0) + taken
        if points > taken:
            standing.append((lot, points - taken))
    return popped


def move_out(lot: LotState) -> list[Leg]:
    """All that is left of a lot goes to another member, and what of it has expired."""
    leaving = _legs(
        (Account.WALLET, -lot.available, lot.id), (Account.PENDING, -lot.pending, lot.id), (Account.EXPIRED, -lot.expired, lot.id)
    )
    return [*leaving, Leg(Account.MOVED, lot.available + lot.pending + lot.expired)]


def move_in(lot: LotState, *, debt: int) -> list[Leg]:
    """What was left of another member's lot comes; debt is repaid first."""
    coming = [Part(lot, lot.available)] if lot.available else []
    others = _legs((Account.PENDING, lot.pending, lot.id), (Account.EXPIRED, lot.expired, lot.id))
    return [Leg(Account.MOVED, -lot.available - lot.pending - lot.expired), *others, *receive(coming, debt=debt)]


def move_debt_out(amount: int, *, parts: Sequence[Part] = (), debt: int = 0, at: datetime | None = None) -> list[Leg]:
    """Debt goes to another member, and with it points return that had repaid some of it; they repay what else there is of ``debt``."""
    owed = amount - sum(part.amount for part in parts)
    returning = return_parts(parts, debt=debt - owed, at=at) if at else []
    return [Leg(Account.MOVED, -amount), *_legs((Account.DEBT, owed, None)), *returning]


def move_debt_in(amount: int, lots: Iterable[LotState]) -> list[Leg]:
    """Another member's debt comes; what can be spent repays it at once."""
    parts = take_up_to(lots, amount)
    owed = amount - sum(part.amount for part in parts)
    return [Leg(Account.MOVED, amount), *_from_wallet(parts), *_legs((Account.DEBT, -owed, None))]


def by_lot(legs: Iterable[Leg], account: Account) -> dict[int, int]:
    """What legs add to the lots on one account."""
    sums: dict[int, int] = {}
    for leg in legs:
        if leg.account is account and leg.lot is not None:
            sums[leg.lot] = sums.get(leg.lot, 0) + leg.amount
    return sums


def total(legs: Iterable[Leg], account: Account) -> int:
    """What legs add to one account."""
    return sum(leg.amount for leg in legs if leg.account is account)


def _from_wallet(parts: Iterable[Part]) -> list[Leg]:
    return [Leg(Account.WALLET, -part.amount, part.lot.id) for part in parts]


def _legs(*wanted: tuple[Account, int, int | None]) -> list[Leg]:
    return [Leg(account, amount, lot) for account, amount, lot in wanted if amount]
