"""What a till did while it was alone: kept as it said it, applied strictly in the till's own order.

Whatever order the operations arrive in, cut into whatever requests, however often, the same ones are applied in the same
order, each once: the ledger comes out the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from loyalty.ledger.hashing import body_hash
from loyalty.models import OperationState, Till, TillOperation


class OperationRefusedError(Exception):
    """An operation cannot be done; ``problem`` says why. Those after it are done all the same."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Sent:
    """An operation as a till sends it."""

    sequence: int
    key: str
    kind: str
    occurred_at: datetime
    body: Mapping[str, Any]

    @property
    def digest(self) -> bytes:
        return body_hash({"key": self.key, "kind": self.kind, "occurred_at": self.occurred_at, "body": self.body})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of what was sent: without an operation, its number or its key was used for something else."""

    sequence: int
    operation: TillOperation | None


Perform = Callable[[TillOperation], Mapping[str, Any]]


@transaction.atomic
def deliver_operations(*, code: str, sent: Sequence[Sent], now: datetime, perform: Perform) -> tuple[Till, list[Outcome]]:
    """Keep what a till sends, and do whatever has no gap before it.

    Args:
        perform: does an operation and answers it, or raises ``OperationRefusedError``; it is called in a savepoint.
    """
    Till.objects.get_or_create(code=code, defaults={"first_seen_at": now})
    till = Till.objects.select_for_update(of=("self",)).get(code=code)
    kept = _keep(till, sent, now)
    _catch_up(till, now, perform)
    kept_now = {operation.pk: operation for operation in till.operations.filter(pk__in=[key for key in kept if key])}
    return till, [Outcome(one.sequence, kept_now.get(key or 0)) for one, key in zip(sent, kept, strict=True)]


def _keep(till: Till, sent: Sequence[Sent], now: datetime) -> list[int | None]:
    """The row of each; ``None`` where the number or the key belongs to another."""
    by_number = {one.sequence: one for one in till.operations.filter(sequence__in=[one.sequence for one in sent])}
    by_key = {one.key: one for one in till.operations.filter(key__in=[one.key for one in sent])}
    rows: list[int | None] = []
    for one in sent:
        row = by_number.get(one.sequence)
        if row is None and one.key not in by_key:
            row = TillOperation.objects.create(
                till=till,
                sequence=one.sequence,
                key=one.key,
                kind=one.kind,
                body=dict(one.body),
                body_hash=one.digest,
                occurred_at=one.occurred_at,
                received_at=now,
            )
            by_number[one.sequence] = by_key[one.key] = row
        rows.append(row.pk if row and bytes(row.body_hash) == one.digest else None)
    return rows


def _catch_up(till: Till, now: datetime, perform: Perform) -> None:
    for operation in till.operations.filter(sequence__gt=till.applied).order_by("sequence"):
        if operation.sequence != till.applied + 1:
            break
        try:
            with transaction.atomic():
                operation.answer, operation.state = dict(perform(operation)), OperationState.APPLIED
        except OperationRefusedError as error:
            operation.answer, operation.state = dict(error.problem), OperationState.REFUSED
        operation.answered_at = now
        operation.save(update_fields=["answer", "state", "answered_at"])
        till.applied = operation.sequence
    till.save(update_fields=["applied"])
