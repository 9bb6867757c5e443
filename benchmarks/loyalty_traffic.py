"""Random work for the points ledger that can be asked for again: what number ``n`` of a stream asks is the same every time."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from accounts.audit import SYSTEM
from accounts.tenancy import tenant
from crm.models import Customer
from loyalty.actions.holds import CaptureError, HoldResolvedError, capture_hold, hold_points, release_hold
from loyalty.actions.members import enrol_member
from loyalty.actions.points import (
    NotEarnedError,
    NotUndoableError,
    cancel_pending,
    claw_back_points,
    earn_points,
    redeem_points,
    undo_redemption,
)
from loyalty.ledger.posting import Receipt, settle_member
from loyalty.models import Entry, EntryKind, Program, ProgramState
from loyalty.rules.postings import InsufficientPointsError

START: Final = datetime(2026, 3, 1, 8, tzinfo=UTC)
STEP: Final = timedelta(minutes=7)
REFUSALS: Final = (InsufficientPointsError, NotUndoableError, NotEarnedError, HoldResolvedError, CaptureError)
_FRESH: Final = {"earn": 40, "redeem": 18, "hold": 12, "take": 3, "give": 3, "settle": 2}
_ANSWERS: Final = {"resolve": 9, "undo": 7, "claw_back": 5, "cancel": 1}
_WEIGHTS: Final = {**_FRESH, **_ANSWERS}


def make_members(organization_id: int, count: int, *, slug: str) -> list[int]:
    """A program with this many members; their ids."""
    with tenant(organization_id):
        program = Program.objects.create(name=slug, slug=slug, state=ProgramState.ACTIVE)
        customers = [Customer.objects.create(first_name=f"{slug} {number}") for number in range(count)]
        return [enrol_member(program=program, customer=customer, now=START, actor=SYSTEM).pk for customer in customers]


@dataclass(frozen=True, slots=True)
class Stream:
    """One worker's sequence of requests; streams of one program meet on its members."""

    name: str
    members: Sequence[int]

    def key(self, number: int) -> str:
        return f"{self.name}:{number}"

    def perform(self, number: int) -> Receipt | None:
        """Do what the number asks, in the current tenant scope; nothing comes back where it is refused or asks for nothing."""
        dice, wish = self._wish(number)
        now = START + number * STEP + dice.random() * STEP
        try:
            return self._fresh(wish, number, dice, now) if wish in _FRESH else self._answer(wish, number, dice, now)
        except REFUSALS:
            return None

    def _wish(self, number: int) -> tuple[random.Random, str]:
        dice = random.Random(self.key(number))
        (wish,) = dice.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
        return dice, wish

    def _fresh(self, wish: str, number: int, dice: random.Random, now: datetime) -> Receipt | None:
        member_id, amount, key = dice.choice(self.members), dice.randint(1, 200), self.key(number)
        match wish:
            case "earn" | "give":
                expires_at = now + dice.choice([3, 40, 700]) * STEP if dice.random() < 0.7 else None
                matures_at = now + 20 * STEP if dice.random() < 0.2 else None
                kind = EntryKind(wish)
                return earn_points(
                    member_id=member_id,
                    amount=amount,
                    key=key,
                    now=now,
                    actor=SYSTEM,
                    matures_at=matures_at,
                    expires_at=expires_at,
                    kind=kind,
                )
            case "redeem" | "take":
                return redeem_points(member_id=member_id, amount=amount, key=key, now=now, actor=SYSTEM, kind=EntryKind(wish))
            case "hold":
                lapses_at = now + dice.randint(1, 30) * STEP
                return hold_points(member_id=member_id, amount=amount, lapses_at=lapses_at, key=key, now=now, actor=SYSTEM)[0]
            case _:
                settle_member(member_id=member_id, now=now)
                return None

    def _answer(self, wish: str, number: int, dice: random.Random, now: datetime) -> Receipt | None:
        """What follows an earlier entry of this stream, always the same one."""
        wishes = {"resolve": ("hold",), "undo": ("redeem", "resolve"), "claw_back": ("earn",), "cancel": ("earn",)}[wish]
        earlier = [back for back in range(max(number - 25, 0), number) if self._wish(back)[1] in wishes]
        found = earlier and Entry.objects.filter(key=self.key(dice.choice(earlier))).values_list("id", "member_id", "amount").first()
        if not found:
            return None
        (entry_id, member_id, points), key = found, self.key(number)
        part = dice.randint(1, points)
        match wish:
            case "resolve" if dice.random() < 0.7:
                return capture_hold(member_id=member_id, hold_id=entry_id, amount=part, key=key, now=now, actor=SYSTEM)
            case "resolve":
                return release_hold(member_id=member_id, hold_id=entry_id, key=key, now=now, actor=SYSTEM)
            case "undo":
                return undo_redemption(member_id=member_id, entry_id=entry_id, amount=part, key=key, now=now, actor=SYSTEM)
            case "claw_back":
                return claw_back_points(member_id=member_id, amount=part, earned_by=entry_id, key=key, now=now, actor=SYSTEM)
            case _:
                return cancel_pending(member_id=member_id, entry_id=entry_id, key=key, now=now, actor=SYSTEM)
