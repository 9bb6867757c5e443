"""Members' tiers, kept on their rows so that rules and lists can ask for them; the truth is ``queries.tiers.standing_of``."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from accounts.audit import SYSTEM, record_audit
from crm.events import NewEvent, record_event
from crm.models import Event
from loyalty.models import Member
from loyalty.queries.programs import TermsBook
from loyalty.queries.tiers import standing_of

BATCH = 500


@transaction.atomic
def update_tier(*, member_id: int, now: datetime, book: TermsBook) -> bool:
    """Bring a member's row up to where they stand; returns whether their tier is another one than before."""
    member = Member.objects.select_for_update().get(pk=member_id)
    standing = standing_of(member, at=now, book=book)
    level = standing.level if standing else None
    before, after = member.tier, level.key if level else ""
    since, until = (standing.since, standing.until) if standing else (None, None)
    if (member.tier, member.tier_since, member.tier_until) == (after, since, until):
        return False
    member.tier, member.tier_since, member.tier_until = after, since, until
    member.save(update_fields=["tier", "tier_since", "tier_until"])
    if before == after:
        return False
    record_audit(action="member.tier_changed", subject=member, actor=SYSTEM, before={"tier": before}, after={"tier": after})
    properties = {"program": member.program_id, "member": member.pk, "before": before, "after": after}
    record_event(NewEvent("tier.changed", now, member.customer_id, "loyalty", properties))
    return True


def follow_tiers(events: Sequence[Event]) -> None:
    """Look at the tiers of everybody in a batch of events again (a reaction)."""
    _update(Member.objects.filter(customer_id__in={event.customer_id for event in events}, is_active=True), timezone.now())


def sweep_tiers(*, now: datetime) -> int:
    """Let those fall whose time has come, at most a batch at once; returns how many were looked at."""
    return _update(Member.objects.filter(tier_until__lte=now, is_active=True).order_by("tier_until")[:BATCH], now)


def _update(members: Iterable[Member], now: datetime) -> int:
    ids, book = sorted(member.pk for member in members), TermsBook()
    for member_id in ids:
        update_tier(member_id=member_id, now=now, book=book)
    return len(ids)
