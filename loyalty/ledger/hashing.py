"""The chain of hashes over a wallet's entries: whoever changes one of them breaks all that follow."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from loyalty.rules.postings import Leg


def entry_hash(previous: bytes, content: Mapping[str, Any], legs: Iterable[Leg]) -> bytes:
    """SHA-256 of the entry before, the entry's columns and its legs, as JSON with sorted keys."""
    body = {**content, "legs": sorted([str(leg.account), leg.lot or 0, leg.amount] for leg in legs)}
    return hashlib.sha256(previous + canonical(body)).digest()


def body_hash(body: Mapping[str, Any]) -> bytes:
    """What tells a repeated request from another one with the same key."""
    return hashlib.sha256(canonical(body)).digest()


def canonical(body: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys, moments in UTC, bytes in hexadecimal.

    Raises:
        TypeError: something has no form that the database gives back as it was, such as a float.
    """
    _refuse_floats(body.get("details"))
    return _ENCODER.encode(body).encode()


def _refuse_floats(value: object) -> None:
    # PostgreSQL keeps the numbers of its JSON as decimals: 1e16 comes back as another number's text, -0.0 as another number.
    if isinstance(value, float):
        raise TypeError("a float has no place in a ledger entry")
    for item in value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ():
        _refuse_floats(item)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"{type(value).__name__} has no place in a ledger entry")


_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_plain)
