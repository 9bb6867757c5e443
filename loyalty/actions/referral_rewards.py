"""What referrals bring: points for both sides after a purchase of which nothing comes back; taken back when something does.

The points come with the purchase and are pending until its time for refunds is over, so the ledger itself makes them
available. Whatever is seen again changes nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import floor
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from accounts.audit import SYSTEM, record_audit
from crm.models import Event, Purchase, PurchaseKind
from loyalty.actions.batch import Batch
from loyalty.actions.earning import Occurrence, lock_budgets, post_earning
from loyalty.actions.points import NotEarnedError, cancel_pending, claw_back_points
from loyalty.actions.referrals import claim, reject, tell_referral
from loyalty.ledger.families import family_of, lock_wallets
from loyalty.models import Entry, Lot, Member, ProgramState, Referral, ReferralRejection, ReferralState
from loyalty.queries.receipts import receipts_that_decide
from loyalty.queries.referrals import ancestors, people
from loyalty.rules.earning import rules_that_hold
from loyalty.rules.receipts import remaining_lines
from loyalty.rules.referrals import Rejection, Sale, counting_sale
from loyalty.rules.terms import EarnOn

KINDS = frozenset(["purchase.completed", "purchase.refunded"])
_FINAL = [ReferralRejection.SELF, ReferralRejection.CYCLE, ReferralRejection.REFERRED_BEFORE]


@dataclass(frozen=True, slots=True)
class _Qualifying:
    """A purchase that counts for a referral, and what it is worth to each side."""

    referral: Referral
    sale: Purchase
    referrer: Occurrence
    referee: Occurrence


def follow_referrals(events: Sequence[Event]) -> None:
    """See what purchases, refunds and new referrals among a batch of events mean; those seen before change nothing."""
    told = {event.customer_id for event in events if event.kind in KINDS and event.customer_id}
    told |= {event.properties["referee"] for event in events if event.kind == "referral.joined"}
    settle_referrals(customer_ids=told, now=timezone.now())


@transaction.atomic
def settle_referrals(*, customer_ids: Collection[int], now: datetime) -> int:
    """Bring the referrals of these customers to where their purchases put them; returns how many changed."""
    rows = Referral.objects.select_for_update(of=("self",)).select_related("referrer__customer", "referrer__program", "customer")
    referrals = list(rows.filter(customer_id__in=customer_ids).exclude(rejection__in=_FINAL).order_by("pk"))
    if not referrals:
        return 0
    sales = _sales(referrals)
    wanted = {one.pk: counting_sale(sales[one.pk], current=one.purchase_id) for one in referrals}
    moved = [one for one in referrals if one.purchase_id != getattr(wanted[one.pk], "id", None)]
    coming = _worth(moved, wanted, now)
    _lock(moved, coming)
    for referral in moved:
        if referral.purchase_id is not None:
            _take_back(referral, now=now)
    rewarded = [one.referral for one in coming if _reward(one, now=now)]
    return len(rewarded) + sum(referral.rejection != "" for referral in moved)


@transaction.atomic
def finish_referrals(*, now: datetime) -> int:
    """Mark referrals whose points have become available; returns how many there were, up to a thousand."""
    over = Referral.objects.select_for_update(skip_locked=True, of=("self",)).select_related("referrer")
    due = list(over.filter(state=ReferralState.QUALIFIED, rewarded_at__lte=now).order_by("pk")[:1_000])
    for referral in due:
        _finish(referral)
    return len(due)


def _sales(referrals: Sequence[Referral]) -> dict[int, list[Sale]]:
    """Per referral, what its customer bought since they came, and what is left of that."""
    customer_ids = {referral.customer_id or 0 for referral in referrals}
    bought = Purchase.objects.filter(customer_id__in=customer_ids, kind=PurchaseKind.SALE)
    bought = bought.filter(purchased_at__gte=min(referral.joined_at for referral in referrals if referral.joined_at))
    rows = list(bought.order_by().values_list("customer_id", "pk", "purchased_at", "total_minor"))
    left: dict[int, int] = {}
    for receipts in receipts_that_decide(customer_ids, {row[1] for row in rows}).values():
        left |= {sale: floor(sum(line.amount for line in lines)) for sale, lines in remaining_lines(receipts).items()}
    return {
        referral.pk: [
            Sale(pk, at, total, left.get(pk, 0))
            for customer_id, pk, at, total in rows
            if customer_id == referral.customer_id and referral.joined_at and at >= referral.joined_at
        ]
        for referral in referrals
    }


def _worth(moved: Sequence[Referral], wanted: Mapping[int, Sale | None], now: datetime) -> list[_Qualifying]:
    """What the purchases are worth that count from now on; nothing where no rule on referrals holds."""
    batch = Batch([one.customer for one in moved if one.customer], now=now, actor=SYSTEM)
    sales = Purchase.objects.select_related("location").in_bulk([sale.id for one in moved if (sale := wanted[one.pk])])
    return [found for one in moved if (sale := wanted[one.pk]) and (found := _worth_of(batch, one, sales[sale.id]))]


def _worth_of(batch: Batch, referral: Referral, sale: Purchase) -> _Qualifying | None:
    customer, referrer = referral.customer, referral.referrer.holder
    version = batch.book.in_force(referral.program_id, sale.purchased_at)
    referee = batch.members.get((referral.program_id, customer.pk if customer else 0))
    if customer is None or referee is None or version is None or not referrer.is_active or referral.program.state != ProgramState.ACTIVE:
        return None
    occasion = batch.occasion(version, customer, sale.purchased_at, sale.location)
    rules = rules_that_hold(version.terms, occasion, [EarnOn.REFERRAL])
    if not rules:
        return None
    days = [rule.refund_days for rule in rules if rule.refund_days is not None]
    version = replace(version, terms=replace(version.terms, pending_days=max(days, default=version.terms.pending_days)))
    theirs = [replace(rule, points=rule.referee_points) for rule in rules if rule.referee_points]
    return _Qualifying(
        referral,
        sale,
        Occurrence(referrer, version, rules, occasion.at, batch.clocks.of(referrer.customer)),
        Occurrence(referee, version, theirs, occasion.at, batch.clocks.of(customer)),
    )


def _lock(moved: Sequence[Referral], coming: Sequence[_Qualifying]) -> None:
    """Lock budgets, then wallets, each in one order, so that nobody waits in a circle."""
    lock_budgets((one.referral.program_id, rule) for one in coming for rule in one.referrer.rules)
    customers, programs = {one.customer_id or 0 for one in moved}, {one.program_id for one in moved}
    referees = Member.objects.filter(customer_id__in=customers, program_id__in=programs).values_list("pk", flat=True)
    lock_wallets(family_of({*referees, *(one.referrer_id for one in moved)}))


def _reward(one: _Qualifying, *, now: datetime) -> bool:
    referral = one.referral
    if (reason := _late_rejection(referral)) is not None:
        reject(referral, reason, now=now, actor=SYSTEM)
        return False
    ours = post_earning(one.referrer, key=_next_key(one, "referrer"), now=now, actor=SYSTEM)
    theirs = post_earning(one.referee, key=_next_key(one, "referee"), now=now, actor=SYSTEM)
    entries = [earned.receipt.entry_id if earned else None for earned in (ours, theirs)]
    referral.referrer_entry_id, referral.referee_entry_id = entries
    referral.referrer_points, referral.referee_points = (sum(earned.points.values()) if earned else 0 for earned in (ours, theirs))
    maturing = Lot.objects.filter(pk__in=[entry for entry in entries if entry]).aggregate(at=Max("matures_at"))["at"]
    referral.state, referral.rejection, referral.purchase = ReferralState.QUALIFIED, "", one.sale
    referral.rewarded_at = maturing or now
    referral.save()
    tell_referral("referral.qualified", referral, referral.referrer, now)
    if referral.rewarded_at <= now:
        _finish(referral)
    return True


def _next_key(one: _Qualifying, side: str) -> str:
    """The key of what a side earns: another one each time that a purchase counts again whose points were taken back."""
    first = key = f"referral:{one.referral.pk}:{side}:{one.sale.pk}"
    attempt = 0
    while Entry.objects.filter(program_id=one.referral.program_id, key=f"{key}:back").exists():
        attempt += 1
        key = f"{first}:{attempt}"
    return key


def _late_rejection(referral: Referral) -> Rejection | None:
    """Whether the referred has turned out to be the referrer, whoever brought them, or somebody who was referred before."""
    theirs = {referral.referrer.customer_id, referral.referrer.holder.customer_id}
    above = ancestors(referral.program_id, referral.referrer.customer_id)
    known = people({referral.customer_id or 0, *theirs, *above})
    referee = known[referral.customer_id or 0]
    if any(referee.is_also(known[one]) for one in theirs):
        return Rejection.SELF
    if any(referee.is_also(known[one]) for one in above):
        return Rejection.CYCLE
    return None if claim(referral, referee) else Rejection.REFERRED_BEFORE


def _take_back(referral: Referral, *, now: datetime) -> None:
    """The purchase came back, and so do both sides' points: from the pending ones, or by a clawback."""
    for entry, points in ((referral.referrer_entry, referral.referrer_points), (referral.referee_entry, referral.referee_points)):
        if entry is None:
            continue
        of: dict[str, Any] = {"member_id": entry.member_id, "key": f"{entry.key}:back", "now": now, "actor": SYSTEM}
        try:
            cancel_pending(entry_id=entry.pk, **of)
        except NotEarnedError:
            claw_back_points(amount=points, earned_by=entry.pk, **of)
    referral.purchase = referral.referrer_entry = referral.referee_entry = referral.rewarded_at = None
    referral.referrer_points = referral.referee_points = 0
    reject(referral, Rejection.REFUNDED, now=now, actor=SYSTEM)


def _finish(referral: Referral) -> None:
    referral.state = ReferralState.REWARDED
    referral.save(update_fields=["state"])
    assert referral.rewarded_at is not None
    after = {"referrer_points": referral.referrer_points, "referee_points": referral.referee_points}
    record_audit(action="referral.rewarded", subject=referral, actor=SYSTEM, after=after)
    tell_referral("referral.rewarded", referral, referral.referrer, referral.rewarded_at)
