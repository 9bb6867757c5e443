# ruff: noqa: S608 - the names put into statements are those of our own tables and columns
"""Rows of the ledger: read under the wallet's lock, written by one statement per entry."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db import connection
from psycopg.types.json import Jsonb

from accounts.audit import Actor
from accounts.tenancy import current_organization_id
from loyalty.ledger.hashing import entry_hash
from loyalty.models import EntryKind
from loyalty.rules.postings import Account, Leg, LotState, Part, by_lot, total


@dataclass(slots=True)
class OpenWallet:
    """A wallet whose row is locked until the end of the transaction, kept in step with what is posted."""

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
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NewLot:
    """The lot that comes with an entry."""

    amount: int
    earned_at: datetime
    matures_at: datetime | None = None
    expires_at: datetime | None = None
    moved_from: int | None = None


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to post. ``due_at``: moments from which on the wallet has to be looked at again."""

    kind: EntryKind
    amount: int
    legs: Sequence[Leg]
    occurred_at: datetime
    actor: Actor
    id: int | None = None
    key: str | None = None
    body_hash: bytes | None = None
    lot: NewLot | None = None
    terms_id: int | None = None
    purchase_id: int | None = None
    hold_id: int | None = None
    origin_id: int | None = None
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    due_at: Sequence[datetime | None] = ()


class UnknownMemberError(LookupError):
    """There is no such member in the organization."""


def lock_wallet(member_id: int) -> OpenWallet:
    """Lock a member's wallet until the end of the transaction.

    Raises:
        UnknownMemberError: there is none.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [current_organization_id(), member_id])
        row = cursor.fetchone()
    if row is None:
        raise UnknownMemberError(member_id)
    return OpenWallet(member_id, *row)


def next_entry_id() -> int:
    """The id of an entry that is about to be posted, for legs that name its own lot."""
    with connection.cursor() as cursor:
        cursor.execute("select nextval('loyalty_entry_id_seq')")
        return int(cursor.fetchone()[0])


def known_entry(program_id: int, key: str) -> tuple[int, bytes] | None:
    """The entry with this idempotency key, and the hash of its body."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select id, body_hash from loyalty_entry where organization_id = %s and program_id = %s and key = %s",
            [current_organization_id(), program_id, key],
        )
        row = cursor.fetchone()
    return (row[0], bytes(row[1])) if row else None


def spendable_lots(member_id: int, amount: int) -> list[LotState]:
    """Lots in the order they are spent, as many as ``amount`` may need."""
    return [_lot(row) for row in _fetch(_SPENDABLE, [current_organization_id(), member_id, amount])]


def lot_states(lot_ids: Iterable[int]) -> dict[int, LotState]:
    """Lots by their ids, with what of each has expired."""
    rows = _fetch(_STATES, [current_organization_id(), list(lot_ids)])
    return {row[0]: _lot(row) for row in rows}


def lots_due(member_id: int, *, column: str, at: datetime) -> list[Part]:
    """What of the lots becomes available (``matures_at``) or lapses (``expires_at``) at exactly this moment."""
    points = {"matures_at": "pending", "expires_at": "available"}[column]
    statement = _DUE.format(column=column, points=points)
    lots = [_lot(row) for row in _fetch(statement, [current_organization_id(), member_id, at])]
    return [Part(lot, getattr(lot, points)) for lot in lots]


def first_due(member_id: int) -> tuple[datetime, int] | None:
    """The next moment at which a hold lapses (0), points mature (1) or lapse (2)."""
    rows = _fetch(_FIRST_DUE, {"organization": current_organization_id(), "member": member_id})
    return (rows[0][0], rows[0][1]) if rows else None


def held_parts(hold_id: int) -> list[Part]:
    """The lots a hold was taken from, in the order they were taken."""
    return _parts(
        "select p.lot_id, p.amount from loyalty_posting as p join loyalty_entry as e on e.organization_id = p.organization_id and e.id = p.entry_id"
        " where e.organization_id = %s and e.hold_id = %s and e.kind = 'hold' and p.account = 'held' order by p.id",
        [current_organization_id(), hold_id],
    )


def consumed_parts(entry_id: int) -> list[Part]:
    """What a redemption took from which lots, less what was undone of it, in the order it was taken."""
    return _parts(_CONSUMED, [current_organization_id(), entry_id, entry_id])


