"""Rows of the ledger: read under the wallet's lock, written by one statement per entry."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from accounts.audit import Actor
from accounts.postgresql.prepared import run_prepared
from accounts.tenancy import current_organization_id
from crm.events import event_parameters
from loyalty.ledger import statements
from loyalty.ledger.events import entry_event
from loyalty.ledger.hashing import entry_hash
from loyalty.models import EntryKind, HoldState
from loyalty.rules.postings import Account, Leg, LotState, Part, by_lot, last_repaid, total

# Where the columns of a lot begin in a wallet's row.
_OF_LOT: Final = 14


@dataclass(slots=True)
class OpenWallet:
    """A wallet whose row is locked until the end of the transaction, kept in step with what is posted.

    ``now`` is the wallet's own clock, which never runs backwards, whatever the clocks of those who write. ``first_lot`` is
    the next to be spent, as long as nothing was posted.
    """

    member_id: int
    program_id: int
    customer_id: int
    balance: int
    held: int
    pending: int
    debt: int
    sequence: int
    head: bytes
    next_due_at: datetime | None
    now: datetime
    spare_id: int | None = None
    first_lot: LotState | None = None

    def next_entry_id(self) -> int:
        """The id of an entry that is about to be posted, for legs that name its own lot."""
        entry_id, self.spare_id = self.spare_id, None
        if entry_id is None:
            ((entry_id,),) = run_prepared(statements.NEXT_ID, {}).fetchall()
        return int(entry_id)


@dataclass(frozen=True, slots=True)
class KnownEntry:
    """The entry that was posted with an idempotency key."""

    id: int
    body_hash: bytes


@dataclass(frozen=True, slots=True)
class NewLot:
    """The lot that comes with an entry and has its id."""

    amount: int
    earned_at: datetime
    matures_at: datetime | None = None
    expires_at: datetime | None = None
    moved_from: int | None = None


@dataclass(frozen=True, slots=True)
class Resolution:
    """What becomes of the hold that an entry is about."""

    state: HoldState
    captured: int = 0


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to post. ``due_at``: moments from which on the wallet has to be looked at again.

    With ``lapses_at`` it places a hold, which has its id; with ``resolution`` it resolves the hold ``hold_id``. ``then``
    is called with its id once it is written, and cannot refuse any more.
    """

    kind: EntryKind
    amount: int
    legs: Sequence[Leg]
    occurred_at: datetime
    actor: Actor
    id: int | None = None
    key: str | None = None
    body_hash: bytes | None = None
    lot: NewLot | None = None
    lapses_at: datetime | None = None
    resolution: Resolution | None = None
    terms_id: int | None = None
    purchase_id: int | None = None
    hold_id: int | None = None
    origin_id: int | None = None
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    due_at: Sequence[datetime | None] = ()
    then: Callable[[int], None] | None = None


class UnknownMemberError(LookupError):
    """There is no such member in the organization."""


class KeyTakenError(ValueError):
    """Another member's entry took the key meanwhile."""


def open_wallet(member_id: int, *, now: datetime, key: str | None = None, to_spend: bool = False) -> tuple[OpenWallet, KnownEntry | None]:
    """Lock a member's wallet until the end of the transaction, and find the entry that has ``key`` already.

    Raises:
        UnknownMemberError: there is no such member.
    """
    statement = statements.OPEN_TO_SPEND if to_spend else statements.OPEN
    parameters, is_fresh = _here(member=member_id, key=key), False
    while not is_fresh:
        rows = run_prepared(statement, parameters).rows
        if not rows:
            raise UnknownMemberError(member_id)
        *of_wallet, entry_id, body_hash, is_fresh = rows[0][:_OF_LOT]
    wallet = OpenWallet(member_id, *of_wallet)
    wallet.now = max(now, wallet.now)
    if any(lot := rows[0][_OF_LOT:]):
        wallet.first_lot = LotState(*lot)
    return wallet, KnownEntry(entry_id, body_hash or b"") if entry_id else None


