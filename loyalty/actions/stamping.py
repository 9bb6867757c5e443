"""What purchases and visits stamp: a reaction to the event log, which may see everything again."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from django.utils import timezone

from accounts.audit import SYSTEM
from crm.models import Customer, Event, Purchase, PurchaseKind, Visit, VisitState
from loyalty.actions.batch import Batch
from loyalty.actions.stamps import StampCount, set_stamps
from loyalty.ledger.families import family_of
from loyalty.models import Member, Stamp, StampCard, StampedFor
from loyalty.queries.receipts import receipts_that_decide
from loyalty.rules.receipts import Line, remaining_lines
from loyalty.rules.stamps import is_stamped, stamps_for_sale

PURCHASES = frozenset(["purchase.completed", "purchase.refunded"])
VISITS = frozenset(["visit.completed"])


def follow_stamps(events: Sequence[Event]) -> None:
    """Stamp for a batch of purchases, refunds and visits; those seen before change nothing."""
    now = timezone.now()
    stamp_sales([event.properties["purchase"] for event in events if event.kind in PURCHASES and event.customer_id], now=now)
    stamp_visits([event.properties["visit"] for event in events if event.kind in VISITS], now=now)


def stamp_sales(purchase_ids: Collection[int], *, now: datetime) -> int:
    """Stamp for sales by what is left of them.

    A refund that names no sale is looked for in all its customer's sales: those of which nothing was told lose stamps, or
    get them back, but are not stamped anew, as they may be older than the card.
    """
    cards = list(StampCard.objects.exclude(stamped_for=StampedFor.VISIT))
    told = list(Purchase.objects.filter(pk__in=purchase_ids, customer__isnull=False)) if cards else []
    if not told:
        return 0
    sale_ids = {one.refund_of_id or one.pk for one in told}
    new = {one.pk for one in told if one.kind == PurchaseKind.SALE}
    left: dict[int, tuple[Line, ...]] = {}
    whole: dict[int, tuple[Line, ...]] = {}
    for receipts in receipts_that_decide({one.customer_id or 0 for one in told}, sale_ids).values():
        left |= remaining_lines(receipts)
        whole |= {one.id: one.lines for one in receipts if one.id in new}
    sales = Purchase.objects.filter(pk__in=left, kind=PurchaseKind.SALE, customer__isnull=False).select_related("customer")
    found = list(sales.order_by("purchased_at", "pk"))
    batch = Batch([sale.customer for sale in found if sale.customer], now=now, actor=SYSTEM)
    counts = [
        StampCount(
            member_id,
            card,
            _key(sale),
            stamps_for_sale(card, left[sale.pk]),
            sale.purchased_at,
            is_due=stamps_for_sale(card, whole.get(sale.pk, ())) > 0,
        )
        for sale in found
        if sale.customer
        for member_id, card in _cards(batch, sale.customer, sale.purchased_at, cards)
    ]
    return set_stamps([*counts, *_stamped_before(found, left, counts)], now=now)


def _stamped_before(sales: Sequence[Purchase], left: Mapping[int, tuple[Line, ...]], counts: Sequence[StampCount]) -> list[StampCount]:
    """What is left of stamps that sales got on cards which take none now: of closed programs, of members who left, or past their time."""
    looked_at, by_key = {(one.card.pk, one.key) for one in counts}, {_key(sale): sale for sale in sales}
    members = Member.objects.filter(customer_id__in={sale.customer_id for sale in sales}).values_list("pk", flat=True)
    stamps = Stamp.objects.filter(member_card__member__in=family_of(members), key__in=by_key).select_related("member_card__card")
    return [
        StampCount(theirs.member_id, theirs.card, stamp.key, stamps_for_sale(theirs.card, left[sale.pk]), sale.purchased_at, is_due=False)
        for stamp in stamps
        for theirs, sale in [(stamp.member_card, by_key[stamp.key])]
        if (theirs.card_id, stamp.key) not in looked_at
    ]


def _key(sale: Purchase) -> str:
    return f"purchase:{sale.pk}"


def stamp_visits(visit_ids: Collection[int], *, now: datetime) -> int:
    """Stamp for visits that ended."""
    cards = list(StampCard.objects.filter(stamped_for=StampedFor.VISIT))
    ended = Visit.objects.filter(pk__in=visit_ids, state=VisitState.COMPLETED).select_related("customer")
    visits = list(ended.order_by("starts_at", "pk")) if cards else []
    batch = Batch([visit.customer for visit in visits], now=now, actor=SYSTEM)
    counts = [
        StampCount(member_id, card, f"visit:{visit.pk}", 1, visit.starts_at)
        for visit in visits
        for member_id, card in _cards(batch, visit.customer, visit.starts_at, cards)
    ]
    return set_stamps(counts, now=now)


def _cards(batch: Batch, customer: Customer, at: datetime, cards: Sequence[StampCard]) -> list[tuple[int, StampCard]]:
    """The cards of the programs a customer is in that take stamps for what happened at a moment."""
    return [
        (member.pk, card)
        for member, _version in batch.memberships(customer, at)
        for card in cards
        if card.program_id == member.program_id and is_stamped(card, at)
    ]
