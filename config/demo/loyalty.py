"""The demo's loyalty program: opened two weeks ago, with all that has been earned in it since."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from accounts.audit import SYSTEM
from crm.models import Purchase
from loyalty.actions.accrual import accrue_purchases
from loyalty.actions.programs import activate_program, create_program, write_terms
from loyalty.actions.tiers import update_tier
from loyalty.models import Member
from loyalty.queries.programs import TermsBook

OPEN_FOR: Final = timedelta(days=14)
BATCH: Final = 200
TERMS: Final[dict[str, Any]] = {
    "redemption": {"points": 100, "minor": 500, "smallest": 100},
    "redeemed_share": 80,
    "expiry": {"kind": "age", "months": 12},
    "earn": [
        {"key": "sales", "name": "A point for every dollar", "on": "amount", "points": 1, "per_minor": 100},
        {"key": "products", "name": "Ten more for each product", "on": "category", "categories": ["Products"], "points": 10},
        {"key": "welcome", "name": "Welcome", "on": "sign_up", "points": 50},
        {"key": "birthday", "name": "Birthday", "on": "birthday", "points": 100},
        {"key": "friends", "name": "Bring a friend", "on": "referral", "points": 200},
    ],
    "multipliers": [{"key": "tuesdays", "name": "Double points on Tuesdays", "percent": 200, "weekdays": [1]}],
    "tiers": {
        "basis": "spend",
        "window": {"kind": "rolling", "months": 12},
        "grace_days": 30,
        "soft_landing": True,
        "levels": [
            {"key": "regular", "name": "Regular", "threshold": 0},
            {"key": "silver", "name": "Silver", "threshold": 10_000, "percent": 110},
            {
                "key": "gold",
                "name": "Gold",
                "threshold": 20_000,
                "percent": 125,
                "benefits": [
                    {"kind": "priority", "text": "First choice of appointments"},
                    {"kind": "free_service", "text": "A free beard trim on your birthday"},
                ],
            },
        ],
    },
}


def open_program(*, now: datetime, progress: Callable[[str], None]) -> None:
    """Open the program and let it see what has been bought since it opened, in the order in which it happened."""
    opened_at = now - OPEN_FOR
    program = create_program(name="Saffron Regulars", slug="regulars", actor=SYSTEM)
    write_terms(program=program, document=TERMS, actor=SYSTEM, now=now, valid_from=opened_at)
    activate_program(program=program, actor=SYSTEM, now=now)
    recent = Purchase.objects.filter(purchased_at__gte=opened_at, purchased_at__lte=now, customer__isnull=False)
    receipts = list(recent.order_by("purchased_at", "id").values_list("pk", flat=True))
    for start in range(0, len(receipts), BATCH):
        accrue_purchases(purchase_ids=receipts[start : start + BATCH], now=now)
        progress(f"points: {min(start + BATCH, len(receipts)):,} of {len(receipts):,} receipts")
    book = TermsBook()
    for member_id in Member.objects.values_list("pk", flat=True):
        update_tier(member_id=member_id, now=now, book=book)
