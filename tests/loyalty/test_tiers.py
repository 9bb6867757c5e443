"""Tiers as a pure function of what happened and of the clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.rules.terms import Calendar, Level, TierBasis, Tiers, TierWindow, WindowKind
from loyalty.rules.tiers import Contribution, tier_standing

ZONE = ZoneInfo("America/New_York")
START = datetime(2025, 1, 10, 15, tzinfo=UTC)
DAY = timedelta(days=1)
LEVELS = (
    Level(key="base", threshold=0),
    Level(key="silver", threshold=100),
    Level(key="gold", threshold=300),
    Level(key="black", threshold=900),
)


def make_tiers(*, grace_days: int = 0, soft_landing: bool = False, window: TierWindow | None = None) -> Tiers:
    return Tiers(basis=TierBasis.SPEND, window=window or TierWindow(), grace_days=grace_days, soft_landing=soft_landing, levels=LEVELS)


def level_at(tiers: Tiers, at: datetime, *contributions: tuple[datetime, int]) -> str | None:
    standing = tier_standing(tiers, [Contribution(when, amount) for when, amount in contributions], at=at, zone=ZONE)
    return standing.level.key if standing.level else None


def test_a_member_without_purchases_has_the_tier_that_asks_for_nothing() -> None:
    assert level_at(make_tiers(), START) == "base"


def test_below_the_lowest_threshold_there_is_no_tier() -> None:
    tiers = Tiers(basis=TierBasis.SPEND, levels=LEVELS[1:])
    assert level_at(tiers, START, (START, 99)) is None


@pytest.mark.parametrize(("amount", "level"), [(99, "base"), (100, "silver"), (299, "silver"), (300, "gold"), (5_000, "black")])
def test_a_tier_is_reached_with_its_threshold(amount: int, level: str) -> None:
    assert level_at(make_tiers(), START, (START, amount)) == level


def test_a_rolling_window_lets_go_after_its_months() -> None:
    sale = (datetime(2025, 1, 31, 12, tzinfo=ZONE), 300)
    tiers = make_tiers(window=TierWindow(months=1))
    assert level_at(tiers, datetime(2025, 2, 28, 11, 59, tzinfo=ZONE), sale) == "gold"
    assert level_at(tiers, datetime(2025, 2, 28, 12, tzinfo=ZONE), sale) == "base"


def test_what_happened_at_a_months_end_leaves_a_rolling_window_each_at_its_own_time() -> None:
    tiers = make_tiers(window=TierWindow(months=1))
    hours = {29: 23, 30: 1, 31: 12}
    sales = [(datetime(2025, 1, day, hour, tzinfo=ZONE), 100) for day, hour in hours.items()]
    moments = [datetime(2025, 2, 28, hour, 30, tzinfo=ZONE) for hour in (0, 1, 11, 12, 22, 23)]
    counted = [tier_standing(tiers, [Contribution(*sale) for sale in sales], at=at, zone=ZONE).counted for at in moments]
    assert counted == [300, 200, 200, 100, 100, 0]


def test_a_calendar_year_counts_until_the_end_of_the_next() -> None:
    tiers = make_tiers(window=TierWindow(kind=WindowKind.CALENDAR))
    sale = (START, 300)
    assert level_at(tiers, datetime(2026, 12, 31, 23, 59, tzinfo=ZONE), sale) == "gold"
    assert level_at(tiers, datetime(2027, 1, 1, tzinfo=ZONE), sale) == "base"


def test_two_calendar_years_are_not_added_together() -> None:
    tiers = make_tiers(window=TierWindow(kind=WindowKind.CALENDAR))
    assert level_at(tiers, datetime(2026, 6, 1, tzinfo=ZONE), (START, 200), (datetime(2026, 2, 1, tzinfo=ZONE), 250)) == "silver"


def test_a_jalali_year_begins_at_nowruz() -> None:
    tiers = make_tiers(window=TierWindow(kind=WindowKind.CALENDAR, calendar=Calendar.JALALI))
    tehran = ZoneInfo("Asia/Tehran")
    sale = [Contribution(datetime(2025, 3, 20, 23, 59, tzinfo=tehran), 300)]  # 30 Esfand 1403
    last, first = datetime(2026, 3, 20, 23, 59, tzinfo=tehran), datetime(2026, 3, 21, tzinfo=tehran)  # 29 Esfand 1404, 1 Farvardin 1405
    keys = [standing.level.key for at in (last, first) if (standing := tier_standing(tiers, sale, at=at, zone=tehran)).level]
    assert keys == ["gold", "base"]


def test_grace_keeps_a_tier_for_its_days() -> None:
    tiers = make_tiers(grace_days=10, window=TierWindow(months=1))
    lost = datetime(2025, 2, 10, 10, tzinfo=ZONE)
    assert level_at(tiers, lost + 10 * DAY - timedelta(seconds=1), (START, 300)) == "gold"
    assert level_at(tiers, lost + 10 * DAY, (START, 300)) == "base"


def test_who_qualifies_again_within_the_grace_keeps_the_tier_and_its_date() -> None:
    tiers = make_tiers(grace_days=10, window=TierWindow(months=1))
    again = datetime(2025, 2, 15, 10, tzinfo=ZONE)
    standing = tier_standing(tiers, [Contribution(START, 300), Contribution(again, 300)], at=again + 20 * DAY, zone=ZONE)
    assert (standing.level, standing.since) == (LEVELS[2], START)


def test_a_soft_landing_loses_one_tier_for_each_window() -> None:
    tiers = make_tiers(soft_landing=True, window=TierWindow(months=1))
    sale = (datetime(2025, 1, 10, 12, tzinfo=ZONE), 900)
    found = [level_at(tiers, datetime(2025, month, 10, 12, tzinfo=ZONE), sale) for month in range(1, 6)]
    assert found == ["black", "gold", "silver", "base", "base"]


def test_the_standing_says_what_is_missing_and_when_the_tier_would_be_lost() -> None:
    standing = tier_standing(make_tiers(grace_days=5), [Contribution(START, 120)], at=START + DAY, zone=ZONE)
    assert (standing.counted, standing.next_level, standing.missing) == (120, LEVELS[2], 180)
    assert standing.until == datetime(2026, 1, 10, 10, tzinfo=ZONE) + 5 * DAY


contributions = st.lists(st.tuples(st.integers(0, 800), st.integers(1, 500)), max_size=12)


@settings(max_examples=60, deadline=None)
@given(contributions, st.randoms(use_true_random=False), st.booleans(), st.integers(0, 40))
def test_the_order_in_which_things_become_known_does_not_matter(
    found: list[tuple[int, int]], order: object, soft: bool, grace: int
) -> None:
    tiers = make_tiers(soft_landing=soft, grace_days=grace, window=TierWindow(months=3))
    sales = [Contribution(START + day * DAY, amount) for day, amount in found]
    shuffled = sales.copy()
    order.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives random.Random
    at = START + 900 * DAY
    assert tier_standing(tiers, sales, at=at, zone=ZONE) == tier_standing(tiers, shuffled, at=at, zone=ZONE)


@settings(max_examples=60, deadline=None)
@given(contributions, st.integers(0, 900), st.booleans(), st.integers(0, 40))
def test_what_is_foreseen_comes_true(found: list[tuple[int, int]], day: int, soft: bool, grace: int) -> None:
    """Until the moment at which a tier would be lost it is kept, and then it is lost."""
    tiers = make_tiers(soft_landing=soft, grace_days=grace, window=TierWindow(months=3))
    at = START + day * DAY
    sales = [Contribution(START + when * DAY, amount) for when, amount in found if START + when * DAY <= at]
    now = tier_standing(tiers, sales, at=at, zone=ZONE)
    if now.until is None or now.level is None:
        assert now.level == LEVELS[0]
        return
    just_before = tier_standing(tiers, sales, at=now.until - timedelta(seconds=1), zone=ZONE)
    then = tier_standing(tiers, sales, at=now.until, zone=ZONE)
    assert just_before.level == now.level
    assert then.level is not None
    assert then.level.threshold < now.level.threshold