def post_entry(wallet: OpenWallet, new: NewEntry, *, now: datetime) -> int:
    """Write an entry with its postings, its lot and all that they add up to; returns its id."""
    organization_id = current_organization_id()
    entry_id = new.id or next_entry_id()
    legs = tuple(new.legs)
    wallet.sequence += 1
    wallet.updated_at = max(now, wallet.updated_at)
    columns = _columns(organization_id, wallet, new)
    previous, wallet.head = wallet.head, entry_hash(wallet.head, columns, legs)
    _add_up(wallet, new, legs)
    values = columns | {"id": entry_id, "previous": previous, "hash": wallet.head, "details": Jsonb(dict(new.details))}
    available, pending = by_lot(legs, Account.WALLET), by_lot(legs, Account.PENDING)
    touched = sorted((available.keys() | pending.keys()) - ({entry_id} if new.lot else set()))
    values |= {
        "accounts": [str(leg.account) for leg in legs],
        "lots": [leg.lot for leg in legs],
        "amounts": [leg.amount for leg in legs],
        "touched": touched,
        "available": [available.get(lot, 0) for lot in touched],
        "coming": [pending.get(lot, 0) for lot in touched],
        "balance": wallet.balance,
        "held": wallet.held,
        "pending": wallet.pending,
        "debt": wallet.debt,
        "next_due_at": wallet.next_due_at,
    }
    if new.lot:
        values |= {
            "lot_amount": new.lot.amount,
            "earned_at": new.lot.earned_at,
            "matures_at": new.lot.matures_at,
            "expires_at": new.lot.expires_at,
            "moved_from": new.lot.moved_from,
            "lot_available": available.get(entry_id, 0),
            "lot_pending": pending.get(entry_id, 0),
        }
    with connection.cursor() as cursor:
        cursor.execute(_POST_WITH_LOT if new.lot else _POST, values)
    return entry_id


def set_next_due(wallet: OpenWallet, at: datetime | None) -> None:
    """Note when the wallet has to be looked at again."""
    wallet.next_due_at = at
    with connection.cursor() as cursor:
        cursor.execute(
            "update loyalty_wallet set next_due_at = %s where organization_id = %s and member_id = %s",
            [at, current_organization_id(), wallet.member_id],
        )


def _columns(organization_id: int, wallet: OpenWallet, new: NewEntry) -> dict[str, Any]:
    """The columns an entry's hash covers; ``verify_ledger`` reads the same ones."""
    return {
        "organization": organization_id,
        "program": wallet.program_id,
        "member": wallet.member_id,
        "sequence": wallet.sequence,
        "kind": str(new.kind),
        "amount": new.amount,
        "occurred_at": new.occurred_at,
        "recorded_at": wallet.updated_at,
        "key": new.key,
        "body_hash": new.body_hash,
        "terms": new.terms_id,
        "purchase": new.purchase_id,
        "hold": new.hold_id,
        "origin": new.origin_id,
        "reason": new.reason,
        "details": dict(new.details),
        "actor_kind": str(new.actor.kind),
        "actor_id": new.actor.id,
        "actor_label": new.actor.label[:160],
    }


def _add_up(wallet: OpenWallet, new: NewEntry, legs: Sequence[Leg]) -> None:
    wallet.balance += total(legs, Account.WALLET)
    wallet.held += total(legs, Account.HELD)
    wallet.pending += total(legs, Account.PENDING)
    wallet.debt -= total(legs, Account.DEBT)
    lot_dates = (new.lot.matures_at, new.lot.expires_at) if new.lot else ()
    wallet.next_due_at = min((at for at in (wallet.next_due_at, *lot_dates, *new.due_at) if at), default=None)


