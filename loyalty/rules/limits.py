"""How many points a role may give or take at the counter, and how many stamps; undoing counts as what it undoes."""

from dataclasses import dataclass
from typing import Final

from accounts.models import Role


@dataclass(frozen=True, slots=True)
class Limit:
    """The most points or stamps of one action, and of one person's day in one program."""

    per_action: int
    per_day: int


# The owner has no limit; a role that is not here gives and takes nothing.
LIMITS: Final[dict[Role, Limit | None]] = {
    Role.OWNER: None,
    Role.MANAGER: Limit(per_action=10_000, per_day=50_000),
    Role.FRONT_DESK: Limit(per_action=500, per_day=2_000),
}
STAMP_LIMITS: Final[dict[Role, Limit | None]] = {
    Role.OWNER: None,
    Role.MANAGER: Limit(per_action=20, per_day=1_000),
    Role.FRONT_DESK: Limit(per_action=10, per_day=200),
}
NOTHING: Final = Limit(0, 0)


def limit_of(role: Role | None) -> Limit | None:
    """The role's limit of points; ``None`` where there is none."""
    return LIMITS.get(role, NOTHING) if role else NOTHING


def stamp_limit_of(role: Role | None) -> Limit | None:
    """The role's limit of stamps; ``None`` where there is none."""
    return STAMP_LIMITS.get(role, NOTHING) if role else NOTHING


def most_now(limit: Limit | None, *, used_today: int) -> int | None:
    """The most that one more action may be about; ``None`` where there is no limit."""
    return None if limit is None else max(0, min(limit.per_action, limit.per_day - used_today))
