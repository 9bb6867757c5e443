"""The one way into the ledger: lock, look whether it was done before, settle what is due, post, tell."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from loyalty.ledger.hashing import body_hash
from loyalty.ledger.settling import settle_wallet
from loyalty.ledger.store import KeyTakenError, NewEntry, OpenWallet, open_wallet, post_entry
from loyalty.rules.postings import MAX_POINTS


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


def post_once(
    *,
    member_id: int,
    key: str,
    body: Mapping[str, Any],
    now: datetime,
    build: Callable[[OpenWallet], NewEntry],
    spends: bool = False,
) -> Receipt:
    """Post what ``build`` makes of the locked and settled wallet, unless ``key`` was posted before.

    A refusal leaves nothing behind but what was due anyway, so the caller may go on in its transaction; ``build`` only reads.

    Args:
        key: idempotency key, unique within the program.
        body: what is asked for; the same key with another body is refused.
        spends: ``build`` will want lots to spend, which are then read with the wallet.

    Raises:
        KeyReusedError: the key came with another body before.
        UnknownMemberError: there is no such member.
    """
    digest = body_hash({"member": member_id, **body})
    wallet, known = open_wallet(member_id, now=now, key=key, to_spend=spends)
    settle_wallet(wallet)
    if known:
        if known.body_hash != digest:
            raise KeyReusedError(key)
        return _receipt(wallet, known.id, is_replay=True)
    entry = replace(build(wallet), key=key, body_hash=digest)
    try:
        entry_id = post_entry(wallet, entry)
    except KeyTakenError as error:  # this wallet's own requests wait on its lock
        raise KeyReusedError(key) from error
    settle_wallet(wallet)
    return _receipt(wallet, entry_id)


def settle_member(*, member_id: int, now: datetime) -> int:
    """Post what is due for one member; returns how many entries that took."""
    return settle_wallet(open_wallet(member_id, now=now)[0])


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
