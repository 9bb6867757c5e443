"""What roles may give, take and stamp by hand: at a time, and since the day began where the organization is."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import IntegerField, Q, Sum
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from accounts.audit import Actor
from accounts.models import AuditEntry, Membership
from accounts.models.audit import ActorKind
from accounts.queries import current_organization
from loyalty.models import Entry, EntryKind, Member, StampCard
from loyalty.refusals import Counted, over_limit
from loyalty.rules.limits import Limit, most_now
from loyalty.rules.rewards import period_of
from loyalty.rules.terms import CapPer

GIVEN_OR_TAKEN = Q(kind__in=[EntryKind.GIVE, EntryKind.TAKE])
EITHER_UNDONE = Q(kind=EntryKind.CLAWBACK, origin__kind=EntryKind.GIVE) | Q(kind=EntryKind.UNDO, origin__kind=EntryKind.TAKE)


def wait_for_own_turn(actor: Actor) -> None:
    """Let one person's actions wait for each other: two windows at once give no more than a day's limit."""
    if actor.kind == ActorKind.USER and actor.id is not None:
        Membership.objects.select_for_update().get(user_id=actor.id)


def refuse_beyond(limit: Limit, amount: int, *, used_today: int, counted: Counted) -> None:
    """Refuse more than a limit leaves.

    Raises:
        PointsRefusedError: it is more.
    """
    most = most_now(limit, used_today=used_today)
    if most is not None and amount > most:
        raise over_limit(limit, most=most, counted=counted)


def points_today(member: Member, *, now: datetime, actor: Actor) -> int:
    """Points that somebody has given and taken today, and what they undid of it."""
    done = Entry.objects.filter(
        GIVEN_OR_TAKEN | EITHER_UNDONE,
        program_id=member.program_id,
        recorded_at__gte=_day_began(now),
        actor_kind=actor.kind,
        actor_id=actor.id,
    )
    return int(done.aggregate(sum=Sum("amount"))["sum"] or 0)


def stamps_today(member: Member, *, now: datetime, actor: Actor) -> int:
    """Stamps that somebody has given and taken back by hand today."""
    cards = StampCard.objects.filter(program_id=member.program_id).values_list("pk", flat=True)
    done = AuditEntry.objects.filter(
        at__gte=_day_began(now),
        action__in=["stamp.given", "stamp.taken_back"],
        after__card__in=list(cards),
        actor_kind=actor.kind,
        actor_id=actor.id,
    )
    return int(done.aggregate(sum=Sum(Cast(KT("after__stamps"), IntegerField())))["sum"] or 0)


def _day_began(now: datetime) -> datetime:
    return period_of(CapPer.DAY, now, ZoneInfo(current_organization().time_zone))[0]
