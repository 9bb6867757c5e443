"""A program with one member, and the ledger's actions in short."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from accounts.audit import SYSTEM
from crm.models import Customer
from loyalty.actions.holds import capture_hold, hold_points, release_hold
from loyalty.actions.members import enrol_member
from loyalty.actions.points import cancel_pending, claw_back_points, earn_points, redeem_points, restore_clawback, undo_redemption
from loyalty.ledger.posting import Receipt, settle_member
from loyalty.models import LotRemainder, Member, Program, ProgramState, Wallet
from tests.factories import CustomerFactory

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def make_program(slug: str = "points") -> Program:
    return Program.objects.create(name="Saffron points", slug=slug, state=ProgramState.ACTIVE)


def make_member(program: Program | None = None, *, customer: Customer | None = None) -> Member:
    return enrol_member(program=program or make_program(), customer=customer or CustomerFactory.create(), now=NOW, actor=SYSTEM)


@dataclass
class Stage:
    """One member's wallet; keys count up by themselves unless one is given."""

    member: Member
    now: datetime = NOW
    keys: "count[int]" = field(default_factory=count)

    def earn(self, amount: int, *, key: str = "", expires_in: timedelta | None = None, matures_in: timedelta | None = None) -> Receipt:
        return earn_points(
            member_id=self.member.pk,
            amount=amount,
            key=key or self._key(),
            now=self.now,
            actor=SYSTEM,
            expires_at=self.now + expires_in if expires_in else None,
            matures_at=self.now + matures_in if matures_in else None,
        )

    def redeem(self, amount: int, *, key: str = "") -> Receipt:
        return redeem_points(member_id=self.member.pk, amount=amount, key=key or self._key(), now=self.now, actor=SYSTEM)

    def undo(self, redemption: Receipt, amount: int | None = None) -> Receipt:
        return undo_redemption(
            member_id=self.member.pk, entry_id=redemption.entry_id, amount=amount, key=self._key(), now=self.now, actor=SYSTEM
        )

    def claw_back(self, amount: int, earned: Receipt | None = None, *, key: str = "") -> Receipt:
        return claw_back_points(
            member_id=self.member.pk,
            amount=amount,
            earned_by=earned.entry_id if earned else None,
            key=key or self._key(),
            now=self.now,
            actor=SYSTEM,
        )

    def restore(self, clawback: Receipt) -> Receipt:
        return restore_clawback(member_id=self.member.pk, entry_id=clawback.entry_id, key=self._key(), now=self.now, actor=SYSTEM)

    def cancel(self, earned: Receipt) -> Receipt:
        return cancel_pending(member_id=self.member.pk, entry_id=earned.entry_id, key=self._key(), now=self.now, actor=SYSTEM)

    def hold(self, amount: int, *, lapses_in: timedelta = timedelta(minutes=15), key: str = "") -> tuple[Receipt, int]:
        return hold_points(
            member_id=self.member.pk, amount=amount, lapses_at=self.now + lapses_in, key=key or self._key(), now=self.now, actor=SYSTEM
        )

    def capture(self, hold_id: int, amount: int | None = None) -> Receipt:
        return capture_hold(member_id=self.member.pk, hold_id=hold_id, amount=amount, key=self._key(), now=self.now, actor=SYSTEM)

    def release(self, hold_id: int) -> Receipt:
        return release_hold(member_id=self.member.pk, hold_id=hold_id, key=self._key(), now=self.now, actor=SYSTEM)

    def settle(self) -> int:
        return settle_member(member_id=self.member.pk, now=self.now)

    def wallet(self) -> tuple[int, int, int, int]:
        """Balance, held, pending, debt."""
        wallet = Wallet.objects.get(member=self.member)
        return wallet.balance, wallet.held, wallet.pending, wallet.debt

    def lots(self) -> list[int]:
        """What can be spent of each lot, oldest first."""
        return list(LotRemainder.objects.filter(member=self.member).order_by("lot_id").values_list("available", flat=True))

    def _key(self) -> str:
        return f"key-{next(self.keys)}"
