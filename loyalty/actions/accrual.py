"""Purchases earn and refunds take back: for one in its own request or for many at once; doing it again changes nothing."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from accounts.audit import SYSTEM, Actor
from crm.models import CustomerFacts, Purchase, PurchaseKind
from loyalty.actions.activity import later_activity, note_activity
from loyalty.actions.batch import Batch
from loyalty.actions.clawbacks import ClawedBack, claw_back_refunds
from loyalty.actions.earning import Earned, Occurrence, post_earning
from loyalty.actions.milestones import award_milestones
from loyalty.models import Entry
from loyalty.queries.receipts import lines_of, with_refunds
from loyalty.queries.tiers import tier_before
from loyalty.rules.earning import ON_PURCHASE, factor_of, rules_that_hold
from loyalty.rules.terms import Counted


def accrue_purchases(*, purchase_ids: Collection[int], now: datetime, actor: Actor = SYSTEM) -> list[Earned | ClawedBack]:
    """Post what receipts earn in every active program, and what refunds take back; what was posted before stays as it is."""
    named = Purchase.objects.filter(pk__in=purchase_ids, customer__isnull=False).prefetch_related("customer", "location")
    return accrue_receipts(list(named.order_by("customer_id", "purchased_at", "pk")), now=now, actor=actor)


def accrue_receipts(purchases: Sequence[Purchase], *, now: datetime, actor: Actor) -> list[Earned | ClawedBack]:
    """The same for receipts that have been read, or just made: by customer, and in the order they were made."""
    batch = Batch([one.customer for one in purchases if one.customer], now=now, actor=actor)
    if not purchases or not batch.book.versions:
        return []
    done: list[Earned | ClawedBack] = [*_earn(batch, [one for one in purchases if one.kind == PurchaseKind.SALE])]
    # Almost nobody gives anything back: the count of refunds saves looking for them.
    refunded = CustomerFacts.objects.filter(customer_id__in=batch.customer_ids, refund_count__gt=0)
    returning = set(refunded.values_list("customer_id", flat=True))
    sales = {one.refund_of_id or one.pk for one in purchases if one.customer_id in returning}
    if returning and (concerned := with_refunds(returning, sales)):
        batch.lock()
        done += claw_back_refunds(batch, concerned, sales)
    return done


def _earn(batch: Batch, sales: Sequence[Purchase]) -> Iterable[Earned]:
    known = set(Entry.objects.filter(key__in=[_key(sale) for sale in sales]).values_list("program_id", "key")) if len(sales) > 1 else set()
    lines = lines_of([sale.pk for sale in sales])
    for sale in sales:
        customer = sale.customer
        assert customer is not None
        for member, version in batch.memberships(customer, sale.purchased_at):
            zone = batch.clocks.of(customer)
            if (member.program_id, _key(sale)) in known:
                continue
            batch.lock()
            note_activity(member=member, book=batch.book, at=sale.purchased_at, zone=zone, now=batch.now)
            occasion = batch.occasion(version, customer, sale.purchased_at, sale.location)
            what = Occurrence(
                member,
                version,
                rules_that_hold(version.terms, occasion, ON_PURCHASE),
                occasion.at,
                zone,
                factor_of(version.terms, occasion, tier=tier_before(member, version, at=sale.purchased_at, book=batch.book)),
                lines.get(sale.pk, ()),
                later_activity(version, customer.pk, sale.purchased_at, batch.now),
                sale.pk,
            )
            if earned := post_earning(what, key=_key(sale), now=batch.now, actor=batch.actor):
                yield earned
            yield from award_milestones(batch, member, version, Counted.PURCHASES)


def _key(sale: Purchase) -> str:
    return f"purchase:{sale.pk}:earn"
