"""Rewards for points: redeemed at once, or reserved at the till and captured or released with their hold; undone.

A reserved reward follows its hold: ``capture_hold`` issues the voucher, ``release_hold`` and lapsing give the piece back.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from accounts.audit import Actor
from loyalty.actions.points import undo_redemption
from loyalty.ledger.lapsed import believed, spent_as_of
from loyalty.ledger.posting import Receipt, post_once
from loyalty.ledger.stock import Piece, RewardRefusedError, find_piece, take_piece, tell_redeemed
from loyalty.ledger.store import NewEntry, OpenWallet, spendable_lots
from loyalty.models import EntryKind, Member, ProgramState, Reward, Voucher
from loyalty.queries.programs import TermsBook
from loyalty.queries.rewards import times_taken
from loyalty.queries.tiers import tier_at
from loyalty.rules import postings
from loyalty.rules.rewards import Refusal, refusal


@dataclass(frozen=True, slots=True)
class Redemption:
    """The ledger's receipt and the voucher that was reserved or issued; a repeated request gives the same voucher."""

    receipt: Receipt
    voucher: Voucher


def redeem_reward(
    *, member_id: int, reward_id: int, key: str, now: datetime, actor: Actor, reason: str = "", occurred_at: datetime | None = None
) -> Redemption:
    """Spend points on a reward: points and stock move together, and a voucher is issued.

    Args:
        occurred_at: when it was done; what was offered or has lapsed since is as it was then (see ``ledger.lapsed``).

    Raises:
        RewardRefusedError: with the reason why this member cannot have it now.
        InsufficientPointsError: it costs more than can be spent.
        KeyReusedError, UnknownMemberError: see ``ledger.posting``.
    """

    def entry(wallet: OpenWallet) -> NewEntry:
        piece, member = _find(wallet, reward_id, believed(occurred_at, wallet.now))
        legs = spent_as_of(wallet, piece.reward.points, occurred_at)

        def issue(entry_id: int) -> None:
            tell_redeemed(take_piece(piece, member, at=wallet.now, entry_id=entry_id), at=wallet.now, actor=actor)

        bought = _entry(EntryKind.REDEEM, piece.reward, occurred_at or wallet.now, actor, reason)
        return replace(bought, legs=legs, then=issue)

    receipt = post_once(member_id=member_id, key=key, body={"kind": "reward", "reward": reward_id}, now=now, build=entry)
    return Redemption(receipt, Voucher.objects.select_related("reward", "member").get(entry_id=receipt.entry_id))


def reserve_reward(
    *, member_id: int, reward_id: int, lapses_at: datetime, key: str, now: datetime, actor: Actor, reason: str = ""
) -> Redemption:
    """Hold the points of a reward and a piece of it until ``lapses_at``; the voucher's ``hold_id`` is what to capture or release.

    Raises:
        RewardRefusedError, InsufficientPointsError, KeyReusedError, UnknownMemberError: as for ``redeem_reward``.
    """

    def entry(wallet: OpenWallet) -> NewEntry:
        piece, member = _find(wallet, reward_id, wallet.now)
        parts = postings.take(spendable_lots(member_id, piece.reward.points), piece.reward.points)

        def reserve(hold_id: int) -> None:
            take_piece(piece, member, at=wallet.now, hold_id=hold_id)

        held = _entry(EntryKind.HOLD, piece.reward, wallet.now, actor, reason)
        return replace(held, legs=postings.hold(parts), lapses_at=lapses_at, then=reserve)

    receipt = post_once(member_id=member_id, key=key, body={"kind": "reserve_reward", "reward": reward_id}, now=now, build=entry)
    return Redemption(receipt, Voucher.objects.select_related("reward", "member").get(hold_id=receipt.entry_id))


def undo_reward(*, voucher: Voucher, key: str, now: datetime, actor: Actor, reason: str = "") -> Receipt:
    """Take a bought reward back: the points return, the piece can be had again, the voucher is cancelled.

    Raises:
        VoucherNotOpenError: it was used, or has expired.
        NotUndoableError: it was not bought with points, or undone before.
        KeyReusedError: see ``ledger.posting``.
    """
    return undo_redemption(member_id=voucher.member_id, entry_id=voucher.entry_id or 0, key=key, now=now, actor=actor, reason=reason)


def _entry(kind: EntryKind, reward: Reward, at: datetime, actor: Actor, reason: str) -> NewEntry:
    details = {"reward": reward.pk, "cash_minor": reward.cash_minor}
    return NewEntry(kind, reward.points, (), at, actor, reason=reason, details=details)


def _find(wallet: OpenWallet, reward_id: int, at: datetime) -> tuple[Piece, Member]:
    """A piece of the reward, if it was offered at a moment and the member may have it. The wallet's lock is what makes counting what they took exact."""
    member = Member.objects.select_related("program").get(pk=wallet.member_id)
    reward = Reward.objects.filter(pk=reward_id, program_id=wallet.program_id).first()
    if reward is None or not member.is_active or member.program.state != ProgramState.ACTIVE:
        raise RewardRefusedError(Refusal.NOT_OFFERED)
    taken = times_taken(member.pk, [reward], at)[reward.pk]
    tier = tier_at(member, at=at, book=TermsBook()) if reward.tiers else ""
    reason = refusal(reward, tier=tier, taken=taken.ever, taken_in_period=taken.in_period, at=at)
    # Whether a piece is left is seen when it is looked for.
    if reason not in (None, Refusal.SOLD_OUT):
        raise RewardRefusedError(reason)
    return find_piece(reward, at=wallet.now), member
