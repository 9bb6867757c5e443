"""How many take part in a program, and how."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Sum

from crm.models import Customer, PurchaseKind
from crm.queries.visible import purchases_within
from loyalty.models import Entry, EntryKind, Member

RECENT: Final = timedelta(days=90)
EARNING: Final = (EntryKind.EARN, EntryKind.GIVE)
REDEEMING: Final = (EntryKind.REDEEM, EntryKind.CAPTURE)


@dataclass(frozen=True, slots=True)
class Participation:
    """Members of a program among all customers; ``earned`` and ``redeemed`` count members of the last 90 days.

    Sales are those of the last 90 days, in minor units, as far as they are seen: all of them, and what members bought.
    """

    customers: int
    members: int
    earned: int
    redeemed: int
    sales_minor: int
    members_sales_minor: int


def participation(*, program_id: int, now: datetime, location_ids: Collection[int] | None = None) -> Participation:
    """Who takes part in a program, as of now.

    Args:
        location_ids: those whose sales may be seen; all of them for ``None``.
    """
    members = Member.objects.filter(program_id=program_id, is_active=True)
    sales = purchases_within(location_ids).filter(kind=PurchaseKind.SALE, purchased_at__gt=now - RECENT, purchased_at__lte=now)
    return Participation(
        customers=Customer.objects.count(),
        members=members.count(),
        earned=_members_with(program_id, EARNING, now),
        redeemed=_members_with(program_id, REDEEMING, now),
        sales_minor=sales.aggregate(sum=Sum("total_minor"))["sum"] or 0,
        members_sales_minor=sales.filter(customer__in=members.values("customer")).aggregate(sum=Sum("total_minor"))["sum"] or 0,
    )


def _members_with(program_id: int, kinds: tuple[EntryKind, ...], now: datetime) -> int:
    recent = Entry.objects.filter(program_id=program_id, kind__in=kinds, recorded_at__gt=now - RECENT, recorded_at__lte=now)
    return recent.order_by().values("member").distinct().count()
