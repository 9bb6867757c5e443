"""The main job's segment on real purchases, against numbers worked out from the file by itself."""

import csv
import gzip
from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command

from accounts.tenancy import tenant
from segmentation.queries import rules_customers
from tests.conftest import Cast

FILE = "retail/online_retail_2010-12_2011-03.csv.gz"
FIRST_OF_APRIL = datetime(2011, 4, 1, tzinfo=ZoneInfo("America/New_York"))
SPENT_AND_QUIET = {
    "all": [
        {"field": "spent", "op": "more_than", "value": 50_000},
        {"none": [{"event": "purchase.completed", "when": {"last": {"days": 30}}}]},
    ]
}


def by_the_file(path: Path) -> set[str]:
    """Customers whose lines come to more than 500, and none of whose sales is of the last 30 days before April."""
    spent: dict[str, Decimal] = defaultdict(Decimal)
    last_sale: dict[str, datetime] = {}
    with gzip.open(path, "rt", encoding="utf-8-sig", errors="replace") as lines:
        for line in csv.DictReader(lines):
            if not (customer := line["CustomerID"].split(".")[0].strip()):
                continue
            spent[customer] += int(line["Quantity"]) * Decimal(line["UnitPrice"])
            if not line["InvoiceNo"].startswith("C"):
                at = datetime.fromisoformat(line["InvoiceDate"])
                last_sale[customer] = max(at, last_sale.get(customer, at))
    quiet_since = datetime(2011, 3, 2)  # noqa: DTZ001 - wall clock, as in the file
    return {one for one, total in spent.items() if total > 500 and not (one in last_sale and last_sale[one] >= quiet_since)}


@pytest.mark.realdata
def test_who_spent_over_500_and_was_quiet_for_30_days_before_april_2011(committed_cast: Cast, shared_data: Path) -> None:
    path = shared_data / FILE
    call_command("import_data", "purchases", str(path), organization="saffron", workers=1, verbosity=0)
    expected = by_the_file(path)
    assert len(expected) == 362
    with tenant(committed_cast.saffron.pk):
        chosen = rules_customers(SPENT_AND_QUIET, now=FIRST_OF_APRIL)
        assert set(chosen.values_list("external_id", flat=True)) == expected
        by_facts = {"all": [SPENT_AND_QUIET["all"][0], {"field": "last_purchase_at", "op": "not_in_last", "value": {"days": 30}}]}
        assert set(rules_customers(by_facts, now=FIRST_OF_APRIL).values_list("external_id", flat=True)) == expected
