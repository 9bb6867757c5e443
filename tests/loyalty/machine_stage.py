"""Two members' ledgers beside the plain model: what is done to one is done to the other, and both are compared."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from hypothesis.stateful import RuleBasedStateMachine

from accounts.audit import SYSTEM
from loyalty.actions.catalogue import create_reward
from loyalty.actions.holds import CaptureError, HoldResolvedError
from loyalty.actions.moving import OpenHoldsError
from loyalty.actions.points import NotEarnedError, NotUndoableError
from loyalty.ledger.bought import VoucherNotOpenError
from loyalty.ledger.posting import Receipt, settle_member
from loyalty.ledger.stock import RewardRefusedError
from loyalty.ledger.verification import verify_ledger
from loyalty.models import Lot, LotRemainder, Member, Terms, Voucher, Wallet
from loyalty.queries.reward_checks import broken_promises
from loyalty.rules.postings import InsufficientPointsError
from tests.loyalty.ledger_stage import NOW, make_member, make_program
from tests.loyalty.points_model import MOVED, Purse, RefusedError

REFUSALS = (
    InsufficientPointsError,
    NotUndoableError,
    NotEarnedError,
    HoldResolvedError,
    CaptureError,
    OpenHoldsError,
    RewardRefusedError,
    VoucherNotOpenError,
    ValidationError,  # a hold that is not the member's
)
PRICE, STOCK = 15, 4
Request = Callable[[str], Receipt]


class ComparingMachine(RuleBasedStateMachine):
    """Two members of a program and one reward; everything is done to the ledger and to the model, and both have to agree."""

    def __init__(self) -> None:
        super().__init__()
        self.before = transaction.savepoint()
        self.now = NOW
        program = make_program()
        self.members: list[Member] = [make_member(program), make_member(program)]
        self.purses = [Purse(NOW), Purse(NOW)]
        self.requests: list[tuple[Request, str, int]] = []
        self.earned: list[int] = []
        self.redeemed: list[int] = []
        self.held: list[int] = []
        self.clawed: list[int] = []
        self.has_moved = False
        self.terms = Terms.objects.create(program=program, version=1, valid_from=NOW, document={})
        self.reward = create_reward(program=program, actor=SYSTEM, name="Haircut", points=PRICE, stock=STOCK)
        self.vouchers: dict[int, str] = {}
        self.uses = 0

    def teardown(self) -> None:
        broken = {check: verdict.first for check, verdict in verify_ledger().items() if verdict.failed}
        promises = broken_promises()
        transaction.savepoint_rollback(self.before)
        assert (broken, promises) == ({}, [])

    def later(self, after: int | None) -> datetime | None:
        return None if after is None else self.now + timedelta(hours=after)

    def do(self, who: int, request: Request, play: Callable[[Purse, int], None]) -> int | None:
        """Make the request, let the model play it, compare outcome and standing; the entry's id unless it was refused."""
        key, receipt = f"key-{len(self.requests)}", None
        with suppress(*REFUSALS):
            receipt = request(key)
        try:
            play(self.purses[who], receipt.entry_id if receipt else 0)
        except RefusedError:
            assert receipt is None
        else:
            assert receipt is not None
            self.requests.append((request, key, receipt.entry_id))
            holder = self.purses[self.active(who)]
            assert (receipt.balance, receipt.held, receipt.pending, receipt.debt) == holder.standing()
        self.compare(who)
        return receipt.entry_id if receipt else None

    def active(self, who: int) -> int:
        """Whoever stands for a member now."""
        holder = self.purses[who].holder
        return self.purses.index(holder) if holder else who

    def compare(self, *whose: int) -> None:
        roots = self.seat_moved_points() if self.has_moved else {}
        for who in {*whose, *(self.active(who) for who in whose)}:
            if who not in whose:  # what was refused, or did nothing, has not come to whoever holds the points
                settle_member(member_id=self.members[who].pk, now=self.now)
            wallet, purse = Wallet.objects.get(member=self.members[who]), self.purses[who]
            assert (wallet.balance, wallet.held, wallet.pending, wallet.debt) == purse.standing()
            left: dict[int, tuple[int, int]] = {}
            rows = LotRemainder.objects.filter(member=self.members[who]).exclude(available=0, pending=0)
            for lot, available, pending in rows.values_list("lot_id", "available", "pending"):
                before = left.get(roots.get(lot, lot), (0, 0))
                left[roots.get(lot, lot)] = (before[0] + available, before[1] + pending)
            assert left == purse.lots()

    def seat_moved_points(self) -> dict[int, int]:
        """Tell the model which lots points sit in that have moved; the lots by which those came in first."""
        roots: dict[int, int] = {}
        newest: dict[tuple[int, int], int] = {}
        for lot, moved_from, member in Lot.objects.order_by("pk").values_list("pk", "moved_from", "member"):
            if moved_from:
                roots[lot] = roots.get(moved_from, moved_from)
                newest[member, roots[lot]] = lot
        for owner, purse in zip(self.members, self.purses, strict=True):
            for point in purse.points:
                if point.seat >= MOVED:
                    point.seat = newest[owner.pk, point.lot.id]
        return roots

    def sold(self) -> int:
        return sum(state != "cancelled" for state in self.vouchers.values())

    def compare_stock(self) -> None:
        self.reward.refresh_from_db()
        assert self.reward.sold == self.sold()
        assert dict(Voucher.objects.values_list("entry_id", "state")) == self.vouchers

    def do_both(self, request: Callable[[], object], play: Callable[[], None]) -> None:
        """What is done to two members at once; both have to refuse it, or neither."""
        refused = False
        try:
            request()
        except OpenHoldsError:
            refused = True
        try:
            play()
        except RefusedError:
            assert refused
        else:
            assert not refused
        self.compare(0, 1)
