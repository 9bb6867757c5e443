"""Pieces of rewards: found before an entry is posted, taken or returned with it.

The pieces of a program are counted by one transaction at a time. Settling a wallet may return pieces of several rewards
before another is taken, and locks on rewards taken in so many orders would wait for each other in circles.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import F

from accounts.audit import Actor, record_audit
from accounts.queries import current_organization
from crm.events import NewEvent, record_event
from loyalty.codes import new_code
from loyalty.models import Member, Program, Reward, Voucher, VoucherState
from loyalty.rules.rewards import Refusal, voucher_end

CODE_LENGTH = 14


class RewardRefusedError(ValueError):
    """The member cannot have the reward now."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece that nobody else can take before the transaction ends; ``lapsed`` is the reservation it is taken over from."""

    reward: Reward
    lapsed: int | None = None


def find_piece(reward: Reward, *, at: datetime) -> Piece:
    """A piece of a reward that is left, or one whose reservation has lapsed without anybody having noticed.

    Raises:
        RewardRefusedError: all of them are sold.
    """
    _lock_stock(reward)
    reward.refresh_from_db(fields=["stock", "sold"])
    if reward.stock is None or reward.sold < reward.stock:
        return Piece(reward)
    # A reservation that is locked is being resolved by its owner.
    reserved = Voucher.objects.select_for_update(skip_locked=True, of=("self",)).filter(reward=reward, state=VoucherState.RESERVED)
    lapsed = reserved.filter(hold__lapses_at__lte=at).values_list("pk", flat=True).first()
    if lapsed is None:
        raise RewardRefusedError(Refusal.SOLD_OUT)
    return Piece(reward, lapsed)


def take_piece(
    piece: Piece, member: Member, *, at: datetime, entry_id: int | None = None, hold_id: int | None = None, is_gift: bool = False
) -> Voucher:
    """Count the piece as sold, with a voucher that is reserved by a hold, or bought by an entry, or given.

    The voucher's code has 68 random bits.
    """
    reward = piece.reward
    if piece.lapsed is None:
        Reward.objects.filter(pk=reward.pk).update(sold=F("sold") + 1)
    else:
        Voucher.objects.filter(pk=piece.lapsed).update(state=VoucherState.CANCELLED)
    return Voucher.objects.create(
        reward=reward,
        member=member,
        code=new_code(CODE_LENGTH),
        state=VoucherState.RESERVED if hold_id else VoucherState.ISSUED,
        points=0 if is_gift else reward.points,
        cash_minor=0 if is_gift else reward.cash_minor,
        entry_id=entry_id,
        hold_id=hold_id,
        issued_at=at,
        expires_at=None if hold_id else voucher_end(at, reward.voucher_days, organization_zone()),
    )


def return_piece(voucher: Voucher) -> None:
    """Cancel a voucher that is locked, so that its piece can be had again."""
    _lock_stock(voucher.reward)
    Voucher.objects.filter(pk=voucher.pk).update(state=VoucherState.CANCELLED)
    Reward.objects.filter(pk=voucher.reward_id).update(sold=F("sold") - 1)


def tell_redeemed(voucher: Voucher, *, at: datetime, actor: Actor) -> None:
    """Audit and event of a reward that a member has got."""
    after = {"reward": voucher.reward_id, "member": voucher.member_id, "points": voucher.points, "cash_minor": voucher.cash_minor}
    record_audit(action="reward.redeemed", subject=voucher, actor=actor, after=after)
    tell("reward.redeemed", voucher, at)


def tell_cancelled(voucher: Voucher, *, at: datetime, actor: Actor, reason: str = "") -> None:
    """Audit and event of a voucher that was taken back."""
    record_audit(action="voucher.cancelled", subject=voucher, actor=actor, before={"state": voucher.state}, after={"reason": reason})
    tell("voucher.cancelled", voucher, at)


def tell(kind: str, voucher: Voucher, at: datetime) -> None:
    """Write an event about a voucher, on the timeline of whoever holds it now."""
    member = voucher.member.holder
    properties = {
        "program": member.program_id,
        "member": member.pk,
        "reward": voucher.reward_id,
        "name": voucher.reward.name,
        "voucher": voucher.pk,
        "points": voucher.points,
        "cash_minor": voucher.cash_minor,
        "location": voucher.used_location_id,
    }
    record_event(NewEvent(kind, at, member.customer_id, "loyalty", properties))


def organization_zone() -> ZoneInfo:
    """The time zone in which the organization's days end."""
    return ZoneInfo(current_organization().time_zone)


def _lock_stock(reward: Reward) -> None:
    Program.objects.select_for_update(no_key=True).only("pk").get(pk=reward.program_id)
