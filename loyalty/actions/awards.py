"""Points for what is neither bought nor visited: joining, birthdays, reviews, referrals, events, milestones.

Every award is identified by its key, so whoever asks twice gives once.
"""

from datetime import datetime

from accounts.audit import Actor
from loyalty.actions.earning import Earned, Occurrence, post_earning
from loyalty.models import Member, ProgramState
from loyalty.queries.clocks import Clocks
from loyalty.queries.conditions import Conditions
from loyalty.queries.programs import TermsBook
from loyalty.rules.earning import Occasion, rules_that_hold
from loyalty.rules.terms import EarnOn


def award_points(
    *,
    member: Member,
    on: EarnOn,
    key: str,
    at: datetime,
    now: datetime,
    actor: Actor,
    book: TermsBook | None = None,
    rule: str = "",
    location_id: int | None = None,
) -> Earned | None:
    """Give a member what the program's rules of one kind are worth; ``None`` when that is nothing or was given before.

    Args:
        key: what the points are for, unique within the program.
        at: when it happened; the terms in force then decide.
        rule: the key of the one rule that is meant; all of the kind without it.
    """
    book = book or TermsBook()
    version = book.in_force(member.program_id, at)
    if (
        version is None
        or book.programs[member.program_id].state != ProgramState.ACTIVE
        or not member.is_active
        or not version.terms.rules_on(on)
    ):
        return None
    zone = Clocks().of(member.customer)
    holding = Conditions([member.customer_id], now).holding(version, member.customer_id)
    occasion = Occasion(at.astimezone(zone), location_id, holding)
    rules = [one for one in rules_that_hold(version.terms, occasion, [on]) if rule in ("", one.key)]
    return post_earning(Occurrence(member, version, rules, occasion.at, zone), key=key, now=now, actor=actor)


def award_sign_up(member: Member, *, book: TermsBook, now: datetime, actor: Actor) -> Earned | None:
    """Points for joining."""
    return award_points(member=member, on=EarnOn.SIGN_UP, key=f"sign_up:{member.pk}", at=member.joined_at, now=now, actor=actor, book=book)
