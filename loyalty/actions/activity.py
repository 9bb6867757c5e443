"""Purchases and visits move the expiry of points on, where they expire with inactivity (see ``rules.expiry``)."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import Q

from crm.models import Purchase, PurchaseKind, Visit, VisitState
from loyalty.ledger.store import open_wallet
from loyalty.models import LotRemainder, Member
from loyalty.queries.programs import TermsBook, Version
from loyalty.rules.expiry import inactive_at
from loyalty.rules.terms import ExpiryKind


def later_activity(version: Version, customer_id: int, at: datetime, now: datetime) -> list[datetime]:
    """Purchases and visits after a moment that are known already; none where expiry does not look at them."""
    if version.terms.expiry.kind is not ExpiryKind.ACTIVITY or at >= now:
        return []
    return _activity(customer_id, at)


def note_activity(*, member: Member, book: TermsBook, at: datetime, zone: ZoneInfo, now: datetime) -> None:
    """Move the expiry of a member's points on, of those that were there and had not lapsed at that moment."""
    policies = {key: one.terms.expiry for key, one in book.versions.items() if one.program_id == member.program_id}
    moving = {key: policy for key, policy in policies.items() if policy.kind is ExpiryKind.ACTIVITY}
    if not moving:
        return
    open_wallet(member.pk, now=now)
    there = LotRemainder.objects.filter(Q(available__gt=0) | Q(pending__gt=0), member=member, earned_at__lte=at, expires_at__gt=at)
    known = [at, *_activity(member.customer_id, at)]
    for remainder, terms_id in [(lot, lot.lot.entry.terms_id) for lot in there.select_related("lot__entry")]:
        if terms_id in moving:
            lapses_at = inactive_at(moving[terms_id], at, known, zone)
            if lapses_at and remainder.expires_at and lapses_at > remainder.expires_at:
                LotRemainder.objects.filter(pk=remainder.pk).update(expires_at=lapses_at)


def _activity(customer_id: int, after: datetime) -> list[datetime]:
    sales = Purchase.objects.filter(customer_id=customer_id, kind=PurchaseKind.SALE, purchased_at__gt=after)
    visits = Visit.objects.filter(customer_id=customer_id, state=VisitState.COMPLETED, starts_at__gt=after)
    return [*sales.values_list("purchased_at", flat=True), *visits.values_list("starts_at", flat=True)]
