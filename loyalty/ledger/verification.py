"""Every promise of the ledger, checked over everything that was ever posted, in one pass and a wallet's memory."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any, Final

from django.db import connection

from accounts.tenancy import current_organization_id
from loyalty.ledger.replay import Check, EntryRow, Findings, LotRow, Verdict, WalletReplay, WalletRow, new_findings
from loyalty.rules.postings import Account, Leg

_BATCH: Final = 2_000
# The columns that an entry's hash covers, by the names they have in it.
_CONTENT: Final = (
    "organization", "program", "member", "sequence", "kind", "amount", "occurred_at", "recorded_at", "key", "body_hash", "terms",
    "purchase", "hold", "lapses_at", "origin", "reason", "details", "actor_kind", "actor_id", "actor_label",
)  # fmt: skip
_ENTRIES: Final = """
select e.organization_id, e.program_id, e.member_id, e.sequence, e.kind, e.amount, e.occurred_at, e.recorded_at, e.key, e.body_hash,
    e.terms_id, e.purchase_id, e.hold_id, h.lapses_at, e.origin_id, e.reason, e.details, e.actor_kind, e.actor_id, e.actor_label,
    e.id, e.previous, e.hash, p.accounts, p.lots, p.amounts,
    l.entry_id, l.member_id, l.amount, l.earned_at, l.matures_at, l.expires_at, l.moved_from_id,
    r.available, r.pending, r.earned_at, r.matures_at, r.expires_at, h.amount, h.captured, h.state, h.lapses_at
from loyalty_entry as e
left join loyalty_lot as l on l.organization_id = e.organization_id and l.entry_id = e.id
left join loyalty_lotremainder as r on r.organization_id = e.organization_id and r.lot_id = e.id
left join loyalty_hold as h on h.organization_id = e.organization_id and h.id = e.id
left join lateral (
    select array_agg(account order by id) as accounts, array_agg(lot_id order by id) as lots, array_agg(amount order by id) as amounts
    from loyalty_posting where organization_id = e.organization_id and entry_id = e.id
) as p on true
where e.organization_id = %s order by e.member_id, e.sequence
"""
_WALLETS: Final = """
select w.member_id, m.program_id, w.balance, w.held, w.pending, w.debt, w.sequence, w.head, w.next_due_at
from loyalty_wallet as w join loyalty_member as m on m.organization_id = w.organization_id and m.id = w.member_id
where w.organization_id = %s order by w.member_id
"""
_TWICE: Final = """
select count(*), count(*) filter (where uses > 1), min(key) filter (where uses > 1)
from (select key, count(*) as uses from loyalty_entry where organization_id = %s and key is not null group by program_id, key) as keys
"""
_MOVED: Final = """
select count(*), coalesce(sum(amount), 0) from loyalty_posting where organization_id = %s and account = 'moved'
"""
_TABLES: Final = ("loyalty_entry", "loyalty_posting", "loyalty_lot", "loyalty_lotremainder", "loyalty_hold")
_NOBODY: Final[tuple[int, Iterator[EntryRow]]] = (0, iter(()))


def verify_ledger() -> Findings:
    """Check the current organization's whole ledger.

    Rows are read as they stand: run it in a repeatable-read transaction, or while nothing is posted.
    """
    findings = new_findings()
    seen = dict.fromkeys(_TABLES, 0)
    with _rows(_ENTRIES) as entry_rows, _rows(_WALLETS) as wallet_rows:
        histories = groupby(map(_entry, entry_rows), key=lambda entry: int(entry.content["member"]))
        member, entries = next(histories, _NOBODY)
        for wallet in map(_wallet, wallet_rows):
            while member and member < wallet.member_id:  # entries without a wallet: the count below tells
                member, entries = next(histories, _NOBODY)
            replay = WalletReplay(wallet.member_id, wallet.program_id, findings)
            if member == wallet.member_id:
                for entry in entries:
                    replay.add(entry)
                    _count(seen, entry)
                member, entries = next(histories, _NOBODY)
            replay.finish(wallet)
    _check_whole(findings[Check.WHOLE], seen)
    _check_keys(findings[Check.KEYS])
    _check_moves(findings[Check.MOVES])
    return findings


def _count(seen: dict[str, int], entry: EntryRow) -> None:
    for table, rows in zip(_TABLES, (1, len(entry.legs), bool(entry.lot), bool(entry.remainder), bool(entry.hold)), strict=True):
        seen[table] += rows


def _check_whole(verdict: Verdict, seen: dict[str, int]) -> None:
    for table, count in seen.items():
        ((there,),) = _fetch(f"select count(*) from {table} where organization_id = %s")  # noqa: S608
        verdict.made += 1
        if there != count:
            verdict.failed += 1
            verdict.first = verdict.first or f"{table}: {there} rows, {count} of them in wallets"


def _check_keys(verdict: Verdict) -> None:
    ((verdict.made, verdict.failed, key),) = _fetch(_TWICE)
    verdict.first = f"key {key}" if key else ""


def _check_moves(verdict: Verdict) -> None:
    ((verdict.made, difference),) = _fetch(_MOVED)
    if difference:
        verdict.failed, verdict.first = 1, f"{difference:+} points between members"


def _entry(row: tuple[Any, ...]) -> EntryRow:
    content = dict(zip(_CONTENT, row, strict=False))
    entry_id, previous, own_hash, accounts, lots, amounts = row[20:26]
    lot, remainder, hold = row[26:33], row[33:38], row[38:]
    content["details"] = json.loads(content["details"])
    content["lot"] = list(lot[2:]) if lot[0] else None
    legs = [
        Leg(Account(account), amount, lot_id) for account, lot_id, amount in zip(accounts or (), lots or (), amounts or (), strict=True)
    ]
    return EntryRow(
        entry_id,
        content,
        previous,
        own_hash,
        legs,
        LotRow(*lot) if lot[0] else None,
        remainder if lot[0] else (),
        hold if hold[0] else (),
    )


def _wallet(row: tuple[Any, ...]) -> WalletRow:
    member, program, balance, held, pending, debt, sequence, head, next_due_at = row
    return WalletRow(member, program, (balance, held, pending, debt), sequence, head, next_due_at)


@contextmanager
def _rows(statement: str) -> Iterator[Iterator[tuple[Any, ...]]]:
    """The rows of a statement, through a cursor of the server: a batch of them in memory at a time."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement, [current_organization_id()])
        yield (row for batch in iter(lambda: cursor.fetchmany(_BATCH), []) for row in batch)


def _fetch(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [current_organization_id()])
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
