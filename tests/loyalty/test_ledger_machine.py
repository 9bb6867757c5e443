"""Any sequence of operations, against a model written from the promises: same wallet, same lots, same refusals, after every step."""

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from accounts.audit import SYSTEM
from loyalty.actions.holds import CaptureError, HoldResolvedError, capture_hold, hold_points, release_hold
from loyalty.actions.points import (
    NotEarnedError,
    NotUndoableError,
    cancel_pending,
    claw_back_points,
    earn_points,
    redeem_points,
    undo_redemption,
)
from loyalty.ledger.posting import KeyReusedError, Receipt, settle_member
from loyalty.ledger.verification import verify_ledger
from loyalty.models import EntryKind, LotRemainder, Member, Wallet
from loyalty.queries.wallets import spendable
from loyalty.rules.postings import InsufficientPointsError
from tests.conftest import Cast
from tests.loyalty.ledger_stage import NOW, make_member, make_program
from tests.loyalty.points_model import Purse, RefusedError

REFUSALS = (InsufficientPointsError, NotUndoableError, NotEarnedError, HoldResolvedError, CaptureError)
# make test looks at a few dozen histories of forty steps, make chaos at a thousand.
EXAMPLES = 1_000 if os.environ.get("CHAOS") == "full" else 25
Request = Callable[[str], Receipt]

whose = st.integers(0, 1)
points = st.integers(1, 40)
hours = st.integers(1, 6)
some = st.integers(0, 1_000)


