"""Points redeemed per second, from whichever lots are next, each redemption in a commit of its own."""

from datetime import timedelta

from django.utils import timezone

from accounts.audit import SYSTEM
from benchmarks.loyalty_load import compare
from benchmarks.result import Result
from loyalty.actions.points import earn_points, redeem_points


def run(size: str) -> Result:
    """Any client redeems for any member; every one has two lots, the smaller one expiring first."""
    return compare("loyalty_redeem", size, _redeem, prepare=_earn)


def _earn(member_id: int, key: str) -> None:
    now = timezone.now()
    earn_points(member_id=member_id, amount=1_000_000, key=f"{key} a", now=now, actor=SYSTEM)
    earn_points(member_id=member_id, amount=30, key=f"{key} b", now=now, actor=SYSTEM, expires_at=now + timedelta(days=365))


def _redeem(member_id: int, key: str) -> None:
    redeem_points(member_id=member_id, amount=10, key=key, now=timezone.now(), actor=SYSTEM)
