"""What refunds take back: after every arrival each sale has given back what the receipts known by then say, no more and no less.

A receipt that arrives late can say that goods belonged to another sale than was thought; what was taken back for the
wrong one is then restored by an entry that undoes it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from accounts.audit import Actor
from loyalty.actions.batch import Batch
from loyalty.actions.earning import frozen_rules
from loyalty.actions.points import claw_back_points, restore_clawback
from loyalty.ledger.families import lock_wallets_of
from loyalty.ledger.posting import Receipt
from loyalty.models import Entry, EntryKind
from loyalty.queries.receipts import receipts_that_decide
from loyalty.rules.earning import earning
from loyalty.rules.receipts import Line, remaining_lines


@dataclass(frozen=True, slots=True)
class ClawedBack:
    """Points of a sale that were taken back; less than none were restored."""

    member_id: int
    points: int
    receipt: Receipt
    purchase_id: int


def claw_back_refunds(batch: Batch, customer_ids: Collection[int], sale_ids: Collection[int]) -> list[ClawedBack]:
    """Take back what refunds left of sales has not earned; only what is not yet posted is."""
    # From here on nobody else decides about these members: what is read below stays true until the commit.
    lock_wallets_of(customer_ids)
    left: dict[int, tuple[Line, ...]] = {}
    for receipts in receipts_that_decide(customer_ids, sale_ids).values():
        left |= remaining_lines(receipts)
    earned = Entry.objects.filter(kind=EntryKind.EARN, purchase_id__in=left, details__has_key="factor").order_by("member_id", "pk")
    entries = list(earned)
    taken = _taken_back([entry.pk for entry in entries])
    done: list[ClawedBack] = []
    for entry in entries:
        due = entry.amount - _kept(batch, entry, left)
        done += _level(batch, entry, due, taken.get(entry.pk, []))
    return done


@dataclass(frozen=True, slots=True)
class _Taken:
    """An earlier clawback, with nothing left when it was restored; or what was cancelled while it was pending, for good."""

    entry_id: int
    points: int
    is_final: bool


def _kept(batch: Batch, entry: Entry, left: Mapping[int, tuple[Line, ...]]) -> int:
    """What an earning is worth now, by the terms it was earned under."""
    rules, factor, rooms = frozen_rules(batch.book.versions[entry.terms_id or 0], entry.details)
    return earning(rules, factor, left[entry.purchase_id or 0], rooms).total


def _taken_back(earned: Collection[int]) -> dict[int, list[_Taken]]:
    """What was taken back of earnings, in the order it was posted."""
    kinds = [EntryKind.CLAWBACK, EntryKind.RESTORE, EntryKind.CANCEL]
    entries = list(Entry.objects.filter(kind__in=kinds, origin_id__in=earned).order_by("pk"))
    restored = {entry.details["clawback"] for entry in entries if entry.kind == EntryKind.RESTORE}
    found: dict[int, list[_Taken]] = {}
    for entry in entries:
        if entry.kind != EntryKind.RESTORE:
            points = 0 if entry.pk in restored else entry.amount
            found.setdefault(entry.origin_id or 0, []).append(_Taken(entry.pk, points, entry.kind == EntryKind.CANCEL))
    return found


def _level(batch: Batch, entry: Entry, due: int, taken: list[_Taken]) -> list[ClawedBack]:
    """Bring what was taken back of an earning to what is due."""
    so_far, done = sum(one.points for one in taken), []
    actor, purchase_id = batch.actor, entry.purchase_id or 0
    for one in reversed(taken) if so_far > due else ():
        if so_far > due and one.points and not one.is_final:
            so_far -= one.points
            receipt = restore_clawback(
                member_id=entry.member_id, entry_id=one.entry_id, key=f"clawback:{one.entry_id}:restored", now=batch.now, actor=actor
            )
            done.append(ClawedBack(entry.member_id, -one.points, receipt, purchase_id))
    if due > so_far:
        receipt = _claw_back(batch, entry, due - so_far, len(taken), actor)
        done.append(ClawedBack(entry.member_id, due - so_far, receipt, purchase_id))
    return done


def _claw_back(batch: Batch, entry: Entry, points: int, before: int, actor: Actor) -> Receipt:
    return claw_back_points(
        member_id=entry.member_id,
        amount=points,
        earned_by=entry.pk,
        key=f"purchase:{entry.purchase_id}:clawback:{before + 1}",
        now=batch.now,
        actor=actor,
        purchase_id=entry.purchase_id,
    )
