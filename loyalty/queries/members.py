"""Finding members, and what their pages show of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch, QuerySet, Sum

from accounts.pagination import COUNTED_AT_MOST
from accounts.queries import current_organization
from crm.models import Customer
from crm.normalisation.digits import latin_digits
from crm.queries.search import find_by_any_word, find_customers
from loyalty.actions.members import NUMBER_LENGTH
from loyalty.actions.points import SPENDING
from loyalty.codes import ALPHABET
from loyalty.models import Entry, EntryKind, LotRemainder, Member, Posting, VoucherState
from loyalty.rules.postings import Account

MEMBERS_SHOWN = 10


def members() -> QuerySet[Member]:
    """Members with what a list shows of them."""
    return Member.objects.select_related("customer", "program", "wallet")


def member_number(text: str) -> str:
    """The member number that was typed or scanned, or nothing."""
    number = "".join(latin_digits(text).upper().replace("-", " ").split())
    return number if len(number) == NUMBER_LENGTH and set(number) <= set(ALPHABET) else ""


def find_members(text: str) -> QuerySet[Member]:
    """Members whose number it is, or whose name, phone or e-mail begins with it."""
    if number := member_number(text):
        return members().filter(number=number)
    # All that are found, for being a member narrows them further.
    return members().filter(customer__in=_customers(text, at_most=None).order_by().values("pk"))


def find_people(text: str) -> list[Customer]:
    """Customers by what the counter types, each with their members (``customer.loyalty_members``)."""
    number = member_number(text)
    found = Customer.objects.filter(loyalty_members__number=number) if number else _customers(text)
    return list(found.prefetch_related(Prefetch("loyalty_members", members()))[:MEMBERS_SHOWN])


def _customers(text: str, *, at_most: int | None = COUNTED_AT_MOST + 1) -> QuerySet[Customer]:
    found = find_customers(text, region=current_organization().region, at_most=at_most)
    return found if found.exists() else find_by_any_word(text)


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """An entry with what it did to each of the member's accounts, the balance after it, and how much of it can be undone."""

    entry: Entry
    wallet: int
    pending: int
    held: int
    debt: int
    balance: int
    undoable: bool


def history(member: Member) -> QuerySet[Entry]:
    """A member's entries, the latest first."""
    return (
        Entry.objects.filter(member=member)
        .select_related("purchase", "origin", "terms")
        .prefetch_related("vouchers__reward")
        .order_by("-sequence")
    )


def history_lines(member: Member, entries: Sequence[Entry]) -> list[HistoryLine]:
    """The lines of one page of the history."""
    if not entries:
        return []
    ids = [entry.pk for entry in entries]
    changes: dict[tuple[int, str], int] = {}
    for entry_id, account, amount in Posting.objects.filter(entry__in=ids).order_by().values_list("entry", "account", "amount"):
        changes[(entry_id, account)] = changes.get((entry_id, account), 0) + amount
    balance = _balance_after(member, entries[0])
    undoable = _undoable(entries)
    lines = []
    for entry in entries:
        wallet, pending, held, debt = (changes.get((entry.pk, account), 0) for account in MEMBER_ACCOUNTS)
        lines.append(HistoryLine(entry, wallet, pending, held, -debt, balance, entry.pk in undoable))
        balance -= wallet
    return lines


MEMBER_ACCOUNTS = (Account.WALLET, Account.PENDING, Account.HELD, Account.DEBT)


def _balance_after(member: Member, entry: Entry) -> int:
    until = Posting.objects.filter(entry__member=member, entry__sequence__gt=entry.sequence, account=Account.WALLET)
    return member.wallet.balance - int(until.aggregate(sum=Sum("amount"))["sum"] or 0)


def _undoable(entries: Sequence[Entry]) -> set[int]:
    """Redemptions and takings of which something is left and whose voucher nobody has used, and gifts that nobody has touched."""
    taken = [entry for entry in entries if entry.kind in SPENDING]
    redeemed = {entry.pk: entry.amount for entry in taken if all(one.state == VoucherState.ISSUED for one in entry.vouchers.all())}
    given = {entry.pk: entry.amount for entry in entries if entry.kind == EntryKind.GIVE}
    undone = dict(
        Entry.objects.filter(origin__in=redeemed, kind=EntryKind.UNDO).order_by().values_list("origin").annotate(sum=Sum("amount"))
    )
    whole = LotRemainder.objects.filter(lot__in=given).values_list("lot", "available", "pending")
    return {pk for pk, amount in redeemed.items() if undone.get(pk, 0) < amount} | {
        pk for pk, available, pending in whole if available + pending == given[pk]
    }


@dataclass(frozen=True, slots=True)
class NextExpiry:
    """What of a member's points expires next, in whatever lots it is."""

    expires_at: datetime
    available: int


def next_expiry(member: Member, *, now: datetime) -> NextExpiry | None:
    """What a member has to use first, or nothing that expires."""
    lots = open_lots(member).filter(available__gt=0, expires_at__gt=now)
    row = lots.order_by("expires_at").values_list("expires_at").annotate(sum=Sum("available")).first()
    return NextExpiry(*row) if row else None


def open_lots(member: Member) -> QuerySet[LotRemainder]:
    """Lots of which something is left, in the order they are spent."""
    return LotRemainder.objects.filter(is_open=True, member=member).order_by("expires_at", "earned_at", "lot")