class LedgerMachine(RuleBasedStateMachine):
    """Two members of a program; everything is done to the ledger and to the model, and both have to agree."""

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

    def teardown(self) -> None:
        broken = {check: verdict.first for check, verdict in verify_ledger().items() if verdict.failed}
        transaction.savepoint_rollback(self.before)
        assert broken == {}

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
        self.compare(who)
        return receipt.entry_id if receipt else None

    def compare(self, who: int) -> None:
        wallet, purse = Wallet.objects.get(member=self.members[who]), self.purses[who]
        assert (wallet.balance, wallet.held, wallet.pending, wallet.debt) == purse.standing()
        rows = LotRemainder.objects.filter(member=self.members[who]).order_by("lot_id").values_list("lot_id", "available", "pending")
        assert {lot: (available, pending) for lot, available, pending in rows} == purse.lots()

    @rule(
        who=whose,
        amount=points,
        kind=st.sampled_from([EntryKind.EARN, EntryKind.GIVE]),
        matures=st.none() | hours,
        expires=st.none() | st.integers(-2, 8),
        back=st.integers(0, 3),
    )
    def earn(self, who: int, amount: int, kind: EntryKind, matures: int | None, expires: int | None, back: int) -> None:
        at, matures_at, expires_at = self.now - timedelta(hours=back), self.later(matures), self.later(expires)
        now, member_id = self.now, self.members[who].pk

        def request(key: str) -> Receipt:
            return earn_points(
                member_id=member_id,
                amount=amount,
                key=key,
                now=now,
                actor=SYSTEM,
                occurred_at=at,
                matures_at=matures_at,
                expires_at=expires_at,
                kind=kind,
            )

        entry = self.do(who, request, lambda purse, lot: purse.earn(lot, amount, at, matures_at, expires_at))
        assert entry
        self.earned.append(entry)

    @rule(who=whose, amount=points)
    def redeem(self, who: int, amount: int) -> None:
        now, member_id = self.now, self.members[who].pk
        entry = self.do(
            who,
            lambda key: redeem_points(member_id=member_id, amount=amount, key=key, now=now, actor=SYSTEM),
            lambda purse, entry: purse.redeem(entry, amount),
        )
        if entry:
            self.redeemed.append(entry)

    @rule(who=whose, amount=points)
    def take(self, who: int, amount: int) -> None:
        now, member_id = self.now, self.members[who].pk
        self.do(
            who,
            lambda key: redeem_points(member_id=member_id, amount=amount, key=key, now=now, actor=SYSTEM, kind=EntryKind.TAKE),
            lambda purse, _entry: purse.take(amount),
        )

    @precondition(lambda self: self.redeemed)
    @rule(who=whose, which=some, amount=st.none() | points)
    def undo(self, who: int, which: int, amount: int | None) -> None:
        now, member_id, entry_id = self.now, self.members[who].pk, self.redeemed[which % len(self.redeemed)]
        self.do(
            who,
            lambda key: undo_redemption(member_id=member_id, entry_id=entry_id, key=key, now=now, actor=SYSTEM, amount=amount),
            lambda purse, _entry: purse.undo(entry_id, amount),
        )

    @rule(who=whose, amount=points, lapses=st.integers(0, 5))
    def hold(self, who: int, amount: int, lapses: int) -> None:
        now, member_id, lapses_at = self.now, self.members[who].pk, self.now + timedelta(hours=lapses)
        entry = self.do(
            who,
            lambda key: hold_points(member_id=member_id, amount=amount, lapses_at=lapses_at, key=key, now=now, actor=SYSTEM)[0],
            lambda purse, hold: purse.hold(hold, amount, lapses_at),
        )
        if entry:
            self.held.append(entry)

    @precondition(lambda self: self.held)
    @rule(who=whose, which=some, amount=st.none() | points)
    def capture(self, who: int, which: int, amount: int | None) -> None:
        now, member_id, hold_id = self.now, self.members[who].pk, self.held[which % len(self.held)]
        entry = self.do(
            who,
            lambda key: capture_hold(member_id=member_id, hold_id=hold_id, key=key, now=now, actor=SYSTEM, amount=amount),
            lambda purse, entry: purse.capture(entry, hold_id, amount),
        )
        if entry:
            self.redeemed.append(entry)

    @precondition(lambda self: self.held)
    @rule(who=whose, which=some)
    def release(self, who: int, which: int) -> None:
        now, member_id, hold_id = self.now, self.members[who].pk, self.held[which % len(self.held)]
        self.do(
            who,
            lambda key: release_hold(member_id=member_id, hold_id=hold_id, key=key, now=now, actor=SYSTEM),
            lambda purse, _entry: purse.release(hold_id),
        )

    @rule(who=whose, which=st.none() | some, amount=points)
    def claw_back(self, who: int, which: int | None, amount: int) -> None:
        now, member_id, mine = self.now, self.members[who].pk, list(self.purses[who].lots())
        lot = None if which is None or not mine else mine[which % len(mine)]
        self.do(
            who,
            lambda key: claw_back_points(member_id=member_id, amount=amount, earned_by=lot, key=key, now=now, actor=SYSTEM),
            lambda purse, _entry: purse.claw_back(amount, lot),
        )

    @precondition(lambda self: self.earned)
    @rule(who=whose, which=some)
    def cancel(self, who: int, which: int) -> None:
        now, member_id, lot = self.now, self.members[who].pk, self.earned[which % len(self.earned)]
        self.do(
            who,
            lambda key: cancel_pending(member_id=member_id, entry_id=lot, key=key, now=now, actor=SYSTEM),
            lambda purse, _entry: purse.cancel(lot),
        )

    @rule(passing=hours)
    def travel(self, passing: int) -> None:
        self.now += timedelta(hours=passing)
        for member, purse in zip(self.members, self.purses, strict=True):
            purse.travel(self.now)
            assert spendable(member.pk, self.now) == purse.count("free")

    @rule(who=whose)
    def settle(self, who: int) -> None:
        settle_member(member_id=self.members[who].pk, now=self.now)
        assert settle_member(member_id=self.members[who].pk, now=self.now) == 0
        self.compare(who)

    @precondition(lambda self: self.requests)
    @rule(which=some)
    def repeat(self, which: int) -> None:
        request, key, entry_id = self.requests[which % len(self.requests)]
        again = request(key)
        assert (again.entry_id, again.is_replay) == (entry_id, True)

    @precondition(lambda self: self.requests)
    @rule(who=whose, which=some)
    def reuse_a_key(self, who: int, which: int) -> None:
        _request, key, _entry_id = self.requests[which % len(self.requests)]
        with suppress(KeyReusedError):
            earn_points(member_id=self.members[who].pk, amount=1_000, key=key, now=self.now, actor=SYSTEM)
            raise AssertionError("a key was accepted twice")


@pytest.mark.chaos
def test_the_ledger_does_what_the_model_does(in_saffron: Cast) -> None:
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=40, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        ),
    )
