"""Points for each so-manieth visit or purchase."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import F, Sum, Value
from django.db.models.functions import Coalesce

from crm.models import Purchase, PurchaseKind, Visit, VisitState
from loyalty.actions.awards import award_points
from loyalty.actions.batch import Batch
from loyalty.actions.earning import Earned
from loyalty.models import Entry, Member
from loyalty.queries.programs import Version
from loyalty.rules.earning import milestones
from loyalty.rules.terms import Counted, EarnOn, EarnRule


def award_milestones(batch: Batch, member: Member, version: Version, of: Counted) -> Iterator[Earned]:
    """Award the milestones a member has reached and not been awarded for.

    Counted from joining, or in programs that take people in by themselves from the program's first terms on. Sales that
    were given back whole do not count; what was awarded stays.
    """
    rules = [rule for rule in version.terms.rules_on(EarnOn.MILESTONE) if rule.milestone and rule.milestone.of is of]
    if not rules:
        return
    moments = _moments(member.customer_id, of, batch.book.counts_from(version) or member.joined_at)
    for rule in rules:
        yield from _award(batch, member, rule, moments)


def _award(batch: Batch, member: Member, rule: EarnRule, moments: list[datetime]) -> Iterator[Earned]:
    assert rule.milestone is not None
    keys = {f"milestone:{member.pk}:{rule.key}:{number}": number for number in milestones(len(moments), rule.milestone.count)}
    known = set(Entry.objects.filter(program_id=member.program_id, key__in=keys).values_list("key", flat=True)) if keys else set()
    for key, number in keys.items():
        if key in known:
            continue
        earned = award_points(
            member=member,
            on=EarnOn.MILESTONE,
            key=key,
            at=moments[number - 1],
            now=batch.now,
            actor=batch.actor,
            book=batch.book,
            rule=rule.key,
        )
        if earned:
            yield earned


def _moments(customer_id: int, of: Counted, since: datetime) -> list[datetime]:
    if of is Counted.VISITS:
        visits = Visit.objects.filter(customer_id=customer_id, state=VisitState.COMPLETED, starts_at__gte=since)
        return list(visits.order_by("starts_at", "pk").values_list("starts_at", flat=True))
    sales = Purchase.objects.filter(customer_id=customer_id, kind=PurchaseKind.SALE, purchased_at__gte=since)
    kept = sales.annotate(back=Coalesce(Sum("refunds__total_minor"), Value(0))).filter(total_minor__gt=-F("back"))
    return list(kept.order_by("purchased_at", "pk").values_list("purchased_at", flat=True))
