"""A wallet played again from its entries, with every rule of the ledger checked on the way: pure, a wallet at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from loyalty.ledger.hashing import entry_hash
from loyalty.rules.postings import Account, Leg


class Check(StrEnum):
    """What is promised, by name; the order is that of the report."""

    ZERO = "the legs of every entry sum to zero"
    SEQUENCE = "entries are numbered without gaps"
    CHAIN = "every entry names the hash of the one before, and its own hash is that of what it says"
    AMOUNT = "an entry is about as many points as its legs move"
    LOTS = "legs name lots of their own wallet, and a lot holds what its entry brought in"
    NEGATIVE = "nothing was ever negative: balance, holds, pending points, debt, any lot"
    DEBT = "whoever is in debt has nothing to spend"
    EXPIRY = "nothing expired before its moment or was spent after it"
    PENDING = "nothing pending became available before its moment"
    HOLDS = "a hold was resolved once, by no more than it held, and lapsed at its moment"
    UNDO = "no more of a redemption was undone than it took, lot by lot"
    WALLETS = "wallets stand where their entries lead: balance, held, pending, debt, last entry"
    REMAINDERS = "lots stand where their postings lead, with the dates they came with or activity gave them"
    SUMS = "what is left of a wallet's lots is its balance, its holds and its pending points"
    STATES = "holds stand as their entries say"
    DUE = "a wallet is looked at again no later than something in it falls due"
    KEYS = "an idempotency key belongs to one entry"
    MOVES = "what members moved out, members moved in"
    WHOLE = "nothing stands outside the wallets' entries"


# Per kind the account whose change its amount is, and the sign; a move goes either way, as debt moves too. What undoes a
# taking is about the account that the taking was about.
_ABOUT: Final[dict[str, tuple[Account, int]]] = {
    "earn": (Account.ISSUED, -1),
    "give": (Account.ISSUED, -1),
    "mature": (Account.PENDING, -1),
    "cancel": (Account.REVERSED, 1),
    "redeem": (Account.REDEEMED, 1),
    "take": (Account.REVERSED, 1),
    "hold": (Account.HELD, 1),
    "capture": (Account.REDEEMED, 1),
    "release": (Account.HELD, -1),
    "lapse": (Account.HELD, -1),
    "expire": (Account.EXPIRED, 1),
    "undo": (Account.REDEEMED, -1),
    "clawback": (Account.REVERSED, 1),
    "restore": (Account.REVERSED, -1),
    "move_out": (Account.MOVED, 0),
    "move_in": (Account.MOVED, 0),
}
_OF_LOTS: Final = {Account.WALLET, Account.HELD, Account.PENDING}


@dataclass(slots=True)
class Verdict:
    """How often a check was made, how often it failed, and where first."""

    made: int = 0
    failed: int = 0
    first: str = ""


Findings = dict[Check, Verdict]


def new_findings() -> Findings:
    return {check: Verdict() for check in Check}


@dataclass(frozen=True, slots=True)
class LotRow:
    """A lot as the table has it."""

    id: int
    member: int
    amount: int
    earned_at: datetime
    matures_at: datetime | None
    expires_at: datetime | None
    moved_from: int | None


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry as the table has it; ``content`` is what its hash covers.

    ``remainder`` is its lot's: available, pending and three dates; ``hold`` is amount, captured, state and the moment of lapsing.
    """

    id: int
    content: Mapping[str, Any]
    previous: bytes
    hash: bytes
    legs: Sequence[Leg]
    lot: LotRow | None
    remainder: tuple[Any, ...]
    hold: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class WalletRow:
    """A wallet as the table has it; ``amounts`` are balance, held, pending and debt."""

    member_id: int
    program_id: int
    amounts: tuple[int, int, int, int]
    sequence: int
    head: bytes
    next_due_at: datetime | None


@dataclass(slots=True)
class _Lot:
    row: LotRow
    remainder: tuple[Any, ...]
    terms: int | None
    standing: dict[Account, int] = field(default_factory=lambda: dict.fromkeys((*_OF_LOTS, Account.EXPIRED), 0))

    def has_lapsed(self, at: datetime) -> bool:
        return self.row.expires_at is not None and self.row.expires_at <= at


@dataclass(slots=True)
class _Hold:
    row: tuple[Any, ...]
    amount: int
    lapses_at: datetime
    parts: dict[int, int]
    state: str = "open"
    captured: int = 0


