"""The demo's loyalty program: opened two weeks ago, with all that has been earned in it since."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from accounts.audit import SYSTEM
from crm.models import Purchase
from loyalty.actions.accrual import accrue_purchases
from loyalty.actions.catalogue import create_reward
from loyalty.actions.programs import activate_program, create_program, write_terms
from loyalty.actions.rewards import redeem_reward
from loyalty.actions.stamps import create_stamp_card
from loyalty.actions.tiers import update_tier
from loyalty.models import Member, Program, Reward
from loyalty.models.reward import RewardKind
from loyalty.queries.programs import TermsBook

# name, kind, points, cash in cents, stock
REWARDS: Final = (
    ("Coffee while you wait", RewardKind.PRODUCT, 50, 0, None),
    ("Pomade", RewardKind.PRODUCT, 150, 500, 40),
    ("Hot-towel shave", RewardKind.SERVICE, 300, 0, None),
)
REDEEMED: Final = 60
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
            {"key": "silver", "name": "Silver", "threshold": 4_000, "percent": 110},
            {
                "key": "gold",
                "name": "Gold",
                "threshold": 7_000,
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
    """Open the program, let it see what has been bought since it opened, and let some members have their coffee."""
    opened_at = now - OPEN_FOR
    program = create_program(name="Saffron Regulars", slug="regulars", actor=SYSTEM)
    write_terms(program=program, document=TERMS, actor=SYSTEM, now=now, valid_from=opened_at)
    activate_program(program=program, actor=SYSTEM, now=now)
    coffee, *_others, shave = _fill_catalogue(program)
    create_stamp_card(program=program, actor=SYSTEM, name="Ten visits, one shave", size=10, reward=shave)
    _earn_since(opened_at, now=now, progress=progress)
    rich = Member.objects.filter(wallet__balance__gte=coffee.points).order_by("pk").values_list("pk", flat=True)
    for member_id in rich[:REDEEMED]:
        redeem_reward(member_id=member_id, reward_id=coffee.pk, key=f"demo:coffee:{member_id}", now=now, actor=SYSTEM)


def _fill_catalogue(program: Program) -> list[Reward]:
    return [
        create_reward(program=program, actor=SYSTEM, name=name, kind=kind, points=points, cash_minor=cash_minor, stock=stock)
        for name, kind, points, cash_minor, stock in REWARDS
    ]


def _earn_since(opened_at: datetime, *, now: datetime, progress: Callable[[str], None]) -> None:
    recent = Purchase.objects.filter(purchased_at__gte=opened_at, purchased_at__lte=now, customer__isnull=False)
    receipts = list(recent.order_by("purchased_at", "id").values_list("pk", flat=True))
    for start in range(0, len(receipts), BATCH):
        accrue_purchases(purchase_ids=receipts[start : start + BATCH], now=now)
        progress(f"points: {min(start + BATCH, len(receipts)):,} of {len(receipts):,} receipts")
    book = TermsBook()
    for member_id in Member.objects.values_list("pk", flat=True):
        update_tier(member_id=member_id, now=now, book=book)
