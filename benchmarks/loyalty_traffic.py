"""Random work for the points ledger that can be asked for again: what number ``n`` of a stream asks is the same every time."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from accounts.audit import SYSTEM
from accounts.tenancy import tenant
from crm.models import Customer
from loyalty.actions.catalogue import create_reward
from loyalty.actions.holds import CaptureError, HoldResolvedError, capture_hold, hold_points, release_hold
from loyalty.actions.members import enrol_member
from loyalty.actions.moving import MovedOnError, OpenHoldsError, move_member, undo_move
from loyalty.actions.points import (
    NotEarnedError,
    NotUndoableError,
    cancel_pending,
    claw_back_points,
    earn_points,
    redeem_points,
    restore_clawback,
    undo_redemption,
)
from loyalty.actions.rewards import redeem_reward
from loyalty.actions.vouchers import use_voucher
from loyalty.ledger.bought import PriceError, VoucherNotOpenError
from loyalty.ledger.posting import KeyReusedError, Receipt, settle_member
from loyalty.ledger.prolonging import prolong_lots
from loyalty.ledger.stock import RewardRefusedError
from loyalty.models import Entry, EntryKind, Member, Program, ProgramState, Reward, Terms, Voucher
from loyalty.rules.postings import InsufficientPointsError

START: Final = datetime(2026, 3, 1, 8, tzinfo=UTC)
STEP: Final = timedelta(minutes=7)
REFUSALS: Final = (
    InsufficientPointsError,
    NotUndoableError,
    NotEarnedError,
    HoldResolvedError,
    CaptureError,
    OpenHoldsError,
    MovedOnError,
    RewardRefusedError,
    VoucherNotOpenError,
    PriceError,
)
_FRESH: Final = {
    "earn": 380,
    "redeem": 150,
    "hold": 110,
    "buy": 40,
    "take": 30,
    "give": 30,
    "settle": 20,
    "prolong": 10,
    "move": 3,
    "move_back": 6,
}
_ANSWERS: Final = {"resolve": 90, "undo": 60, "claw_back": 50, "restore": 20, "use": 20, "cancel": 10}
_WEIGHTS: Final = {**_FRESH, **_ANSWERS}
# What follows which earlier wishes of the stream.
_FOLLOWS: Final = {
    "resolve": ("hold",),
    "undo": ("redeem", "resolve", "buy", "take"),
    "claw_back": ("earn",),
    "restore": ("claw_back",),
    "use": ("buy",),
    "cancel": ("earn",),
}


def make_members(organization_id: int, count: int, *, slug: str) -> list[int]:
    """A program with a scarce reward, terms and this many members; their ids."""
    with tenant(organization_id):
        program = Program.objects.create(name=slug, slug=slug, state=ProgramState.ACTIVE)
        Terms.objects.create(program=program, version=1, valid_from=START, document={})
        create_reward(program=program, actor=SYSTEM, name=slug, points=70, stock=3 * count)
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
        except KeyReusedError:  # asked again after whoever it was for has moved
            return None

    def _wish(self, number: int) -> tuple[random.Random, str]:
        dice = random.Random(self.key(number))
        (wish,) = dice.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
        return dice, wish

    def _fresh(self, wish: str, number: int, dice: random.Random, now: datetime) -> Receipt | None:
        member, amount, key = Member.objects.get(pk=dice.choice(self.members)).holder, dice.randint(1, 200), self.key(number)
        member_id = member.pk
        match wish:
            case "earn" | "give":
                expires_at = now + dice.choice([3, 40, 700]) * STEP if dice.random() < 0.7 else None
                matures_at = now + 20 * STEP if dice.random() < 0.2 else None
                kind, terms_id = EntryKind(wish), _terms(member) if dice.random() < 0.3 else None
                return earn_points(
                    member_id=member_id,
                    amount=amount,
                    key=key,
                    now=now,
                    actor=SYSTEM,
                    matures_at=matures_at,
                    expires_at=expires_at,
                    terms_id=terms_id,
                    kind=kind,
                )
            case "redeem" | "take":
                return redeem_points(member_id=member_id, amount=amount, key=key, now=now, actor=SYSTEM, kind=EntryKind(wish))
            case "hold":
                lapses_at = now + dice.randint(1, 30) * STEP
                return hold_points(member_id=member_id, amount=amount, lapses_at=lapses_at, key=key, now=now, actor=SYSTEM)[0]
            case "buy":
                reward_id = Reward.objects.values_list("pk", flat=True).get(program_id=member.program_id)
                return redeem_reward(member_id=member_id, reward_id=reward_id, key=key, now=now, actor=SYSTEM).receipt
            case "prolong":
                prolong_lots(member_id=member_id, at=now, until={_terms(member): now + 60 * STEP}, now=now)
            case "move":
                other = Member.objects.select_related("customer").get(pk=dice.choice(self.members))
                move_member(member_id=member_id, to_customer=other.customer, now=now, actor=SYSTEM)
            case "move_back":
                for one, taker in Member.objects.filter(moved_to=member).values_list("pk", "moved_to"):
                    undo_move(member_id=one, to_member_id=taker or 0, now=now, actor=SYSTEM)
            case _:
                settle_member(member_id=member_id, now=now)
        return None

    def _answer(self, wish: str, number: int, dice: random.Random, now: datetime) -> Receipt | None:
        """What follows an earlier entry of this stream, always the same one."""
        earlier = [back for back in range(max(number - 25, 0), number) if self._wish(back)[1] in _FOLLOWS[wish]]
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
                amount = part if dice.random() < 0.5 else None
                return undo_redemption(member_id=member_id, entry_id=entry_id, amount=amount, key=key, now=now, actor=SYSTEM)
            case "restore":
                return restore_clawback(member_id=member_id, entry_id=entry_id, key=key, now=now, actor=SYSTEM)
            case "use":
                use_voucher(code=Voucher.objects.get(entry_id=entry_id).code, key=key, now=now, actor=SYSTEM)
                return None
            case "claw_back":
                return claw_back_points(member_id=member_id, amount=part, earned_by=entry_id, key=key, now=now, actor=SYSTEM)
            case _:
                return cancel_pending(member_id=member_id, entry_id=entry_id, key=key, now=now, actor=SYSTEM)


def _terms(member: Member) -> int:
    return Terms.objects.values_list("pk", flat=True).get(program_id=member.program_id)
