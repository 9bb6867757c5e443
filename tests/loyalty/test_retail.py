"""A web shop's sales, earned, refunded and expired: one balance each, however they come and however often."""

import csv
import gzip
import io
import os
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path

import pytest
from django.db.models import Sum

from accounts.actions import create_organization
from accounts.audit import SYSTEM
from accounts.models import Organization
from accounts.tenancy import tenant
from crm.models import Customer, Purchase
from loyalty.actions.accrual import accrue_purchases
from loyalty.actions.programs import activate_program, create_program, write_terms
from loyalty.actions.sweeping import settle_due_wallets
from loyalty.models import Entry, Posting, Wallet
from tests.crm.import_files import imported
from tests.loyalty.program_stage import broken

FILE = "retail/online_retail_2010-12_2011-03.csv.gz"
# All customers with CHAOS=full, which takes minutes; else one in so many.
ONE_IN = 1 if os.environ.get("CHAOS") == "full" else 12
BEGIN, END = datetime(2010, 11, 1, tzinfo=UTC), datetime(2011, 4, 1, tzinfo=UTC)
TERMS = {"earn": [{"key": "sales", "on": "amount", "points": 1, "per_minor": 100}], "expiry": {"kind": "age", "months": 2}}
REPLAYS, CHUNKS = 10, 12
Row = dict[str, str]


@dataclass(frozen=True)
class Receipts:
    """Lines of the file by receipt, for some of its customers."""

    header: Sequence[str]
    rows: dict[str, list[Row]]

    def file(self, numbers: Iterable[str]) -> str:
        text = io.StringIO()
        writer = csv.DictWriter(text, self.header)
        writer.writeheader()
        writer.writerows(row for number in numbers for row in self.rows[number])
        return text.getvalue()

    def week(self, number: str) -> int:
        return (datetime.fromisoformat(self.rows[number][0]["InvoiceDate"]).replace(tzinfo=UTC) - BEGIN).days // 7


def read(path: Path) -> Receipts:
    rows: dict[str, list[Row]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8-sig", errors="replace") as lines:
        reader = csv.DictReader(lines)
        for row in reader:
            if (customer := row["CustomerID"].split(".")[0].strip()) and int(customer) % ONE_IN == 0:
                rows[row["InvoiceNo"]].append(row)
    return Receipts(list(reader.fieldnames or []), rows)


def open_shop(slug: str) -> Organization:
    shop = create_organization(name=slug.title(), slug=slug, time_zone="Europe/London")
    with tenant(shop.pk):
        Organization.objects.filter(pk=shop.pk).update(currency="GBP", region="GB")
        program = create_program(name="Points", slug="points", actor=SYSTEM)
        write_terms(program=program, document=TERMS, actor=SYSTEM, now=BEGIN)
        activate_program(program=program, actor=SYSTEM, now=END)
    return shop


def arrive(shop: Organization, content: str, *, now: datetime, order: random.Random | None = None) -> None:
    """Receipts come in by a file, are accrued in batches, and what is due then is settled."""
    with tenant(shop.pk):
        known = set(Purchase.objects.values_list("pk", flat=True))
    imported(shop, SYSTEM, content, kind="purchases")
    with tenant(shop.pk):
        new = list(Purchase.objects.exclude(pk__in=known).order_by("pk").values_list("pk", flat=True))
    accrue(shop, new, now=now, order=order)


def accrue(shop: Organization, purchases: list[int], *, now: datetime, order: random.Random | None = None) -> None:
    if order:
        order.shuffle(purchases)
    for start in range(0, len(purchases), 1_000):
        with tenant(shop.pk):
            accrue_purchases(purchase_ids=purchases[start : start + 1_000], now=now)
    while settle_due_wallets(organization_id=shop.pk, now=now):
        pass


def balances(shop: Organization) -> dict[str, tuple[int, ...]]:
    """By customer: balance, held, pending, debt; issued, expired and reversed over all time."""
    with tenant(shop.pk):
        rows = Wallet.objects.values_list("member_id", "member__customer__external_id", "balance", "held", "pending", "debt")
        wallets = {member: (name, tuple(standing)) for member, name, *standing in rows}
        sums: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        totals = Posting.objects.order_by().values_list("entry__member_id", "account").annotate(sum=Sum("amount"))
        for member, account, total in totals:
            sums[member][account] = total
        assert {sum(accounts.values()) for accounts in sums.values()} == {0}
        return {name: (*now, *(sums[member][one] for one in ("issued", "expired", "reversed"))) for member, (name, now) in wallets.items()}


def earned_by_the_file(receipts: Receipts) -> int:
    """A point per pound of every sale, rounded down."""
    sales = [rows for number, rows in receipts.rows.items() if not number.startswith("C")]
    totals = [sum(int(row["Quantity"]) * Decimal(row["UnitPrice"]) for row in rows) for rows in sales]
    return sum(int(total) for total in totals if total > 0)


@pytest.mark.realdata
@pytest.mark.chaos
def test_a_shops_sales_give_one_balance_in_one_go_week_by_week_in_shuffled_chunks_and_replayed(
    committed_db: None, shared_data: Path
) -> None:
    receipts = read(shared_data / FILE)
    order = random.Random(7)
    at_once, weekly, shuffled = (open_shop(slug) for slug in ("at-once", "weekly", "shuffled"))

    arrive(at_once, receipts.file(receipts.rows), now=END)
    for week, numbers in groupby(sorted(receipts.rows, key=receipts.week), receipts.week):
        arrive(weekly, receipts.file(numbers), now=min(BEGIN + timedelta(days=7 * week + 8), END))
    accrue(weekly, [], now=END)
    mixed = order.sample(sorted(receipts.rows), len(receipts.rows))
    for chunk in range(CHUNKS):
        arrive(shuffled, receipts.file(mixed[chunk::CHUNKS]), now=END, order=order)

    expected = balances(at_once)
    with tenant(at_once.pk):
        assert len(expected) == Customer.objects.filter(purchases__kind="sale").distinct().count()
    assert -sum(issued for *_standing, issued, _expired, _reversed in expected.values()) == earned_by_the_file(receipts)
    assert min(sum(one[place] for one in expected.values()) for place in (0, 5, 6)) > 0
    assert balances(weekly) == expected
    assert balances(shuffled) == expected
    for shop in (at_once, weekly, shuffled):
        with tenant(shop.pk):
            assert broken() == {}

    with tenant(shuffled.pk):
        heads = dict(Wallet.objects.values_list("member_id", "head"))
        entries = Entry.objects.count()
        purchases = list(Purchase.objects.values_list("pk", flat=True))
    for _replay in range(REPLAYS):
        accrue(shuffled, purchases, now=END, order=order)
    arrive(shuffled, receipts.file(receipts.rows), now=END)
    with tenant(shuffled.pk):
        assert (Entry.objects.count(), dict(Wallet.objects.values_list("member_id", "head"))) == (entries, heads)
    assert balances(shuffled) == expected
