"""Any sequence of operations, against a model written from the promises: same wallet, same lots, same refusals, after every step."""

import os
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from accounts.audit import SYSTEM
from loyalty.actions.holds import capture_hold, hold_points, release_hold
from loyalty.actions.moving import move_member, undo_move
from loyalty.actions.points import cancel_pending, claw_back_points, earn_points, redeem_points, restore_clawback, undo_redemption
from loyalty.actions.rewards import redeem_reward, undo_reward
from loyalty.actions.vouchers import use_voucher
from loyalty.ledger.bought import VoucherNotOpenError
from loyalty.ledger.posting import KeyReusedError, Receipt, settle_member
from loyalty.ledger.prolonging import prolong_lots
from loyalty.models import EntryKind, Voucher
from loyalty.queries.wallets import spendable
from tests.conftest import Cast
from tests.loyalty import points_model as model
from tests.loyalty.machine_stage import PRICE, STOCK, ComparingMachine
from tests.loyalty.points_model import Purse, RefusedError

# make test looks at a few dozen histories of forty steps, make chaos at a thousand.
EXAMPLES = 1_000 if os.environ.get("CHAOS") == "full" else 25

whose = st.integers(0, 1)
points = st.integers(1, 40)
hours = st.integers(1, 6)
some = st.integers(0, 1_000)


class LedgerMachine(ComparingMachine):
    """Everything that can be asked of the ledger."""

    @rule(
        who=whose,
        amount=points,
        kind=st.sampled_from([EntryKind.EARN, EntryKind.GIVE]),
        matures=st.none() | hours,
        expires=st.none() | st.integers(-2, 8),
        back=st.integers(0, 3),
        lives_on=st.booleans(),
    )
    def earn(self, who: int, amount: int, kind: EntryKind, matures: int | None, expires: int | None, back: int, lives_on: bool) -> None:
        at, matures_at, expires_at = self.now - timedelta(hours=back), self.later(matures), self.later(expires)
        who, terms_id = self.active(who), self.terms.pk if lives_on else None
        now, member_id, home = self.now, self.members[who].pk, self.purses[who]

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
                terms_id=terms_id,
                kind=kind,
            )

        def play(purse: Purse, entry: int) -> None:
            purse.earn(model.Lot(entry, home, at, matures_at, expires_at, terms_id), amount)

        entry = self.do(who, request, play)
        assert entry
        self.earned.append(entry)

    @rule(who=whose, amount=points)
    def redeem(self, who: int, amount: int) -> None:
        who = self.active(who)
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
        who = self.active(who)
        now, member_id = self.now, self.members[who].pk
        entry = self.do(
            who,
            lambda key: redeem_points(member_id=member_id, amount=amount, key=key, now=now, actor=SYSTEM, kind=EntryKind.TAKE),
            lambda purse, entry: purse.redeem(entry, amount),
        )
        if entry:
            self.redeemed.append(entry)

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
        who = self.active(who)
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
        now, member_id, mine = self.now, self.members[who].pk, list(self.purses[who].earned)
        lot = None if which is None or not mine else mine[which % len(mine)]
        entry = self.do(
            who,
            lambda key: claw_back_points(member_id=member_id, amount=amount, earned_by=lot, key=key, now=now, actor=SYSTEM),
            lambda purse, entry: purse.claw_back(entry, amount, lot),
        )
        if entry:
            self.clawed.append(entry)

    @precondition(lambda self: self.clawed)
    @rule(who=whose, which=some)
    def restore(self, who: int, which: int) -> None:
        now, member_id, entry_id = self.now, self.members[who].pk, self.clawed[which % len(self.clawed)]
        self.do(
            who,
            lambda key: restore_clawback(member_id=member_id, entry_id=entry_id, key=key, now=now, actor=SYSTEM),
            lambda purse, _entry: purse.restore(entry_id),
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

    @precondition(lambda self: not self.has_moved)
    @rule(who=whose, back=st.integers(0, 3), until=st.integers(1, 12))
    def prolong(self, who: int, back: int, until: int) -> None:
        at, alive_until = self.now - timedelta(hours=back), self.now + timedelta(hours=until)
        prolong_lots(member_id=self.members[who].pk, at=at, until={self.terms.pk: alive_until}, now=self.now)
        self.purses[who].prolong(at, alive_until)
        self.compare(who)

    @rule(who=whose)
    def buy(self, who: int) -> None:
        who = self.active(who)
        now, member_id, reward_id = self.now, self.members[who].pk, self.reward.pk

        def play(purse: Purse, entry: int) -> None:
            if self.sold() == STOCK:
                raise RefusedError
            purse.redeem(entry, PRICE)
            self.vouchers[entry] = "issued"

        self.do(
            who,
            lambda key: redeem_reward(member_id=member_id, reward_id=reward_id, key=key, now=now, actor=SYSTEM).receipt,
            play,
        )
        self.compare_stock()

    @precondition(lambda self: self.vouchers)
    @rule(which=some)
    def give_back(self, which: int) -> None:
        entry_id, now = list(self.vouchers)[which % len(self.vouchers)], self.now
        voucher = Voucher.objects.select_related("member").get(entry_id=entry_id)

        def play(purse: Purse, _entry: int) -> None:
            if self.vouchers[entry_id] != "issued":
                raise RefusedError
            purse.undo(entry_id, None)
            self.vouchers[entry_id] = "cancelled"

        self.do(self.members.index(voucher.member), lambda key: undo_reward(voucher=voucher, key=key, now=now, actor=SYSTEM), play)
        self.compare_stock()

    @precondition(lambda self: self.vouchers)
    @rule(which=some)
    def use(self, which: int) -> None:
        entry_id = list(self.vouchers)[which % len(self.vouchers)]
        is_open = self.vouchers[entry_id] == "issued"
        with suppress(VoucherNotOpenError):
            # A key of its own for each use: the same one again would be the same use.
            self.uses += 1
            use_voucher(code=Voucher.objects.get(entry_id=entry_id).code, key=f"use-{self.uses}", now=self.now, actor=SYSTEM)
            self.vouchers[entry_id] = "used"
            assert is_open
        self.compare_stock()

    @precondition(lambda self: all(purse.holder is None for purse in self.purses))
    @rule(who=whose)
    def move(self, who: int) -> None:
        self.has_moved = True
        member, other = self.members[who], self.members[1 - who]
        self.do_both(
            lambda: move_member(member_id=member.pk, to_customer=other.customer, now=self.now, actor=SYSTEM),
            lambda: self.purses[who].move(self.purses[1 - who]),
        )

    @precondition(lambda self: any(purse.holder for purse in self.purses))
    @rule()
    def move_back(self) -> None:
        who = 0 if self.purses[0].holder else 1
        member, other = self.members[who], self.members[1 - who]
        self.do_both(
            lambda: undo_move(member_id=member.pk, to_member_id=other.pk, now=self.now, actor=SYSTEM), lambda: self.purses[who].come_back()
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
            earn_points(member_id=self.members[self.active(who)].pk, amount=1_000, key=key, now=self.now, actor=SYSTEM)
            raise AssertionError("a key was accepted twice")


@pytest.mark.chaos
def test_the_ledger_does_what_the_model_does(in_saffron: Cast) -> None:
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=40, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        ),
    )