def lots_to_spend(wallet: OpenWallet, amount: int) -> Sequence[LotState]:
    """Lots in the order they are spent: the one that was read with the wallet where it is enough."""
    if wallet.first_lot and wallet.first_lot.available >= amount:
        return [wallet.first_lot]
    return spendable_lots(wallet.member_id, amount)


def spendable_lots(member_id: int, amount: int) -> list[LotState]:
    """Lots in the order they are spent, as many as ``amount`` may need."""
    return [LotState(*row) for row in run_prepared(statements.SPENDABLE, _here(member=member_id, amount=amount))]


def lot_states(lot_ids: Iterable[int]) -> dict[int, LotState]:
    """Lots by their ids, with what of each has expired."""
    return {row[0]: LotState(*row) for row in run_prepared(statements.STATES, _here(lots=list(lot_ids)))}


def maturing_parts(member_id: int, at: datetime) -> list[Part]:
    """What becomes available at exactly this moment."""
    lots = [LotState(*row) for row in run_prepared(statements.MATURING, _here(member=member_id, at=at))]
    return [Part(lot, lot.pending) for lot in lots]


def expiring_parts(member_id: int, at: datetime) -> list[Part]:
    """What lapses at exactly this moment."""
    lots = [LotState(*row) for row in run_prepared(statements.EXPIRING, _here(member=member_id, at=at))]
    return [Part(lot, lot.available) for lot in lots]


def first_due(member_id: int) -> tuple[datetime, int, int | None] | None:
    """The next moment at which a hold lapses (0), points mature (1) or lapse (2), and the hold."""
    row = run_prepared(statements.FIRST_DUE, _here(member=member_id)).fetchone()
    return (row[0], row[1], row[2]) if row else None


def open_hold(member_id: int, hold_id: int) -> int | None:
    """How much is held, if this hold of the member is open. The wallet's lock guards its holds."""
    row = run_prepared(statements.HOLD, _here(member=member_id, hold=hold_id)).fetchone()
    return int(row[0]) if row and row[1] else None


def held_parts(hold_id: int) -> list[Part]:
    """The lots a hold was taken from, in the order they were taken."""
    return _parts(statements.HELD, _here(hold=hold_id))


def consumed_parts(entry_id: int) -> list[Part]:
    """What a redemption took from which lots, less what was undone of it, in the order it was taken."""
    return _parts(statements.CONSUMED, _here(entry=entry_id))


def repaid_parts(member_id: int, amount: int) -> list[Part]:
    """Up to ``amount`` points that have repaid debt of a member, the last to do so first."""
    if not amount:
        return []
    repaid = last_repaid(run_prepared(statements.REPAID, _here(member=member_id)).fetchall(), amount)
    states = lot_states(repaid)
    return [Part(states[lot], points) for lot, points in repaid.items()]


def post_entry(wallet: OpenWallet, new: NewEntry) -> int:
    """Write an entry with its postings, its lot or hold, and all that they add up to; returns its id.

    Raises:
        KeyTakenError: its key is another member's; nothing was written.
    """
    entry_id = new.id or wallet.next_entry_id()
    legs = tuple(new.legs)
    hold_id = entry_id if new.lapses_at else new.hold_id
    wallet.sequence += 1
    content = _content(wallet, new, hold_id)
    previous, wallet.head = wallet.head, entry_hash(wallet.head, content, legs)
    _add_up(wallet, new, legs)
    values = content | {"id": entry_id, "previous": previous, "hash": wallet.head}
    touched = _lot_values(values, entry_id, new, legs)
    values |= _standing(wallet) | {
        "accounts": [str(leg.account) for leg in legs],
        "lots": [leg.lot for leg in legs],
        "amounts": [leg.amount for leg in legs],
    }
    if new.resolution:
        values |= {"state": str(new.resolution.state), "captured": new.resolution.captured}
    if event := entry_event(wallet, new, entry_id):
        values |= event_parameters(event)
    statement = statements.post_statement(
        touches_lots=touched,
        lot=new.lot is not None,
        hold=new.lapses_at is not None,
        resolves=new.resolution is not None,
        event=event is not None,
    )
    if run_prepared(statement, values).rowcount != 1:
        raise KeyTakenError(new.key)
    if new.then:
        new.then(entry_id)
    return entry_id