class WalletReplay:
    """One wallet from nothing to now; what is wrong goes into ``findings``."""

    def __init__(self, member_id: int, program_id: int, findings: Findings) -> None:
        self.member_id, self.program_id, self.findings = member_id, program_id, findings
        self.sequence, self.head = 0, b""
        self.standing = dict.fromkeys((Account.WALLET, Account.HELD, Account.PENDING, Account.DEBT), 0)
        self.lots: dict[int, _Lot] = {}
        self.holds: dict[int, _Hold] = {}
        self.taken: dict[int, dict[int, int]] = {}
        self.took: set[int] = set()
        self.clawed: dict[int, int] = {}
        self._at = ""

    def expect(self, check: Check, holds: bool, what: str = "") -> None:
        """Count a check, and note where it failed first."""
        verdict = self.findings[check]
        verdict.made += 1
        if not holds:
            verdict.failed += 1
            verdict.first = verdict.first or f"wallet {self.member_id}{self._at}{': ' if what else ''}{what}"

    def add(self, entry: EntryRow) -> None:
        """Play one entry; entries come in the order of their numbers."""
        self._at = f", entry {entry.id} (number {entry.content['sequence']}, {entry.content['kind']})"
        self._check_chain(entry)
        if entry.content["kind"] == "prolong":
            self._prolong(entry)
            return
        legs = entry.legs
        self.expect(Check.ZERO, bool(legs) and sum(leg.amount for leg in legs) == 0)
        account, sign = _ABOUT[entry.content["kind"]]
        if entry.content["kind"] == "undo" and entry.content["origin"] in self.took:
            account = Account.REVERSED
        moved = sum(leg.amount for leg in legs if leg.account is account)
        self.expect(Check.AMOUNT, entry.content["amount"] == (moved * sign if sign else abs(moved)))
        self._bring_in(entry)
        self._check_moments(entry)
        self._move(legs)
        self._follow(entry)
        self._at = ""

    def _check_chain(self, entry: EntryRow) -> None:
        content = entry.content
        self.expect(Check.SEQUENCE, content["sequence"] == self.sequence + 1)
        self.expect(Check.CHAIN, entry.previous == self.head and entry.hash == entry_hash(self.head, content, entry.legs))
        self.expect(Check.WHOLE, content["program"] == self.program_id, "an entry in another program than its member")
        self.sequence, self.head = content["sequence"], entry.hash

    def _bring_in(self, entry: EntryRow) -> None:
        if row := entry.lot:
            came = sum(leg.amount for leg in entry.legs if leg.lot == entry.id)
            self.expect(Check.LOTS, row.member == self.member_id and row.amount == came)
            self.lots[row.id] = _Lot(row, entry.remainder, entry.content["terms"])
        for leg in entry.legs:
            if leg.lot is not None:
                self.expect(Check.LOTS, leg.lot in self.lots)

    def _check_moments(self, entry: EntryRow) -> None:
        kind, occurred_at, recorded_at = (entry.content[name] for name in ("kind", "occurred_at", "recorded_at"))
        for leg in entry.legs:
            lot = self.lots.get(leg.lot or 0)
            if lot is None:
                continue
            if leg.account is Account.EXPIRED and leg.amount > 0:
                self.expect(Check.EXPIRY, lot.has_lapsed(occurred_at))
            elif leg.account is Account.EXPIRED and kind in ("redeem", "take"):  # told late, done in time
                self.expect(Check.EXPIRY, not lot.has_lapsed(occurred_at))
            elif leg.account is Account.WALLET and leg.amount < 0 and kind != "expire":
                self.expect(Check.EXPIRY, not lot.has_lapsed(recorded_at))
            elif leg.account is Account.PENDING and kind == "mature":
                self.expect(Check.PENDING, lot.row.matures_at == occurred_at <= recorded_at)

    def _move(self, legs: Sequence[Leg]) -> None:
        for leg in legs:
            if leg.account in self.standing:
                self.standing[leg.account] += leg.amount
            if (lot := self.lots.get(leg.lot or 0)) and leg.account in lot.standing:
                lot.standing[leg.account] += leg.amount
                self.expect(Check.NEGATIVE, leg.amount > 0 or lot.standing[leg.account] >= 0)
        standing = self.standing
        self.expect(Check.NEGATIVE, min(standing[Account.WALLET], standing[Account.HELD], standing[Account.PENDING]) >= 0)
        self.expect(Check.NEGATIVE, standing[Account.DEBT] <= 0)
        self.expect(Check.DEBT, standing[Account.DEBT] == 0 or standing[Account.WALLET] == 0)

    def _follow(self, entry: EntryRow) -> None:
        match entry.content["kind"]:
            case "redeem" | "take":
                self.taken[entry.id] = self._left_lots(entry)
                if entry.content["kind"] == "take":
                    self.took.add(entry.id)
            case "hold":
                content = entry.content
                self.expect(Check.HOLDS, content["hold"] == entry.id and content["lapses_at"] is not None)
                self.holds[entry.id] = _Hold(entry.hold, content["amount"], content["lapses_at"], _by_lot(entry.legs, Account.HELD))
            case "capture" | "release" | "lapse":
                self._resolve(entry)
            case "undo":
                taken = self.taken.get(entry.content["origin"], {})
                for lot, amount in self._left_lots(entry).items():
                    taken[lot] = taken.get(lot, 0) + amount
                    self.expect(Check.UNDO, taken[lot] >= 0)
            case "clawback":
                self.clawed[entry.id] = entry.content["amount"]
            case "restore":
                self.expect(Check.UNDO, self.clawed.pop(entry.content["details"]["clawback"], None) == entry.content["amount"])
            case _:
                pass

    def _prolong(self, entry: EntryRow) -> None:
        """Lots earned under terms by which activity keeps points alive live on, unless they had lapsed; or those that come home."""
        content = entry.content
        for lot_id, at in content["details"].get("lots", {}).items():
            home = self.lots[int(lot_id)]
            home.row = replace(home.row, expires_at=datetime.fromisoformat(at))
        dates = {int(terms): datetime.fromisoformat(at) for terms, at in content["details"].get("expires_at", {}).items()}
        self.expect(Check.ZERO, not entry.legs and content["amount"] == 0)
        for lot in self.lots.values():
            there = lot.row.earned_at <= content["occurred_at"] and not lot.has_lapsed(content["recorded_at"])
            if there and lot.terms in dates and lot.row.expires_at and lot.row.expires_at < dates[lot.terms]:
                lot.row = replace(lot.row, expires_at=dates[lot.terms])

    def _resolve(self, entry: EntryRow) -> None:
        kind, hold = entry.content["kind"], self.holds.get(entry.content["hold"] or 0)
        self.expect(Check.HOLDS, hold is not None and hold.state == "open")
        if hold is None:
            return
        self.expect(Check.HOLDS, _by_lot(entry.legs, Account.HELD) == {lot: -amount for lot, amount in hold.parts.items()})
        hold.state = {"capture": "captured", "release": "released", "lapse": "lapsed"}[kind]
        if kind == "capture":
            hold.captured = entry.content["amount"]
            self.taken[entry.id] = self._left_lots(entry)
        in_time = entry.content["occurred_at"] == hold.lapses_at if kind == "lapse" else entry.content["occurred_at"] < hold.lapses_at
        self.expect(Check.HOLDS, hold.captured <= hold.amount and in_time)

    @staticmethod
    def _left_lots(entry: EntryRow) -> dict[int, int]:
        left: dict[int, int] = {}
        for leg in entry.legs:
            if leg.lot is not None:
                left[leg.lot] = left.get(leg.lot, 0) - leg.amount
        return left

    def finish(self, wallet: WalletRow) -> None:
        """Compare where the entries lead with where the tables stand."""
        standing = self.standing
        led = (standing[Account.WALLET], standing[Account.HELD], standing[Account.PENDING], -standing[Account.DEBT], self.sequence)
        self.expect(Check.WALLETS, (*wallet.amounts, wallet.sequence) == led, f"{(*wallet.amounts, wallet.sequence)}, entries give {led}")
        self.expect(Check.CHAIN, wallet.head == self.head, "the last hash is another")
        left = {account: sum(lot.standing[account] for lot in self.lots.values()) for account in _OF_LOTS}
        self.expect(Check.SUMS, all(left[account] == standing[account] for account in _OF_LOTS))
        for lot_id, lot in self.lots.items():
            dates = (lot.row.earned_at, lot.row.matures_at, lot.row.expires_at)
            led_lot = (lot.standing[Account.WALLET], lot.standing[Account.PENDING], *dates)
            self.expect(Check.REMAINDERS, lot.remainder == led_lot, f"lot {lot_id}")
        for hold_id, hold in self.holds.items():
            led_hold = (hold.amount, hold.captured, hold.state, hold.lapses_at)
            self.expect(Check.STATES, hold.row == led_hold, f"hold {hold_id}")
        self._check_due(wallet.next_due_at)

    def _check_due(self, next_due_at: datetime | None) -> None:
        due = [hold.lapses_at for hold in self.holds.values() if hold.state == "open"]
        due += [at for lot in self.lots.values() if lot.standing[Account.PENDING] and (at := lot.row.matures_at)]
        due += [at for lot in self.lots.values() if lot.standing[Account.WALLET] and (at := lot.row.expires_at)]
        self.expect(Check.DUE, not due or (next_due_at is not None and next_due_at <= min(due)))


def _by_lot(legs: Sequence[Leg], account: Account) -> dict[int, int]:
    return {leg.lot: leg.amount for leg in legs if leg.account is account and leg.lot is not None}
