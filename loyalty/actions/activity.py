"""Purchases and visits move the expiry of points on, where they expire with inactivity (see ``rules.expiry``)."""

from datetime import datetime
from zoneinfo import ZoneInfo

from crm.models import Purchase, PurchaseKind, Visit, VisitState
from loyalty.ledger.prolonging import prolong_lots
from loyalty.models import Member
from loyalty.queries.programs import TermsBook, Version
from loyalty.rules.expiry import inactive_at
from loyalty.rules.terms import ExpiryKind


def later_activity(version: Version, customer_id: int, at: datetime, now: datetime) -> list[datetime]:
    """Purchases and visits after a moment that are known already; none where expiry does not look at them."""
    if version.terms.expiry.kind is not ExpiryKind.ACTIVITY or at >= now:
        return []
    return _activity(customer_id, at)


def note_activity(*, member: Member, book: TermsBook, at: datetime, zone: ZoneInfo, now: datetime) -> None:
    """Let a member's points live on that were there at that moment and have not lapsed."""
    policies = {key: one.terms.expiry for key, one in book.versions.items() if one.program_id == member.program_id}
    moving = {key: policy for key, policy in policies.items() if policy.kind is ExpiryKind.ACTIVITY}
    if moving:
        known = [at, *_activity(member.customer_id, at)]
        until = {key: inactive_at(policy, at, known, zone) for key, policy in moving.items()}
        prolong_lots(member_id=member.pk, at=at, until={key: moment for key, moment in until.items() if moment}, now=now)


def _activity(customer_id: int, after: datetime) -> list[datetime]:
    sales = Purchase.objects.filter(customer_id=customer_id, kind=PurchaseKind.SALE, purchased_at__gt=after)
    visits = Visit.objects.filter(customer_id=customer_id, state=VisitState.COMPLETED, starts_at__gt=after)
    return [*sales.values_list("purchased_at", flat=True), *visits.values_list("starts_at", flat=True)]
