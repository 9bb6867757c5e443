"""When points become available and expire: the end of a local day, in the calendar of the terms."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from loyalty.rules.expiry import expires_at, inactive_at, matures_at
from loyalty.rules.months import end_of_day, months_later
from loyalty.rules.terms import Calendar, Expiry, ExpiryKind

NEW_YORK, TEHRAN, LONDON = ZoneInfo("America/New_York"), ZoneInfo("Asia/Tehran"), ZoneInfo("Europe/London")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2028-01-31", 1, "2028-02-29"),
        ("2028-02-29", 12, "2029-02-28"),
        ("2026-08-31", 6, "2027-02-28"),
        ("2026-12-15", 1, "2027-01-15"),
        ("2026-03-31", 0, "2026-03-31"),
    ],
)
def test_a_month_later_is_the_same_day_or_the_last_of_a_shorter_month(day: str, months: int, expected: str) -> None:
    assert months_later(date.fromisoformat(day), months, Calendar.GREGORIAN) == date.fromisoformat(expected)


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        ("2026-09-22", 1, "2026-10-22"),  # 31 Shahrivar 1405 → 30 Mehr
        ("2026-02-19", 1, "2026-03-20"),  # 30 Bahman 1404 → 29 Esfand, the last day of a common year
        ("2025-02-18", 1, "2025-03-20"),  # 30 Bahman 1403 → 30 Esfand of a leap year
        ("2025-03-20", 12, "2026-03-20"),  # 30 Esfand 1403 → 29 Esfand 1404
        ("2026-03-21", 1, "2026-04-21"),  # 1 Farvardin → 1 Ordibehesht
    ],
)
def test_jalali_months_where_chosen(day: str, months: int, expected: str) -> None:
    assert months_later(date.fromisoformat(day), months, Calendar.JALALI) == date.fromisoformat(expected)


@pytest.mark.parametrize(
    ("day", "zone", "expected"),
    [
        ("2026-03-08", NEW_YORK, "2026-03-09T04:00"),  # the day the clocks go forward is 23 hours long
        ("2026-11-01", NEW_YORK, "2026-11-02T05:00"),  # and back: 25 hours
        ("2026-03-28", LONDON, "2026-03-29T00:00"),
        ("2021-03-21", TEHRAN, "2021-03-21T20:30"),  # midnight was skipped: the next day begins at 01:00
        ("2021-09-21", TEHRAN, "2021-09-21T20:30"),  # 23:00 came twice
    ],
)
def test_a_day_ends_where_the_next_one_begins_on_the_local_clock(day: str, zone: ZoneInfo, expected: str) -> None:
    assert end_of_day(date.fromisoformat(day), zone) == utc(expected)


def test_age_counts_from_the_local_day_of_earning() -> None:
    one_month = Expiry(kind=ExpiryKind.AGE, months=1)
    assert expires_at(one_month, utc("2026-02-01T03:00"), NEW_YORK) == utc("2026-03-01T05:00")  # 31 January there
    assert expires_at(one_month, utc("2026-02-01T03:00"), ZoneInfo("UTC")) == utc("2026-03-02T00:00")


@pytest.mark.parametrize(
    ("expiry", "earned_at", "expected"),
    [
        (Expiry(kind=ExpiryKind.CALENDAR), "2026-03-01T12:00", "2027-01-01T00:00"),
        (Expiry(kind=ExpiryKind.CALENDAR), "2026-12-31T23:59", "2027-01-01T00:00"),
        (Expiry(kind=ExpiryKind.CALENDAR, months=6), "2026-08-01T12:00", "2028-01-01T00:00"),
        (Expiry(kind=ExpiryKind.CALENDAR, month=2, day=31), "2026-03-01T12:00", "2027-03-01T00:00"),
        (Expiry(kind=ExpiryKind.CALENDAR, month=2, day=31), "2027-03-01T12:00", "2028-03-01T00:00"),
        (Expiry(kind=ExpiryKind.CALENDAR, calendar=Calendar.JALALI), "2025-03-20T12:00", "2025-03-21T00:00"),
        (Expiry(kind=ExpiryKind.CALENDAR, calendar=Calendar.JALALI), "2025-03-21T12:00", "2026-03-21T00:00"),
        (Expiry(kind=ExpiryKind.NEVER), "2026-03-01T12:00", None),
    ],
)
def test_calendar_expiry_is_the_first_such_day(expiry: Expiry, earned_at: str, expected: str | None) -> None:
    assert expires_at(expiry, utc(earned_at), ZoneInfo("UTC")) == (utc(expected) if expected else None)


def test_activity_moves_the_expiry_on_until_points_have_lapsed() -> None:
    policy, earned = Expiry(kind=ExpiryKind.ACTIVITY, months=2), utc("2026-01-10T12:00")
    zone = ZoneInfo("UTC")
    assert inactive_at(policy, earned, [], zone) == utc("2026-03-11T00:00")
    assert inactive_at(policy, earned, [utc("2026-03-10T23:00")], zone) == utc("2026-05-11T00:00")
    assert inactive_at(policy, earned, [utc("2026-03-11T00:00")], zone) == utc("2026-03-11T00:00")
    assert inactive_at(policy, earned, [utc("2026-05-02T10:00"), utc("2026-03-03T10:00")], zone) == utc("2026-07-03T00:00")
    assert inactive_at(policy, earned, [utc("2025-12-01T10:00")], zone) == utc("2026-03-11T00:00")


def test_pending_points_come_at_the_end_of_a_local_day() -> None:
    assert matures_at(0, utc("2026-03-01T12:00"), NEW_YORK) is None
    assert matures_at(14, utc("2026-03-01T12:00"), NEW_YORK) == utc("2026-03-16T04:00")