def set_next_due(wallet: OpenWallet, at: datetime | None) -> None:
    """Note when the wallet has to be looked at again."""
    wallet.next_due_at = at
    run_prepared(statements.SET_DUE, _here(member=wallet.member_id, at=at))


def _content(wallet: OpenWallet, new: NewEntry, hold_id: int | None) -> dict[str, Any]:
    """What an entry's hash covers beside its legs; ``verify_ledger`` reads the same. It counts no later than it is written."""
    lot = new.lot
    return {
        "organization": current_organization_id(),
        "program": wallet.program_id,
        "member": wallet.member_id,
        "sequence": wallet.sequence,
        "kind": str(new.kind),
        "amount": new.amount,
        "occurred_at": min(new.occurred_at, wallet.now),
        "recorded_at": wallet.now,
        "key": new.key,
        "body_hash": new.body_hash,
        "terms": new.terms_id,
        "purchase": new.purchase_id,
        "hold": hold_id,
        "lapses_at": new.lapses_at,
        "origin": new.origin_id,
        "reason": new.reason,
        "details": dict(new.details),
        "actor_kind": str(new.actor.kind),
        "actor_id": new.actor.id,
        "actor_label": new.actor.label[:160],
        "lot": [lot.amount, lot.earned_at, lot.matures_at, lot.expires_at, lot.moved_from] if lot else None,
    }


def _lot_values(values: dict[str, Any], entry_id: int, new: NewEntry, legs: Sequence[Leg]) -> bool:
    """Add what becomes of lots to the statement's values; whether lots that were there before are among them."""
    available, pending = by_lot(legs, Account.WALLET), by_lot(legs, Account.PENDING)
    if lot := new.lot:
        values |= {
            "lot_amount": lot.amount,
            "earned_at": lot.earned_at,
            "matures_at": lot.matures_at,
            "expires_at": lot.expires_at,
            "moved_from": lot.moved_from,
            "lot_available": available.pop(entry_id, 0),
            "lot_pending": pending.pop(entry_id, 0),
        }
    touched = sorted(available.keys() | pending.keys())
    values["touched"] = touched
    values["available"] = [available.get(lot_id, 0) for lot_id in touched]
    values["coming"] = [pending.get(lot_id, 0) for lot_id in touched]
    return bool(touched)


def _standing(wallet: OpenWallet) -> dict[str, Any]:
    return {name: getattr(wallet, name) for name in ("balance", "held", "pending", "debt", "next_due_at")}


def _add_up(wallet: OpenWallet, new: NewEntry, legs: Sequence[Leg]) -> None:
    wallet.first_lot = None
    wallet.balance += total(legs, Account.WALLET)
    wallet.held += total(legs, Account.HELD)
    wallet.pending += total(legs, Account.PENDING)
    wallet.debt -= total(legs, Account.DEBT)
    lot_dates = (new.lot.matures_at, new.lot.expires_at) if new.lot else ()
    moments = (wallet.next_due_at, new.lapses_at, *lot_dates, *new.due_at)
    wallet.next_due_at = min((at for at in moments if at), default=None)


def _parts(statement: str, parameters: Mapping[str, Any]) -> list[Part]:
    rows = run_prepared(statement, parameters).fetchall()
    states = lot_states(lot for lot, _amount in rows)
    return [Part(states[lot], int(amount)) for lot, amount in rows]


def _here(**parameters: Any) -> dict[str, Any]:
    return {"organization": current_organization_id(), **parameters}
