"""Who may have a reward when, and how long a voucher holds."""

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from loyalty.rules.earning import cap_window
from loyalty.rules.months import end_of_day
from loyalty.rules.terms import CapPer

LONGEST: Final = 36_600  # days a voucher holds: a century


class Refusal(StrEnum):
    """Why a member cannot have a reward now."""

    NOT_OFFERED = "not_offered"
    NOT_FOR_POINTS = "not_for_points"
    TIER = "tier"
    MEMBER_LIMIT = "member_limit"
    PERIOD_LIMIT = "period_limit"
    SOLD_OUT = "sold_out"


class Offer(Protocol):
    """What of a reward decides who may have it."""

    @property
    def points(self) -> int: ...
    @property
    def is_active(self) -> bool: ...
    @property
    def valid_from(self) -> datetime | None: ...
    @property
    def valid_until(self) -> datetime | None: ...
    @property
    def tiers(self) -> Collection[str]: ...
    @property
    def limit_per_member(self) -> int | None: ...
    @property
    def limit_per_period(self) -> int | None: ...
    @property
    def stock(self) -> int | None: ...
    @property
    def sold(self) -> int: ...


def is_offered(offer: Offer, at: datetime) -> bool:
    """Whether the reward is in the catalogue at a moment; ``valid_until`` is the first one at which it is not."""
    return offer.is_active and (not offer.valid_from or offer.valid_from <= at) and (not offer.valid_until or at < offer.valid_until)


def refusal(offer: Offer, *, tier: str, taken: int, taken_in_period: int, at: datetime) -> Refusal | None:
    """Why a member of a tier who took the reward so often cannot have it at a moment; ``None``: they can."""
    if not is_offered(offer, at):
        return Refusal.NOT_OFFERED
    if not offer.points:
        return Refusal.NOT_FOR_POINTS
    if offer.tiers and tier not in offer.tiers:
        return Refusal.TIER
    if offer.limit_per_member is not None and taken >= offer.limit_per_member:
        return Refusal.MEMBER_LIMIT
    if offer.limit_per_period is not None and taken_in_period >= offer.limit_per_period:
        return Refusal.PERIOD_LIMIT
    if offer.stock is not None and offer.sold >= offer.stock:
        return Refusal.SOLD_OUT
    return None


def period_of(period: str, at: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The local day, month or year that a moment lies in, from its first moment to the one after it."""
    window = cap_window(CapPer(period), at.astimezone(zone))
    assert window is not None, period
    return window


def voucher_end(issued_at: datetime, days: int | None, zone: ZoneInfo) -> datetime | None:
    """The moment from which on a voucher is worth nothing: the end of the last of its local days."""
    if days is None:
        return None
    # Rewards written before there was a longest time hold as long as that.
    return end_of_day(issued_at.astimezone(zone).date() + timedelta(days=min(days, LONGEST)), zone)
