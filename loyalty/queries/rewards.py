"""What members can have, and how often they had it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from loyalty.ledger.families import family_of
from loyalty.ledger.stock import organization_zone
from loyalty.models import Member, Reward, Voucher, VoucherState
from loyalty.queries.wallets import spendable
from loyalty.rules.rewards import Refusal, is_offered, period_start, refusal


@dataclass(frozen=True, slots=True)
class Taken:
    """How often a member took a reward: ever, and in the period of its limit. What was cancelled does not count."""

    ever: int
    in_period: int


@dataclass(frozen=True, slots=True)
class Offered:
    """A reward as a member sees it: ``refusal`` says why they cannot have it, ``missing`` how many points they lack."""

    reward: Reward
    refusal: Refusal | None
    missing: int

    @property
    def can_be_redeemed(self) -> bool:
        return self.refusal is None and not self.missing


def times_taken(member_id: int, rewards: Iterable[Reward], now: datetime) -> dict[int, Taken]:
    """Per reward, how often a member and the memberships that moved to theirs took it; counted only where it has a limit."""
    zone, by_id = organization_zone(), {reward.pk: reward for reward in rewards}
    moments: dict[int, list[datetime]] = {reward_id: [] for reward_id in by_id}
    limited = [one.pk for one in by_id.values() if one.limit_per_member is not None or one.limit_per_period is not None]
    family = family_of([member_id]) if limited else []
    taken = Voucher.objects.filter(member_id__in=family, reward_id__in=limited, points__gt=0).exclude(state=VoucherState.CANCELLED)
    for reward_id, issued_at in taken.order_by().values_list("reward_id", "issued_at"):
        moments[reward_id].append(issued_at)
    return {
        reward_id: Taken(len(found), sum(at >= period_start(by_id[reward_id].limit_period, now, zone) for at in found))
        for reward_id, found in moments.items()
    }


def catalogue_for(member: Member, *, now: datetime) -> list[Offered]:
    """The rewards that points can buy now, cheapest first, each with what stands between it and the member."""
    rewards = [
        reward for reward in Reward.objects.filter(program_id=member.program_id, is_active=True, points__gt=0) if is_offered(reward, now)
    ]
    taken, points = times_taken(member.pk, rewards, now), spendable(member.pk, now)
    return [
        Offered(
            reward,
            refusal(reward, tier=member.tier, taken=taken[reward.pk].ever, taken_in_period=taken[reward.pk].in_period, at=now),
            max(0, reward.points - points),
        )
        for reward in rewards
    ]
