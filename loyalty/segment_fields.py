"""What segments may ask about loyalty: points, tier, membership, and what happened to points.

Who is a member of several programs counts with the points of all of them, and with the tier of the first that is active.
A closed program's points and memberships stay their members'; its tiers are nobody's.
"""

from django.db.models import BigIntegerField, CharField, DateTimeField, Expression, ExpressionWrapper, Min, OuterRef, Subquery, Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from loyalty.models import Member, Program, ProgramState, Wallet
from loyalty.queries.programs import TermsBook, programs_that_mention
from segmentation.fields import EventProperty, Label, SegmentEvent, SegmentField, register_event, register_field
from segmentation.references import register_segment_use
from segmentation.rules import Clock
from segmentation.rules.operators import ValueType

LOYALTY: Label = _("Loyalty")

register_segment_use(programs_that_mention)


def _sum_of(column: str) -> Expression:
    own = Wallet.objects.filter(member__customer_id=OuterRef("pk"), member__is_active=True).order_by().values("member__customer_id")
    return ExpressionWrapper(Subquery(own.annotate(sum=Sum(column)).values("sum")), BigIntegerField())


def _balance(clock: Clock) -> Expression:
    return _sum_of("balance")


def _pending(clock: Clock) -> Expression:
    return _sum_of("pending")


def _debt(clock: Clock) -> Expression:
    return _sum_of("debt")


def _tier(clock: Clock) -> Expression:
    own = Member.objects.filter(customer_id=OuterRef("pk"), is_active=True, program__state=ProgramState.ACTIVE).order_by("program_id")
    return ExpressionWrapper(Subquery(own.values("tier")[:1]), CharField())


def _member_since(clock: Clock) -> Expression:
    own = Member.objects.filter(customer_id=OuterRef("pk"), is_active=True).order_by().values("customer_id")
    return ExpressionWrapper(Subquery(own.annotate(first=Min("joined_at")).values("first")), DateTimeField())


def _tiers() -> list[tuple[str, str]]:
    """Those there are, then those there were: a rule that names one holds on when its program closes or new terms leave it out."""
    book, now = TermsBook(), timezone.now()
    there_are = [level for program in book.active for level in book.levels(program.pk, now)]
    begun = [one for one in book.versions.values() if one.valid_from <= now and book.programs[one.program_id].state != ProgramState.DRAFT]
    there_were = [level for one in begun if one.terms.tiers for level in one.terms.tiers.levels]
    found: dict[str, str] = {}
    for level in [*there_are, *there_were]:
        found.setdefault(level.key, level.name or level.key)
    return list(found.items())


def _programs() -> list[tuple[str, str]]:
    return [(str(key), name) for key, name in Program.objects.values_list("pk", "name")]


register_field(SegmentField("points_balance", _("points that can be spent"), ValueType.NUMBER, LOYALTY, _balance))
register_field(SegmentField("points_pending", _("points that come later"), ValueType.NUMBER, LOYALTY, _pending))
register_field(SegmentField("points_debt", _("points owed after refunds"), ValueType.NUMBER, LOYALTY, _debt))
register_field(SegmentField("loyalty_tier", _("tier"), ValueType.CHOICE, LOYALTY, _tier, choices=_tiers))
register_field(SegmentField("member_since", _("member since"), ValueType.MOMENT, LOYALTY, _member_since))

PROGRAM = EventProperty("program", _("program"), ValueType.REFERENCE, choices=_programs)
POINTS = EventProperty("points", _("points"), ValueType.NUMBER)

register_event(
    SegmentEvent("points.earned", _("Points earned"), lambda n: ngettext("earning of points", "earnings of points", n), (POINTS, PROGRAM))
)
register_event(SegmentEvent("points.redeemed", _("Points redeemed"), lambda n: ngettext("redemption", "redemptions", n), (POINTS, PROGRAM)))
register_event(
    SegmentEvent("points.expired", _("Points expired"), lambda n: ngettext("expiry of points", "expiries of points", n), (POINTS, PROGRAM))
)
register_event(
    SegmentEvent(
        "tier.changed", _("Tier changed"), lambda n: ngettext("change of tier", "changes of tier", n),
        (EventProperty("after", _("new tier"), ValueType.CHOICE, choices=_tiers), PROGRAM),
    )
)  # fmt: skip
register_event(
    SegmentEvent("reward.redeemed", _("Reward redeemed"), lambda n: ngettext("redeemed reward", "redeemed rewards", n), (PROGRAM,))
)
