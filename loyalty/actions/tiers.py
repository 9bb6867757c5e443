"""Members' tiers, kept on their rows so that rules and lists can ask for them; the truth is ``queries.tiers.standing_of``."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.audit import SYSTEM, record_audit
from crm.events import NewEvent, record_event
from crm.models import Event
from loyalty.models import Member
from loyalty.queries.programs import TermsBook
from loyalty.queries.tiers import standing_of
from loyalty.rules.terms import TierBasis

BATCH = 500
COUNTING_KINDS: Final = {
    TierBasis.SPEND: frozenset(["purchase.completed", "purchase.refunded"]),
    TierBasis.VISITS: frozenset(["visit.completed"]),
    TierBasis.POINTS: frozenset(["points.earned", "points.clawed_back", "points.cancelled", "points.given_back"]),
}


@transaction.atomic
def update_tier(*, member_id: int, now: datetime, book: TermsBook) -> bool:
    """Bring a member's row up to where they stand; returns whether their tier is another one than before."""
    member = Member.objects.select_for_update().get(pk=member_id)
    standing = standing_of(member, at=now, book=book)
    level = standing.level if standing else None
    before, after = member.tier, level.key if level else ""
    since, until = (standing.since, standing.until) if standing else (None, None)
    version = book.in_force(member.program_id, now)
    number = version.number if version else None
    if (member.tier, member.tier_since, member.tier_until, member.tier_version) == (after, since, until, number):
        return False
    member.tier, member.tier_since, member.tier_until, member.tier_version = after, since, until, number
    member.save(update_fields=["tier", "tier_since", "tier_until", "tier_version"])
    if before == after:
        return False
    record_audit(action="member.tier_changed", subject=member, actor=SYSTEM, before={"tier": before}, after={"tier": after})
    name = book.tier_name(member.program_id, after, now)
    properties = {"program": member.program_id, "member": member.pk, "before": before, "after": after, "name": name}
    record_event(NewEvent("tier.changed", now, member.customer_id, "loyalty", properties))
    return True


def follow_tiers(events: Sequence[Event]) -> None:
    """Look again at the tiers of those for whom something in a batch of events counts (a reaction)."""
    book, now = TermsBook(), timezone.now()
    happened: dict[int, list[Event]] = defaultdict(list)
    for event in events:
        happened[event.customer_id or 0].append(event)
    members = Member.objects.filter(customer_id__in=happened)
    counting = [member.holder for member in members if _counts(member, happened[member.customer_id], book, now)]
    _update({member for member in counting if member.is_active}, book, now)


def _counts(member: Member, events: Iterable[Event], book: TermsBook, now: datetime) -> bool:
    version = book.in_force(member.program_id, now)
    if version is None or version.terms.tiers is None:
        return False
    basis = version.terms.tiers.basis
    # Points are earned for purchases before they joined as well, and then they count.
    since = None if basis is TierBasis.POINTS else book.counts_from(version) or member.joined_at
    return any(event.kind in COUNTING_KINDS[basis] and (since is None or event.occurred_at >= since) for event in events)


def sweep_tiers(*, now: datetime) -> int:
    """Let those fall whose time has come, then look again at those who stand by former terms.

    Returns:
        How many were looked at; less than ``BATCH`` when nobody is left.
    """
    book, active = TermsBook(), Member.objects.filter(is_active=True)
    due = list(active.filter(tier_until__lte=now).order_by("tier_until")[:BATCH])
    outdated = list(active.filter(_outdated(book, now)).exclude(pk__in=[member.pk for member in due]).order_by("pk")[: BATCH - len(due)])
    return _update([*due, *outdated], book, now)


def _outdated(book: TermsBook, now: datetime) -> Q:
    """Members whose tier was worked out under another version than the one in force; where that has no tiers, those with a tier."""
    found = Q(pk__in=[])
    for program_id in book.programs:
        if version := book.in_force(program_id, now):
            found |= Q(program_id=program_id) & ~Q(tier_version=version.number) & (Q() if version.terms.tiers else ~Q(tier=""))
    return found


def _update(members: Iterable[Member], book: TermsBook, now: datetime) -> int:
    ids = sorted(member.pk for member in members)
    for member_id in ids:
        update_tier(member_id=member_id, now=now, book=book)
    return len(ids)
