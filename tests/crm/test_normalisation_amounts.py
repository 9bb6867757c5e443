"""Numbers, answers and dates as spreadsheets write them."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from crm.normalisation import NormalisationError
from crm.normalisation.amounts import (
    DateOrder,
    parse_birthday,
    parse_boolean,
    parse_date,
    parse_decimal,
    parse_integer,
    parse_moment,
    parse_money,
)


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("2.55", "2.55"), ("1,234.50", "1234.50"), ("1.234,50", "1234.50"), ("12,5", "12.5"), ("1,234", "1234"), ("0,500", "0.500"), ("-0,125", "-0.125"), ("£2.10", "2.10"),
        ("(3.00)", "-3.00"), ("-7", "-7"), ("۱٬۲۳۴٫۵", "1234.5"), ("1 000", "1000"), ("USD 5", "5"), ("1.2.3", "123"), ("2,50 €", "2.50"),
    ],
)  # fmt: skip
def test_a_number_is_read_in_its_own_writing(typed: str, value: str) -> None:
    assert parse_decimal(typed) == Decimal(value)


@pytest.mark.parametrize("typed", ["", "abc", "1e999", "--1", "NaN", "Infinity", "=1+1", "."])
def test_what_is_no_number_is_refused(typed: str) -> None:
    with pytest.raises(NormalisationError):
        parse_decimal(typed)


def test_money_is_exact_in_minor_units() -> None:
    assert parse_money("2.55", currency="GBP") == 255
    assert parse_money("150,000", currency="IRR") == 150_000
    assert parse_money("1.234", currency="KWD") == 1234
    with pytest.raises(NormalisationError, match="more decimals than GBP"):
        parse_money("0.005", currency="GBP")


def test_whole_numbers_and_answers() -> None:
    assert parse_integer("17850.0") == 17850
    assert [parse_boolean(word) for word in ("yes", "TRUE", "بله", "0", "خیر")] == [True, True, True, False, False]
    for wrong in ("1.5", str(2**31)):
        with pytest.raises(NormalisationError):
            parse_integer(wrong)
    with pytest.raises(NormalisationError):
        parse_boolean("maybe")


@pytest.mark.parametrize(
    ("typed", "order", "day"),
    [
        ("2025-03-04", "dmy", date(2025, 3, 4)), ("03/04/2025", "dmy", date(2025, 4, 3)), ("03/04/2025", "mdy", date(2025, 3, 4)),
        ("4.3.2025", "dmy", date(2025, 3, 4)), ("۱۳۷۰/۰۵/۱۲", "dmy", date(1991, 8, 3)), ("2025/3/4 10:00", "dmy", date(2025, 3, 4)),
    ],
)  # fmt: skip
def test_a_date_is_read_in_its_order_and_calendar(typed: str, order: str, day: date) -> None:
    assert parse_date(typed, order=DateOrder(order)) == day


def test_impossible_days_are_refused() -> None:
    for typed, code in (("31/02/2025", "date_impossible"), ("1/2/25", "date_invalid"), ("soon", "date_invalid")):
        with pytest.raises(NormalisationError) as refused:
            parse_date(typed)
        assert refused.value.code == code
    with pytest.raises(NormalisationError):
        parse_birthday("2030-01-01", today=date(2025, 1, 1))


def test_a_moment_without_an_offset_is_on_the_clock_of_its_place() -> None:
    zone = ZoneInfo("Asia/Tehran")
    assert parse_moment("2010-12-01 08:26:00", zone=zone) == datetime(2010, 12, 1, 4, 56, tzinfo=UTC)
    assert parse_moment("2010-12-01T08:26:00Z", zone=zone) == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    assert parse_moment("۱۴۰۳/۰۱/۰۱ ۱۲:۰۰", zone=zone) == datetime(2024, 3, 20, 8, 30, tzinfo=UTC)
    assert parse_moment("3/4/2025 1:05 PM", zone=ZoneInfo("UTC"), order=DateOrder.MONTH_FIRST) == datetime(2025, 3, 4, 13, 5, tzinfo=UTC)
