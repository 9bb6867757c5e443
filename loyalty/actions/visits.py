"""Completed visits earn."""

from collections.abc import Collection
from datetime import datetime

from accounts.audit import SYSTEM, Actor
from crm.models import Visit, VisitState
from loyalty.actions.activity import later_activity, note_activity
from loyalty.actions.batch import Batch
from loyalty.actions.earning import Earned, Occurrence, post_earning
from loyalty.actions.milestones import award_milestones
from loyalty.queries.tiers import tier_before
from loyalty.rules.earning import factor_of, rules_that_hold
from loyalty.rules.terms import Counted, EarnOn


def accrue_visits(*, visit_ids: Collection[int], now: datetime, actor: Actor = SYSTEM) -> list[Earned]:
    """Post what completed visits earn in every active program; what was posted before stays as it is."""
    completed = Visit.objects.filter(pk__in=visit_ids, state=VisitState.COMPLETED).select_related("customer", "location")
    visits = list(completed.order_by("customer_id", "starts_at", "pk"))
    batch = Batch([visit.customer for visit in visits], now=now, actor=actor)
    return [earned for visit in visits for earned in _earn(batch, visit)]


def _earn(batch: Batch, visit: Visit) -> list[Earned]:
    done: list[Earned] = []
    customer, at = visit.customer, visit.starts_at
    for member, version in batch.memberships(customer, at):
        zone = batch.clocks.of(customer)
        batch.lock()
        note_activity(member=member, book=batch.book, at=at, zone=zone, now=batch.now)
        occasion = batch.occasion(version, customer, at, visit.location)
        what = Occurrence(
            member,
            version,
            rules_that_hold(version.terms, occasion, [EarnOn.VISIT]),
            occasion.at,
            zone,
            factor_of(version.terms, occasion, tier=tier_before(member, version, at=at, book=batch.book)),
            activity=later_activity(version, customer.pk, at, batch.now),
        )
        if earned := post_earning(what, key=f"visit:{visit.pk}:earn", now=batch.now, actor=batch.actor):
            done.append(earned)
        done += award_milestones(batch, member, version, Counted.VISITS)
    return done
