"""A wallet as the promises tell of it, point by point: slow, obvious, and sharing nothing with the ledger's code."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

# A point that has just moved sits behind all others until the ledger says which lot it came in.
MOVED = 10**12


class RefusedError(Exception):
    """The model says no."""


@dataclass(eq=False)
class Lot:
    """Points that came in together, and whose they are wherever they are."""

    id: int
    home: Purse
    earned_at: datetime
    matures_at: datetime | None
    expires_at: datetime | None
    terms: int | None = None

    def has_lapsed(self, at: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= at


@dataclass(eq=False)
class Point:
    """One point. It is pending, free, held, spent, expired or gone; ``seat`` is the lot it sits in where it is now."""

    lot: Lot
    state: str
    seat: int

    def order(self) -> tuple[bool, datetime, datetime, int]:
        lot = self.lot
        return (lot.expires_at is None, lot.expires_at or lot.earned_at, lot.earned_at, self.seat)


@dataclass(eq=False)
class Owed:
    """Debt that came from another purse, and the points that repaid it at once."""

    of: Purse
    amount: int
    paid: list[Point]


@dataclass(eq=False)
class Purse:
    """A member's points and debt, always as of ``now``. A purse that moved to a ``holder`` is empty."""

    now: datetime
    points: list[Point] = field(default_factory=list)
    debt: int = 0
    holds: dict[int, tuple[datetime, list[Point]]] = field(default_factory=dict)
    spent: dict[int, list[Point]] = field(default_factory=dict)
    clawed: dict[int, tuple[Lot, list[Point], int]] = field(default_factory=dict)
    repaid: list[Point] = field(default_factory=list)
    earned: dict[int, Lot] = field(default_factory=dict)
    owed: list[Owed] = field(default_factory=list)
    holder: Purse | None = None

    def count(self, state: str) -> int:
        return sum(point.state == state for point in self.points)

    def standing(self) -> tuple[int, int, int, int]:
        return self.count("free"), self.count("held"), self.count("pending"), self.debt

    def lots(self) -> dict[int, tuple[int, int]]:
        """What is free and what is pending of every lot that has something left."""
        left: dict[int, tuple[int, int]] = {}
        for point in self.points:
            free, pending = left.get(point.lot.id, (0, 0))
            if point.state in ("free", "pending"):
                left[point.lot.id] = (free + (point.state == "free"), pending + (point.state == "pending"))
        return left

    def travel(self, now: datetime) -> None:
        """Let time pass: at every moment holds lapse first, then points mature, then points expire."""
        while moments := [at for at in self._moments() if at <= now]:
            at = min(moments)
            for hold in sorted(hold for hold, (lapses_at, _points) in self.holds.items() if lapses_at == at):
                self._come(self.holds.pop(hold)[1], at)
            maturing = [point for point in self.points if point.state == "pending" and point.lot.matures_at == at]
            self._come(sorted(maturing, key=lambda point: (point.lot.earned_at, point.seat)), at)
            for point in self.points:
                if point.state == "free" and point.lot.has_lapsed(at):
                    point.state = "expired"
        self.now = now

    def earn(self, lot: Lot, amount: int) -> None:
        self.earned[lot.id] = lot
        is_pending = lot.matures_at is not None and lot.matures_at > self.now
        new = [Point(lot, "pending" if is_pending else "coming", lot.id) for _ in range(amount)]
        self.points += new
        if not is_pending:
            self._come(new, self.now, even_lapsed=True)
        self.travel(self.now)

    def spend(self, amount: int) -> list[Point]:
        free = sorted((point for point in self.points if point.state == "free"), key=Point.order)
        if len(free) < amount:
            raise RefusedError
        return free[:amount]

    def redeem(self, entry: int, amount: int) -> None:
        self.spent[entry] = self._put(self.spend(amount), "spent")

    def undo(self, entry: int, amount: int | None) -> None:
        spent = self.spent.get(entry, [])
        wanted = len(spent) if amount is None else amount
        if not 0 < wanted <= len(spent):
            raise RefusedError
        self._come_on([spent.pop() for _ in range(wanted)])

    def hold(self, hold: int, amount: int, lapses_at: datetime) -> None:
        self.holds[hold] = (lapses_at, self._put(self.spend(amount), "held"))
        self.travel(self.now)

    def capture(self, entry: int, hold: int, amount: int | None) -> None:
        held = self.holds[hold][1] if hold in self.holds else []
        wanted = len(held) if amount is None else amount
        if not 0 < wanted <= len(held):
            raise RefusedError
        del self.holds[hold]
        self.spent[entry] = self._put(held[:wanted], "spent")
        self._come(held[wanted:], self.now)

    def release(self, hold: int) -> None:
        if hold not in self.holds:
            raise RefusedError
        self._come(self.holds.pop(hold)[1], self.now)

    def claw_back(self, entry: int, amount: int, lot: int | None) -> None:
        self._bring_home(lot)
        own = [point for state in ("pending", "free", "expired") for point in self.points if point.lot.id == lot and point.state == state]
        others = sorted((point for point in self.points if point.lot.id != lot and point.state == "free"), key=Point.order)
        gone = self._put((own + others)[:amount], "gone")
        self.debt += amount - len(gone)
        if lot is not None:
            self.clawed[entry] = self.earned[lot], gone, amount - len(gone)
        self._go_on()

    def restore(self, clawback: int) -> None:
        if clawback not in self.clawed:
            raise RefusedError
        lot, coming, owed = self.clawed.pop(clawback)
        forgiven = min(self.debt, owed)
        self.debt -= forgiven
        back = [self.repaid.pop() for _ in range(min(owed - forgiven, len(self.repaid)))]
        new = [Point(lot, "coming", lot.id) for _ in range(owed - forgiven - len(back))]
        self.points += new
        self._come_on([*coming, *new, *back])

    def cancel(self, lot: int) -> None:
        everywhere = [*self.points, *(self.holder.points if self.holder else ())]
        if lot not in self.earned or not any(point.lot.id == lot and point.state == "pending" for point in everywhere):
            raise RefusedError
        self._bring_home(lot)
        self._put([point for point in self.points if point.lot.id == lot and point.state == "pending"], "gone")
        self._go_on()

    def prolong(self, at: datetime, until: datetime) -> None:
        for lot in self.earned.values():
            if lot.terms and lot.expires_at and lot.earned_at <= at and self.now < lot.expires_at < until:
                lot.expires_at = until

    def move(self, to: Purse) -> None:
        if self.count("held") or to.count("held"):
            raise RefusedError
        self.holder = to
        self._go_on()

    def come_back(self) -> None:
        other = self.holder
        if other is None or self.count("held") or other.count("held"):
            raise RefusedError
        self.holder = None
        for debt in [debt for debt in other.owed if debt.of is self]:
            owed = min(other.debt, debt.amount - len(debt.paid))
            if owed or debt.paid:
                other.owed.remove(debt)
                other.debt -= owed
                other._come(debt.paid, self.now)
                self.debt += owed + len(debt.paid)
        states = ("free", "pending", "expired")
        self._take_in([point for point in other.points if point.lot.home is self and point.state in states], other)

    def _bring_home(self, lot: int | None) -> None:
        """What is elsewhere of a lot comes home, for what is done about it."""
        if self.holder:
            states = ("free", "pending", "expired")
            self._take_in([point for point in self.holder.points if point.lot.id == lot and point.state in states], self.holder)

    def _take_in(self, points: list[Point], other: Purse) -> None:
        other.points = [point for point in other.points if point not in points]
        self.points += points
        for point in sorted(points, key=lambda point: point.seat):
            if point.state == "free":
                self._come([point], self.now)
        for point in points:
            point.seat = point.lot.id

    def _come_on(self, points: list[Point]) -> None:
        """Points come back to whoever they belong to by now."""
        self._come(points, self.now)
        for home in {point.lot.home for point in points} - {self}:
            if home.holder is not self:
                theirs = [point for point in points if point.lot.home is home and point.state in ("free", "pending", "expired")]
                home._take_in(theirs, self)
                home._go_on()
        self._go_on()

    def _go_on(self) -> None:
        """All that is left goes to the holder, and debt with it."""
        if self.holder is None:
            return
        moving = sorted((point for point in self.points if point.state in ("free", "pending")), key=lambda point: point.seat)
        self.points = [point for point in self.points if point.state not in ("free", "pending")]
        self.holder.points += moving
        for point in moving:
            point.seat += MOVED
        self.holder._come([point for point in moving if point.state == "free"], self.now)
        if self.debt:
            paying = self.holder._pay(self.debt)
            self.holder.owed.append(Owed(self, self.debt, paying))
            self.debt = 0

    def _pay(self, debt: int) -> list[Point]:
        """Debt comes; what is free repays it at once."""
        free = sorted((point for point in self.points if point.state == "free"), key=Point.order)
        self.debt += debt - len(free[:debt])
        return self._put(free[:debt], "gone")

    def _moments(self) -> list[datetime]:
        moments = [lapses_at for lapses_at, _points in self.holds.values()]
        moments += [point.lot.matures_at for point in self.points if point.state == "pending" and point.lot.matures_at]
        return moments + [point.lot.expires_at for point in self.points if point.state == "free" and point.lot.expires_at]

    def _come(self, points: list[Point], at: datetime, *, even_lapsed: bool = False) -> None:
        """Points come to the member: those that wait go on waiting, lapsed ones expire, the others repay debt first."""
        for point in points:
            if point.lot.matures_at and point.lot.matures_at > at:
                point.state = "pending"
            elif point.lot.has_lapsed(at) and not even_lapsed:
                point.state = "expired"
            elif self.debt:
                self.debt, point.state = self.debt - 1, "gone"
                self.repaid.append(point)
            else:
                point.state = "free"

    @staticmethod
    def _put(points: list[Point], state: str) -> list[Point]:
        for point in points:
            point.state = state
        return points
