"""A membership goes to another customer, as in a merge, and comes back: points, their dates and debt are conserved both ways."""

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from accounts.audit import Actor, record_audit
from crm.models import Customer
from loyalty.ledger.settling import settle_wallet
from loyalty.ledger.store import NewEntry, NewLot, OpenWallet, consumed_parts, open_wallet, post_entry, spendable_lots
from loyalty.models import Entry, EntryKind, LotRemainder, Member
from loyalty.rules import postings
from loyalty.rules.postings import LotState


class OpenHoldsError(ValueError):
    """Points are reserved at a till; the reservation has to be captured or released first."""


@transaction.atomic
def move_member(*, member_id: int, to_customer: Customer, now: datetime, actor: Actor) -> Member:
    """Let a membership be another customer's: the member itself, or all it holds when that customer is a member already.

    Doing it again carries over what came to the closed membership since, such as an undone redemption.

    Returns:
        The member who holds the points now.

    Raises:
        OpenHoldsError: points are reserved.
        UnknownMemberError: there is no such member.
    """
    member = Member.objects.get(pk=member_id)
    target = Member.objects.filter(program_id=member.program_id, customer=to_customer).first()
    if target == member:
        return member
    if target is None:
        _open(member_id, now=now)
        _audit("member.moved", member, actor, {"customer": member.customer_id}, {"customer": to_customer.pk})
        member.customer = to_customer
        member.save(update_fields=["customer"])
        return member
    source_wallet, target_wallet = _open(member_id, target.pk, now=now)
    for lot in LotRemainder.objects.filter(Q(available__gt=0) | Q(pending__gt=0), member_id=member_id).order_by("lot_id"):
        _move_lot(source_wallet, target_wallet, lot, actor)
    if source_wallet.debt:
        _move_debt(source_wallet, target_wallet, source_wallet.debt, actor)
    _close(member, source_wallet, target_wallet, actor, is_active=False)
    return target


@transaction.atomic
def undo_move(*, member_id: int, to_member_id: int, now: datetime, actor: Actor) -> None:
    """Give back what is left of the lots that moved to another member, to the lots they were, and the debt that went with them.

    Raises:
        OpenHoldsError: points of either are reserved.
        UnknownMemberError: there is no such member.
    """
    source_wallet, target_wallet = _open(member_id, to_member_id, now=now)
    left = LotRemainder.objects.filter(Q(available__gt=0) | Q(pending__gt=0), member_id=to_member_id, lot__moved_from__member_id=member_id)
    for lot in left.select_related("lot").order_by("lot_id"):
        _return_lot(source_wallet, target_wallet, lot, actor)
    taken_over = Entry.objects.filter(member_id=to_member_id, kind=EntryKind.MOVE_IN, lot=None, origin__member_id=member_id)
    for entry in taken_over.exclude(followers__kind=EntryKind.MOVE_OUT).order_by("pk"):
        _return_debt(source_wallet, target_wallet, entry, actor)
    _close(Member.objects.get(pk=member_id), source_wallet, target_wallet, actor, is_active=True)


def _open(*member_ids: int, now: datetime) -> list[OpenWallet]:
    """Lock and settle wallets, always in the order of their ids, so that two moves never wait for each other."""
    wallets = {member_id: open_wallet(member_id, now=now)[0] for member_id in sorted(member_ids)}
    for member_id, wallet in wallets.items():
        settle_wallet(wallet)
        if wallet.held:
            raise OpenHoldsError(member_id)
    return [wallets[member_id] for member_id in member_ids]


def _move_lot(source: OpenWallet, target: OpenWallet, lot: LotRemainder, actor: Actor) -> None:
    amount = lot.available + lot.pending
    legs = postings.move_out(_state(lot, lot.lot_id))
    origin = post_entry(source, NewEntry(EntryKind.MOVE_OUT, amount, legs, source.now, actor))
    entry_id = target.next_entry_id()
    post_entry(
        target,
        NewEntry(
            EntryKind.MOVE_IN,
            amount,
            postings.move_in(_state(lot, entry_id), debt=target.debt),
            target.now,
            actor,
            entry_id,
            lot=NewLot(amount, lot.earned_at, lot.matures_at, lot.expires_at, lot.lot_id),
            terms_id=Entry.objects.values_list("terms_id", flat=True).get(pk=lot.lot_id),
            origin_id=origin,
        ),
    )


def _return_lot(source: OpenWallet, target: OpenWallet, lot: LotRemainder, actor: Actor) -> None:
    amount, original = lot.available + lot.pending, LotRemainder.objects.get(lot_id=lot.lot.moved_from_id)
    origin = post_entry(target, NewEntry(EntryKind.MOVE_OUT, amount, postings.move_out(_state(lot, lot.lot_id)), target.now, actor))
    legs = postings.move_in(_state(lot, original.lot_id), debt=source.debt)
    due_at = [original.matures_at, original.expires_at]
    post_entry(source, NewEntry(EntryKind.MOVE_IN, amount, legs, source.now, actor, origin_id=origin, due_at=due_at))


def _move_debt(giver: OpenWallet, taker: OpenWallet, amount: int, actor: Actor) -> None:
    origin = post_entry(giver, NewEntry(EntryKind.MOVE_OUT, amount, postings.move_debt_out(amount), giver.now, actor))
    legs = postings.move_debt_in(amount, spendable_lots(taker.member_id, amount))
    post_entry(taker, NewEntry(EntryKind.MOVE_IN, amount, legs, taker.now, actor, origin_id=origin))


def _return_debt(source: OpenWallet, target: OpenWallet, taken_over: Entry, actor: Actor) -> None:
    """What repaid the debt at once goes back to its lots; of the rest, what is not repaid yet."""
    parts = consumed_parts(taken_over.pk)
    owed = min(target.debt, taken_over.amount - sum(part.amount for part in parts))
    amount = owed + sum(part.amount for part in parts)
    if not amount:
        return
    legs = postings.move_debt_out(amount, parts=parts, at=target.now)
    due_at = [part.lot.expires_at for part in parts if not part.lot.has_lapsed(target.now)]
    entry = NewEntry(EntryKind.MOVE_OUT, amount, legs, target.now, actor, origin_id=taken_over.pk, due_at=due_at)
    origin = post_entry(target, entry)
    taken = postings.move_debt_in(amount, spendable_lots(source.member_id, amount))
    post_entry(source, NewEntry(EntryKind.MOVE_IN, amount, taken, source.now, actor, origin_id=origin))


def _state(lot: LotRemainder, lot_id: int) -> LotState:
    return LotState(lot_id, lot.earned_at, lot.expires_at, lot.available, lot.pending)


def _close(member: Member, source: OpenWallet, target: OpenWallet, actor: Actor, *, is_active: bool) -> None:
    for wallet in (source, target):
        settle_wallet(wallet)
    if member.is_active != is_active:
        member.is_active = is_active
        member.save(update_fields=["is_active"])
    action = "member.returned" if is_active else "member.moved"
    _audit(action, member, actor, {"member": member.pk}, {"member": member.pk if is_active else target.member_id})


def _audit(action: str, member: Member, actor: Actor, before: dict[str, int], after: dict[str, int]) -> None:
    record_audit(action=action, subject=member, actor=actor, before=before, after=after)
