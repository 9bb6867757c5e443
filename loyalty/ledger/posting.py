"""The one way into the ledger: lock, look whether it was done before, settle what is due, post, tell."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from loyalty.ledger.events import record_entry_event
from loyalty.ledger.hashing import body_hash
from loyalty.ledger.settling import settle_wallet
from loyalty.ledger.store import NewEntry, OpenWallet, known_entry, lock_wallet, post_entry

MAX_POINTS = 10**12


class KeyReusedError(ValueError):
    """An idempotency key came with another request than before."""


class PointsError(ValueError):
    """A number of points that no entry can be about."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """An entry, and the wallet as it stands after it (after a repeated request: as it stands now)."""

    entry_id: int
    balance: int
    held: int
    pending: int
    debt: int
    is_replay: bool = False


@transaction.atomic
def post_once(*, member_id: int, key: str, body: Mapping[str, Any], now: datetime, build: Callable[[OpenWallet], NewEntry]) -> Receipt:
    """Post what ``build`` makes of the locked and settled wallet, unless ``key`` was posted before.

    Args:
        key: idempotency key, unique within the program.
        body: what is asked for; the same key with another body is refused.

    Raises:
        KeyReusedError: the key came with another body before.
        UnknownMemberError: there is no such member.
    """
    wallet = lock_wallet(member_id)
    digest = body_hash({"member": member_id, **body})
    if known := known_entry(wallet.program_id, key):
        if known[1] != digest:
            raise KeyReusedError(key)
        return _receipt(wallet, known[0], is_replay=True)
    settle_wallet(wallet, now=now)
    entry = replace(build(wallet), key=key, body_hash=digest)
    try:
        with transaction.atomic():
            entry_id = post_entry(wallet, entry, now=now)
    except IntegrityError as error:
        # Another member's request took the key meanwhile; this wallet's own requests wait on its lock.
        if "entry_key" in str(error):
            raise KeyReusedError(key) from error
        raise
    record_entry_event(wallet, entry, entry_id)
    settle_wallet(wallet, now=now)
    return _receipt(wallet, entry_id)


@transaction.atomic
def settle_member(*, member_id: int, now: datetime) -> int:
    """Post what is due for one member; returns how many entries that took."""
    return settle_wallet(lock_wallet(member_id), now=now)


def checked_points(amount: int) -> int:
    """Points an entry can be about.

    Raises:
        PointsError: not between 1 and ``MAX_POINTS``.
    """
    if not 1 <= amount <= MAX_POINTS:
        raise PointsError(amount)
    return amount


def _receipt(wallet: OpenWallet, entry_id: int, *, is_replay: bool = False) -> Receipt:
    return Receipt(entry_id, wallet.balance, wallet.held, wallet.pending, wallet.debt, is_replay)
