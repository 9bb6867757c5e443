"""Points earned per second: wallet, entry, postings, lot and event in one commit each."""

from django.utils import timezone

from accounts.audit import SYSTEM
from benchmarks.loyalty_load import compare
from benchmarks.result import Result
from loyalty.actions.points import earn_points


def run(size: str) -> Result:
    """Any client gives any member points; everybody has some already."""
    return compare("loyalty_post", size, _earn, prepare=_earn)


def _earn(member_id: int, key: str) -> None:
    earn_points(member_id=member_id, amount=10, key=key, now=timezone.now(), actor=SYSTEM)
