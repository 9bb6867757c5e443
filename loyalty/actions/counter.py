"""What staff do with a member's points and stamps: within their role's limit, with a reason, and once for each form that is sent."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.audit import Actor, record_audit
from accounts.models import Role
from loyalty.actions.points import NotUndoableError, claw_back_points, earn_points, redeem_points, undo_redemption
from loyalty.actions.rewards import Redemption, redeem_reward
from loyalty.actions.role_limits import points_today, refuse_beyond, stamps_today, wait_for_own_turn
from loyalty.actions.stamps import give_stamps, take_stamps_back
from loyalty.ledger.bought import VoucherNotOpenError
from loyalty.ledger.families import entry_of
from loyalty.ledger.posting import KeyReusedError, Receipt
from loyalty.ledger.stock import RewardRefusedError
from loyalty.ledger.store import open_wallet
from loyalty.models import Entry, EntryKind, LotRemainder, Member, MemberCard, Stamp, StampCard
from loyalty.queries.clocks import Clocks
from loyalty.queries.programs import terms_in_force
from loyalty.queries.stamps import ever_stamped_by_hand
from loyalty.refusals import PointsRefusedError, points, stamps, too_few
from loyalty.rules.expiry import expires_at
from loyalty.rules.limits import limit_of, stamp_limit_of
from loyalty.rules.postings import InsufficientPointsError
from loyalty.rules.stamps import BY_HAND
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
    if entry and entry.kind in (EntryKind.GIVE, EntryKind.TAKE):
        _check_limit(member, entry.amount, token=token, now=now, actor=actor, role=role)
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


@transaction.atomic
def stamp_at_counter(
    *, member: Member, card: StampCard, key: str, now: datetime, actor: Actor, role: Role | None, count: int = 1
) -> MemberCard:
    """Stamp a member's card by hand.

    Raises:
        PointsRefusedError: over the role's limit.
        StampRefusedError, KeyReusedError: see ``give_stamps``.
    """
    if limit := stamp_limit_of(role):
        wait_for_own_turn(actor)
        if not ever_stamped_by_hand(member).filter(key=f"{BY_HAND}{key}").exists():
            refuse_beyond(limit, count, used_today=stamps_today(member, now=now, actor=actor), counted=stamps)
    return give_stamps(member=member, card=card, key=key, now=now, actor=actor, count=count)


@transaction.atomic
def take_stamps_at_counter(*, member: Member, stamp: Stamp, now: datetime, actor: Actor, role: Role | None) -> None:
    """Take back what was stamped by hand; doing it again changes nothing.

    Raises:
        PointsRefusedError: over the role's limit.
    """
    if limit := stamp_limit_of(role):
        wait_for_own_turn(actor)
        stamp.refresh_from_db(fields=["count"])
        if stamp.count:
            refuse_beyond(limit, stamp.count, used_today=stamps_today(member, now=now, actor=actor), counted=stamps)
    take_stamps_back(member=member, stamp=stamp, now=now, actor=actor)


def _check_limit(member: Member, amount: int, *, token: str, now: datetime, actor: Actor, role: Role | None) -> None:
    if (limit := limit_of(role)) is None:
        return
    wait_for_own_turn(actor)
    _wallet, known = open_wallet(member.pk, now=now, key=_key(token))
    if not known:
        refuse_beyond(limit, amount, used_today=points_today(member, now=now, actor=actor), counted=points)


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
