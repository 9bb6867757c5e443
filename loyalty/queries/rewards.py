"""What members can have, and how often they had it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models.functions import Coalesce

from loyalty.ledger.families import family_of
from loyalty.ledger.stock import organization_zone
from loyalty.models import Member, Reward, Voucher, VoucherState
from loyalty.queries.programs import TermsBook
from loyalty.queries.tiers import tier_at
from loyalty.queries.wallets import spendable
from loyalty.rules.rewards import Refusal, is_offered, period_of, refusal


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


def times_taken(member_id: int, rewards: Iterable[Reward], at: datetime) -> dict[int, Taken]:
    """Per reward, how often a member and the memberships that moved to theirs took it; counted only where it has a limit.

    Args:
        at: in the period that is meant; a till that was alone took what it did when it says so.
    """
    zone, by_id = organization_zone(), {reward.pk: reward for reward in rewards}
    moments: dict[int, list[datetime]] = {reward_id: [] for reward_id in by_id}
    limited = [one.pk for one in by_id.values() if one.limit_per_member is not None or one.limit_per_period is not None]
    family = family_of([member_id]) if limited else []
    taken = Voucher.objects.filter(member_id__in=family, reward_id__in=limited, points__gt=0).exclude(state=VoucherState.CANCELLED)
    for reward_id, taken_at in taken.order_by().values_list("reward_id", Coalesce("entry__occurred_at", "issued_at")):
        moments[reward_id].append(taken_at)
    periods = {reward_id: period_of(by_id[reward_id].limit_period, at, zone) for reward_id in moments}
    return {
        reward_id: Taken(len(found), sum(periods[reward_id][0] <= one < periods[reward_id][1] for one in found))
        for reward_id, found in moments.items()
    }


def catalogue_for(member: Member, *, now: datetime) -> list[Offered]:
    """The rewards that points can buy now, cheapest first, each with what stands between it and the member."""
    rewards = [
        reward for reward in Reward.objects.filter(program_id=member.program_id, is_active=True, points__gt=0) if is_offered(reward, now)
    ]
    taken, points = times_taken(member.pk, rewards, now), spendable(member.pk, now)
    tier = tier_at(member, at=now, book=TermsBook()) if any(reward.tiers for reward in rewards) else ""
    return [
        Offered(
            reward,
            refusal(reward, tier=tier, taken=taken[reward.pk].ever, taken_in_period=taken[reward.pk].in_period, at=now),
            max(0, reward.points - points),
        )
        for reward in rewards
    ]
