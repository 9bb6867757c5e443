"""Memberships that stand for one person: those that moved, and the one that holds what they had."""

from collections.abc import Collection, Iterable
from typing import Final

from django.db.models import Q

from accounts.postgresql.prepared import run_prepared
from accounts.tenancy import current_organization_id
from loyalty.models import Entry, Member, Wallet

_HOLDERS: Final = """
with recursive chain as (
    select moved_to_id, 1 as step from loyalty_member
    where organization_id = %(organization)s and id = %(member)s and moved_to_id is not null
    union all
    select m.moved_to_id, chain.step + 1 from chain
    join loyalty_member as m on m.organization_id = %(organization)s and m.id = chain.moved_to_id and m.moved_to_id is not null
)
select moved_to_id from chain order by step
"""


def family_of(member_ids: Iterable[int]) -> list[int]:
    """These members with all that moved to them or that they moved to."""
    found = set(member_ids)
    while True:
        moves = Member.objects.filter(Q(pk__in=found, moved_to__isnull=False) | Q(moved_to__in=found)).values_list("pk", "moved_to")
        wider = found | {member_id for move in moves for member_id in move if member_id}
        if wider == found:
            return sorted(found)
        found = wider


def holders_after(member_id: int) -> list[int]:
    """The members that took a membership over, one after another; the last one holds what it had."""
    return [row[0] for row in run_prepared(_HOLDERS, {"organization": current_organization_id(), "member": member_id})]


def entry_of(member: Member, entry_id: int) -> Entry | None:
    """An entry of the member, or of one who stands for the same person.

    What was done with the card of a closed membership is an entry of whoever holds its points.
    """
    entry = Entry.objects.select_related("member").filter(pk=entry_id).first()
    return entry if entry and entry.member.holder == member.holder else None


def lock_wallets_of(customer_ids: Collection[int]) -> None:
    """Lock the wallets of customers in every program, with those of memberships that are one with theirs."""
    lock_wallets(family_of(Member.objects.filter(customer_id__in=customer_ids).values_list("pk", flat=True)))


def lock_wallets(member_ids: Collection[int]) -> None:
    """Lock wallets in the order of their ids, so that nobody waits in a circle."""
    wallets = Wallet.objects.filter(member_id__in=member_ids).order_by("member_id")
    list(wallets.select_for_update(of=("self",), no_key=True).values_list("pk"))
