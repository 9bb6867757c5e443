"""A wallet as the promises tell of it, point by point: slow, obvious, and sharing nothing with the ledger's code."""

from dataclasses import dataclass, field
from datetime import datetime


class RefusedError(Exception):
    """The model says no."""


@dataclass
class Point:
    """One point. It is pending, free, held, spent, expired or gone, and knows which lot it came in."""

    lot: int
    earned_at: datetime
    matures_at: datetime | None
    expires_at: datetime | None
    state: str

    def has_lapsed(self, at: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= at

    def order(self) -> tuple[bool, datetime, datetime, int]:
        return (self.expires_at is None, self.expires_at or self.earned_at, self.earned_at, self.lot)


@dataclass
class Purse:
    """A member's points and debt, always as of ``now``."""

    now: datetime
    points: list[Point] = field(default_factory=list)
    debt: int = 0
    holds: dict[int, tuple[datetime, list[Point]]] = field(default_factory=dict)
    spent: dict[int, list[Point]] = field(default_factory=dict)

    def count(self, state: str, lot: int | None = None) -> int:
        return sum(point.state == state and lot in (None, point.lot) for point in self.points)

    def standing(self) -> tuple[int, int, int, int]:
        return self.count("free"), self.count("held"), self.count("pending"), self.debt

    def lots(self) -> dict[int, tuple[int, int]]:
        """What is free and what is pending of every lot."""
        return {lot: (self.count("free", lot), self.count("pending", lot)) for lot in sorted({point.lot for point in self.points})}

    def travel(self, now: datetime) -> None:
        """Let time pass: at every moment holds lapse first, then points mature, then points expire."""
        while moments := [at for at in self._moments() if at <= now]:
            at = min(moments)
            for hold in sorted(hold for hold, (lapses_at, _points) in self.holds.items() if lapses_at == at):
                self._come(self.holds.pop(hold)[1], at)
            maturing = [point for point in self.points if point.state == "pending" and point.matures_at == at]
            self._come(sorted(maturing, key=lambda point: (point.earned_at, point.lot)), at)
            for point in self.points:
                if point.state == "free" and point.has_lapsed(at):
                    point.state = "expired"
        self.now = now

    def earn(self, lot: int, amount: int, earned_at: datetime, matures_at: datetime | None, expires_at: datetime | None) -> None:
        is_pending = matures_at is not None and matures_at > self.now
        new = [Point(lot, earned_at, matures_at, expires_at, "pending" if is_pending else "coming") for _ in range(amount)]
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

    def take(self, amount: int) -> None:
        self._put(self.spend(amount), "gone")

    def undo(self, entry: int, amount: int | None) -> None:
        spent = self.spent.get(entry, [])
        wanted = len(spent) if amount is None else amount
        if not 0 < wanted <= len(spent):
            raise RefusedError
        coming = [spent.pop() for _ in range(wanted)]
        self._come(coming, self.now)

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

    def claw_back(self, amount: int, lot: int | None) -> None:
        own = [point for state in ("pending", "free", "expired") for point in self.points if point.lot == lot and point.state == state]
        others = sorted((point for point in self.points if point.lot != lot and point.state == "free"), key=Point.order)
        gone = (own + others)[:amount]
        self._put(gone, "gone")
        self.debt += amount - len(gone)

    def cancel(self, lot: int) -> None:
        pending = [point for point in self.points if point.lot == lot and point.state == "pending"]
        if not pending:
            raise RefusedError
        self._put(pending, "gone")

    def _moments(self) -> list[datetime]:
        moments = [lapses_at for lapses_at, _points in self.holds.values()]
        moments += [point.matures_at for point in self.points if point.state == "pending" and point.matures_at]
        return moments + [point.expires_at for point in self.points if point.state == "free" and point.expires_at]

    def _come(self, points: list[Point], at: datetime, *, even_lapsed: bool = False) -> None:
        """Points come to the member: lapsed ones expire, the others repay debt first."""
        for point in points:
            if point.has_lapsed(at) and not even_lapsed:
                point.state = "expired"
            elif self.debt:
                self.debt, point.state = self.debt - 1, "gone"
            else:
                point.state = "free"

    @staticmethod
    def _put(points: list[Point], state: str) -> list[Point]:
        for point in points:
            point.state = state
        return points