def _fetch(statement: str, parameters: Sequence[Any] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _lot(row: Sequence[Any]) -> LotState:
    return LotState(*row)


def _parts(statement: str, parameters: Sequence[Any]) -> list[Part]:
    rows = _fetch(statement, parameters)
    states = lot_states(lot for lot, _amount in rows)
    return [Part(states[lot], int(amount)) for lot, amount in rows]


_LOCK: Final = """
select m.program_id, m.customer_id, w.balance, w.held, w.pending, w.debt, w.sequence, w.head, w.next_due_at, w.updated_at
from loyalty_wallet as w join loyalty_member as m on m.organization_id = w.organization_id and m.id = w.member_id
where w.organization_id = %s and w.member_id = %s for update of w
"""
_LOT_COLUMNS: Final = "r.lot_id, r.earned_at, r.expires_at, r.available, r.pending"
# The running sum says how many lots are enough; the index gives them in the order they are spent.
_SPENDABLE: Final = f"""
select lot_id, earned_at, expires_at, available, pending from (
    select {_LOT_COLUMNS}, sum(r.available) over (order by r.expires_at, r.earned_at, r.lot_id) - r.available as before
    from loyalty_lotremainder as r where r.organization_id = %s and r.member_id = %s and r.available > 0
) as lots where before < %s order by expires_at, earned_at, lot_id
"""
_STATES: Final = f"""
select {_LOT_COLUMNS}, coalesce((select sum(p.amount) from loyalty_posting as p
    where p.organization_id = r.organization_id and p.lot_id = r.lot_id and p.account = 'expired'), 0)::bigint
from loyalty_lotremainder as r where r.organization_id = %s and r.lot_id = any(%s)
"""
_DUE: Final = f"""
select {_LOT_COLUMNS} from loyalty_lotremainder as r
where r.organization_id = %s and r.member_id = %s and r.{{column}} = %s and r.{{points}} > 0 order by r.earned_at, r.lot_id
"""
_FIRST_DUE: Final = """
select due_at, rank from (
    select min(lapses_at) as due_at, 0 as rank from loyalty_hold
    where organization_id = %(organization)s and member_id = %(member)s and state = 'open'
    union all select min(matures_at), 1 from loyalty_lotremainder
    where organization_id = %(organization)s and member_id = %(member)s and pending > 0
    union all select min(expires_at), 2 from loyalty_lotremainder
    where organization_id = %(organization)s and member_id = %(member)s and available > 0
) as due where due_at is not null order by due_at, rank limit 1
"""
# Whatever left the member's side of a lot by the redemption and has not come back by its undoings.
_CONSUMED: Final = """
select p.lot_id, -sum(p.amount) from loyalty_posting as p
join loyalty_entry as e on e.organization_id = p.organization_id and e.id = p.entry_id
where e.organization_id = %s and (e.id = %s or e.origin_id = %s and e.kind = 'undo') and p.lot_id is not null
group by p.lot_id having sum(p.amount) < 0 order by min(p.id)
"""
_ENTRY: Final = """
with entry as (
    insert into loyalty_entry (
        organization_id, id, program_id, member_id, sequence, kind, amount, occurred_at, recorded_at, key, body_hash, terms_id,
        purchase_id, hold_id, origin_id, reason, details, actor_kind, actor_id, actor_label, previous, hash
    ) values (
        %(organization)s, %(id)s, %(program)s, %(member)s, %(sequence)s, %(kind)s, %(amount)s, %(occurred_at)s, %(recorded_at)s, %(key)s,
        %(body_hash)s, %(terms)s, %(purchase)s, %(hold)s, %(origin)s, %(reason)s, %(details)s, %(actor_kind)s, %(actor_id)s,
        %(actor_label)s, %(previous)s, %(hash)s
    )
), postings as (
    insert into loyalty_posting (organization_id, entry_id, account, lot_id, amount)
    select %(organization)s, %(id)s, account, lot, amount
    from unnest(%(accounts)s::text[], %(lots)s::bigint[], %(amounts)s::bigint[]) as leg (account, lot, amount)
), remainders as (
    update loyalty_lotremainder as r set available = r.available + change.available, pending = r.pending + change.coming
    from unnest(%(touched)s::bigint[], %(available)s::bigint[], %(coming)s::bigint[]) as change (lot, available, coming)
    where r.organization_id = %(organization)s and r.lot_id = change.lot
)
"""
_LOT: Final = """
, lot as (
    insert into loyalty_lot (organization_id, entry_id, member_id, amount, earned_at, matures_at, expires_at, moved_from_id)
    values (%(organization)s, %(id)s, %(member)s, %(lot_amount)s, %(earned_at)s, %(matures_at)s, %(expires_at)s, %(moved_from)s)
), remainder as (
    insert into loyalty_lotremainder (organization_id, lot_id, member_id, available, pending, earned_at, matures_at, expires_at)
    values (%(organization)s, %(id)s, %(member)s, %(lot_available)s, %(lot_pending)s, %(earned_at)s, %(matures_at)s, %(expires_at)s)
)
"""
_WALLET: Final = """
update loyalty_wallet set balance = %(balance)s, held = %(held)s, pending = %(pending)s, debt = %(debt)s, sequence = %(sequence)s,
    head = %(hash)s, next_due_at = %(next_due_at)s, updated_at = %(recorded_at)s
where organization_id = %(organization)s and member_id = %(member)s
"""
_POST: Final = _ENTRY + _WALLET
_POST_WITH_LOT: Final = _ENTRY + _LOT + _WALLET
