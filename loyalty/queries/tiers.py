"""Where members stand: what counts towards their tiers, and what the tiers give them."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Coalesce

from accounts.queries import current_organization
from crm.models import Purchase, PurchaseKind, Visit, VisitState
from loyalty.ledger.families import family_of
from loyalty.models import Entry, EntryKind, Member, Program
from loyalty.queries.programs import TermsBook, Version
from loyalty.rules.terms import Benefit, Level, TierBasis
from loyalty.rules.tiers import Contribution, TierStanding, tier_standing


def standing_of(member: Member, *, at: datetime, book: TermsBook) -> TierStanding | None:
    """A member's tier at a moment, worked out from what they did; ``None`` where the program has no tiers."""
    version = book.in_force(member.program_id, at)
    return _standing(member, version, at, book) if version else None


def tier_at(member: Member, *, at: datetime, book: TermsBook) -> str:
    """The key of the tier that a member has at a moment, whether or not their row says so yet; empty without one."""
    standing = standing_of(member, at=at, book=book)
    return standing.level.key if standing and standing.level else ""


def tier_before(member: Member, version: Version, *, at: datetime, book: TermsBook) -> str:
    """The key of the tier in which what happens at a moment finds a member, and by which it is multiplied.

    Not the one on the member's row, which follows what was done before only later, in whatever order it arrived. It is
    worked out only where tiers multiply at all, and empty elsewhere.
    """
    tiers = version.terms.tiers
    if tiers is None or all(level.percent == 100 for level in tiers.levels):
        return ""
    standing = _standing(member, version, at - timedelta(microseconds=1), book)
    return standing.level.key if standing and standing.level else ""


def _standing(member: Member, version: Version, at: datetime, book: TermsBook) -> TierStanding | None:
    if (tiers := version.terms.tiers) is None:
        return None
    family = _family(member)
    since = book.counts_from(version) or min(one.joined_at for one in family)
    return tier_standing(tiers, _CONTRIBUTIONS[tiers.basis](family, since), at=at, zone=ZoneInfo(current_organization().time_zone))


def benefits_of(customer_id: int, *, at: datetime) -> list[tuple[Program, Level, Benefit]]:
    """What a customer's tiers give them, for tills, shops and campaigns to ask for."""
    found, book = [], TermsBook()
    for member in Member.objects.filter(customer_id=customer_id, is_active=True).select_related("program"):
        standing = standing_of(member, at=at, book=book)
        if standing and standing.level:
            found += [(member.program, standing.level, benefit) for benefit in standing.level.benefits]
    return found


def members_by_tier(program_id: int) -> dict[str, int]:
    """How many members each tier has; the empty key are those without one."""
    rows = Member.objects.filter(program_id=program_id, is_active=True).order_by().values_list("tier").annotate(count=Count("id"))
    return dict(rows)


def _family(member: Member) -> list[Member]:
    """The member, and those whose memberships moved to theirs: what they did counts as well."""
    family = family_of([member.pk])
    return list(Member.objects.filter(pk__in=family)) if len(family) > 1 else [member]


def _spent(family: Sequence[Member], since: datetime) -> Iterator[Contribution]:
    """Sales, each less its refunds; a refund of no known sale counts where it happened."""
    receipts = Purchase.objects.filter(customer__in=_customers(family), purchased_at__gte=since)
    own = Q(kind=PurchaseKind.SALE) | Q(kind=PurchaseKind.REFUND, refund_of__isnull=True)
    rows = receipts.filter(own).annotate(refunded=Coalesce(Sum("refunds__total_minor"), 0))
    for at, net in rows.values_list("purchased_at", F("total_minor") + F("refunded")):
        yield Contribution(at, net)


def _visited(family: Sequence[Member], since: datetime) -> Iterator[Contribution]:
    visits = Visit.objects.filter(state=VisitState.COMPLETED, customer__in=_customers(family), starts_at__gte=since)
    for at in visits.values_list("starts_at", flat=True):
        yield Contribution(at, 1)


def _customers(family: Sequence[Member]) -> list[int]:
    return [one.customer_id for one in family]


def _earned(family: Sequence[Member], _since: datetime) -> Iterator[Contribution]:
    """Points earned, whenever that was, each earning less what was clawed back or cancelled of it; gifts do not count."""
    entries = Entry.objects.filter(member__in=family)
    taken = Q(followers__kind__in=[EntryKind.CLAWBACK, EntryKind.CANCEL])
    restored = Q(followers__kind=EntryKind.RESTORE)
    earned = entries.filter(kind=EntryKind.EARN).annotate(
        taken=Coalesce(Sum("followers__amount", filter=taken), 0),
        restored=Coalesce(Sum("followers__amount", filter=restored), 0),
    )
    for at, net in earned.values_list("occurred_at", F("amount") - F("taken") + F("restored")):
        yield Contribution(at, net)
    for at, amount in entries.filter(kind=EntryKind.CLAWBACK, origin__isnull=True).values_list("occurred_at", "amount"):
        yield Contribution(at, -amount)


_CONTRIBUTIONS = {TierBasis.SPEND: _spent, TierBasis.VISITS: _visited, TierBasis.POINTS: _earned}
