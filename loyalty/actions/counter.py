"""What staff do with a member's points: within their role's limit, with a reason, and once for each form that is sent."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from accounts.audit import Actor, record_audit
from accounts.models import Membership, Role
from accounts.models.audit import ActorKind
from accounts.queries import current_organization
from loyalty.actions.points import NotUndoableError, claw_back_points, earn_points, redeem_points, undo_redemption
from loyalty.actions.rewards import Redemption, redeem_reward
from loyalty.ledger.bought import VoucherNotOpenError
from loyalty.ledger.families import entry_of
from loyalty.ledger.posting import KeyReusedError, Receipt
from loyalty.ledger.stock import RewardRefusedError
from loyalty.ledger.store import open_wallet
from loyalty.models import Entry, EntryKind, LotRemainder, Member
from loyalty.queries.clocks import Clocks
from loyalty.queries.programs import terms_in_force
from loyalty.refusals import PointsRefusedError, over_limit, points, too_few
from loyalty.rules.expiry import expires_at
from loyalty.rules.limits import limit_of, most_now
from loyalty.rules.postings import InsufficientPointsError
from loyalty.words import refusal_words


class FormUsedError(PointsRefusedError):
    """The form was sent before, with something else in it."""

    def __init__(self) -> None:
        super().__init__(_("This form was sent before, with something else in it. Nothing was done again."))


@transaction.atomic
def give_points(*, member: Member, amount: int, reason: str, token: str, now: datetime, actor: Actor, role: Role | None) -> Receipt:
    """Give a member points.

    Args:
        token: of the form; sent again it does nothing again.

    Raises:
        PointsRefusedError: over the role's limit, or the form was used for something else.
    """
    _check_limit(member, amount, token=token, now=now, actor=actor, role=role)
    version = terms_in_force(member.program_id, now)
    gone_at = expires_at(version.terms.expiry, now, Clocks().of(member.customer)) if version else None
    try:
        receipt = earn_points(
            member_id=member.pk,
            amount=amount,
            key=_key(token),
            now=now,
            actor=actor,
            kind=EntryKind.GIVE,
            reason=reason,
            expires_at=gone_at,
            terms_id=version.id if version else None,
        )
    except KeyReusedError as error:
        raise FormUsedError from error
    return _audited("points.given", member, receipt, actor, points=amount, reason=reason)


@transaction.atomic
def take_points(*, member: Member, amount: int, reason: str, token: str, now: datetime, actor: Actor, role: Role | None) -> Receipt:
    """Take points from a member, with nothing in return.

    Raises:
        PointsRefusedError: more than can be spent, over the role's limit, or the form was used for something else.
    """
    _check_limit(member, amount, token=token, now=now, actor=actor, role=role)
    receipt = _spend(member, amount, EntryKind.TAKE, reason=reason, token=token, now=now, actor=actor)
    return _audited("points.taken", member, receipt, actor, points=amount, reason=reason)


def redeem_at_counter(*, member: Member, amount: int, reason: str, token: str, now: datetime, actor: Actor) -> Receipt:
    """Spend a member's points for them.

    Whoever waits for it stands at a till, so it has no savepoint: what refuses it comes before anything is written.

    Raises:
        PointsRefusedError: more than can be spent, fewer than the terms redeem, or the form was used for something else.
    """
    version = terms_in_force(member.program_id, now)
    if version and amount < version.terms.redemption.smallest:
        raise PointsRefusedError(
            _("Fewer than %(smallest)s are not redeemed. Nothing was changed.") % {"smallest": points(version.terms.redemption.smallest)}
        )
    receipt = _spend(member, amount, EntryKind.REDEEM, reason=reason, token=token, now=now, actor=actor)
    return _audited("points.redeemed", member, receipt, actor, points=amount, reason=reason)


@transaction.atomic
def redeem_reward_at_counter(*, member: Member, reward_id: int, token: str, now: datetime, actor: Actor) -> Redemption:
    """Spend a member's points on a reward; a voucher is issued.

    Raises:
        PointsRefusedError: with the reason why they cannot have it now.
    """
    try:
        return redeem_reward(member_id=member.pk, reward_id=reward_id, key=_key(token), now=now, actor=actor)
    except RewardRefusedError as error:
        raise PointsRefusedError(f"{refusal_words(error.reason)} " + _("Nothing was changed.")) from error
    except InsufficientPointsError as error:
        raise too_few(error) from error
    except KeyReusedError as error:
        raise FormUsedError from error


@transaction.atomic
def undo_at_counter(*, member: Member, entry_id: int, token: str, now: datetime, actor: Actor, role: Role | None) -> Receipt:
    """Undo a redemption, points that were taken, or points that were given and not touched since.

    Raises:
        PointsRefusedError: there is nothing to undo, or the role may not give and take so many.
    """
    entry = entry_of(member, entry_id)
    member = entry.member if entry else member
    limit = limit_of(role)
    if limit and entry and entry.kind in (EntryKind.GIVE, EntryKind.TAKE) and entry.amount > limit.per_action:
        raise over_limit(limit, most=limit.per_action)
    try:
        if entry is not None and entry.kind == EntryKind.GIVE:
            receipt = _undo_gift(entry, token=token, now=now, actor=actor)
        else:
            receipt = undo_redemption(member_id=member.pk, entry_id=entry_id, key=_key(token), now=now, actor=actor)
    except VoucherNotOpenError as error:
        raise PointsRefusedError(_("The voucher was used already, or has expired. Nothing was changed.")) from error
    except (NotUndoableError, KeyReusedError) as error:
        raise PointsRefusedError(_("There is nothing to undo here any more. Nothing was changed.")) from error
    return _audited("points.undone", member, receipt, actor, undone=entry_id)


def used_today(member: Member, *, now: datetime, actor: Actor) -> int:
    """Points that somebody has given and taken since the day began where the organization is."""
    local = now.astimezone(ZoneInfo(current_organization().time_zone))
    done = Entry.objects.filter(
        program_id=member.program_id,
        recorded_at__gte=local.replace(hour=0, minute=0, second=0, microsecond=0),
        kind__in=[EntryKind.GIVE, EntryKind.TAKE],
        actor_kind=actor.kind,
        actor_id=actor.id,
    )
    return int(done.aggregate(sum=Sum("amount"))["sum"] or 0)


def _check_limit(member: Member, amount: int, *, token: str, now: datetime, actor: Actor, role: Role | None) -> None:
    limit = limit_of(role)
    if limit is None:
        return
    # One person's actions wait for each other: two windows at once give no more than a day's limit.
    if actor.kind == ActorKind.USER and actor.id is not None:
        Membership.objects.select_for_update().get(user_id=actor.id)
    _wallet, known = open_wallet(member.pk, now=now, key=_key(token))
    if known:
        return
    most = most_now(limit, used_today=used_today(member, now=now, actor=actor))
    if most is not None and amount > most:
        raise over_limit(limit, most=most)


def _spend(member: Member, amount: int, kind: EntryKind, *, reason: str, token: str, now: datetime, actor: Actor) -> Receipt:
    try:
        return redeem_points(member_id=member.pk, amount=amount, key=_key(token), now=now, actor=actor, kind=kind, reason=reason)
    except InsufficientPointsError as error:
        raise too_few(error) from error
    except KeyReusedError as error:
        raise FormUsedError from error


def _undo_gift(entry: Entry, *, token: str, now: datetime, actor: Actor) -> Receipt:
    # The wallet is locked: nothing is spent between this look and the posting.
    _wallet, known = open_wallet(entry.member_id, now=now, key=_key(token))
    left = LotRemainder.objects.get(lot_id=entry.pk)
    if left.available + left.pending < entry.amount and not known:
        raise NotUndoableError(entry.pk)
    return claw_back_points(member_id=entry.member_id, amount=entry.amount, earned_by=entry.pk, key=_key(token), now=now, actor=actor)


def _audited(action: str, member: Member, receipt: Receipt, actor: Actor, **told: object) -> Receipt:
    if not receipt.is_replay:
        record_audit(action=action, subject=member, actor=actor, after={"entry": receipt.entry_id, "balance": receipt.balance, **told})
    return receipt


def _key(token: str) -> str:
    return f"counter:{token}"
