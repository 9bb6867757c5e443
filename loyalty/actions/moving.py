"""A membership goes to another customer, as in a merge, and comes back: points, their dates and debt are conserved both ways.

Vouchers, stamps and referrals stay with the membership that has them; whoever holds its points is asked for them as well
(``loyalty.ledger.families``), so that nothing has to be sorted out when it comes back.
"""

from datetime import datetime

from django.db import transaction

from accounts.audit import Actor, record_audit
from crm.models import Customer
from loyalty.actions.stamps import count_cards_again
from loyalty.actions.tiers import update_tier
from loyalty.ledger.families import lock_wallets
from loyalty.ledger.moving import carry_on, return_lots
from loyalty.ledger.settling import settle_wallet
from loyalty.ledger.store import OpenWallet, open_wallet
from loyalty.models import Member
from loyalty.queries.programs import TermsBook


class OpenHoldsError(ValueError):
    """Points are reserved at a till; the reservation has to be captured or released first."""


class MovedOnError(ValueError):
    """The membership has moved to yet another one, and has to come back from there first."""


@transaction.atomic
def move_member(*, member_id: int, to_customer: Customer, now: datetime, actor: Actor) -> Member:
    """Let a membership be another customer's: the member itself, or all it holds when that customer is a member already.

    Returns:
        The member who holds the points now.

    Raises:
        OpenHoldsError: points are reserved.
        MovedOnError: it has moved to somebody else.
        Member.DoesNotExist: there is no such member.
    """
    member = Member.objects.get(pk=member_id)
    there = Member.objects.filter(program_id=member.program_id, customer=to_customer).first()
    target = there.holder if there else None
    if target == member.holder:
        return member.holder
    if target is None:
        _audit("member.moved", member, actor, {"customer": member.customer_id}, {"customer": to_customer.pk})
        member.customer = to_customer
        member.save(update_fields=["customer"])
        return member
    source_wallet, target_wallet = _open(member_id, target.pk, now=now)
    _check_place(member_id, target.pk, expected=None)
    carry_on([source_wallet, target_wallet], actor)
    _mark(member, target, is_active=False)
    _look_again([target.pk], now, actor)
    _audit("member.moved", member, actor, {"member": member.pk}, {"member": target.pk})
    return target


@transaction.atomic
def undo_move(*, member_id: int, to_member_id: int, now: datetime, actor: Actor) -> None:
    """Give back what is left of the lots that moved to another member, to the lots they were, and the debt that went with them.

    Doing it again changes nothing.

    Raises:
        OpenHoldsError: points of either are reserved.
        MovedOnError: the other member has moved on.
        UnknownMemberError: there is no such member.
    """
    source_wallet, target_wallet = _open(member_id, to_member_id, now=now)
    member = Member.objects.get(pk=member_id)
    if member.moved_to_id is None:
        return
    _check_place(member_id, to_member_id, expected=to_member_id)
    return_lots(source_wallet, target_wallet, actor)
    _mark(member, None, is_active=True)
    _look_again([member_id, to_member_id], now, actor)
    _audit("member.returned", member, actor, {"member": to_member_id}, {"member": member.pk})


def _open(*member_ids: int, now: datetime) -> list[OpenWallet]:
    lock_wallets(member_ids)
    wallets = [open_wallet(member_id, now=now)[0] for member_id in member_ids]
    for wallet in wallets:
        settle_wallet(wallet)
        if wallet.held:
            raise OpenHoldsError(wallet.member_id)
    return wallets


def _check_place(member_id: int, other_id: int, *, expected: int | None) -> None:
    """Whether a membership is where it is expected, and the other one has not moved; asked under the locks of both."""
    places = dict(Member.objects.filter(pk__in=[member_id, other_id]).values_list("pk", "moved_to"))
    if places[member_id] != expected or places[other_id] is not None:
        raise MovedOnError(member_id)


def _mark(member: Member, moved_to: Member | None, *, is_active: bool) -> None:
    member.moved_to, member.is_active = moved_to, is_active
    member.save(update_fields=["moved_to", "is_active"])


def _look_again(member_ids: list[int], now: datetime, actor: Actor) -> None:
    """Tiers and full stamp cards follow from what members have now."""
    book = TermsBook()
    for member_id in member_ids:
        update_tier(member_id=member_id, now=now, book=book)
        count_cards_again(member_id=member_id, now=now, actor=actor)


def _audit(action: str, member: Member, actor: Actor, before: dict[str, int], after: dict[str, int]) -> None:
    record_audit(action=action, subject=member, actor=actor, before=before, after=after)
