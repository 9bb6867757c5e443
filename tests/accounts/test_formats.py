from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone, translation

from accounts.fields import DayField, DayInput, MomentField, MomentInput, NumberField
from accounts.formats import format_day, format_moment, format_money, format_number, format_percent
from accounts.formulas import restored_cell, safe_cell
from config.mended_static import DAY_PICKER, MendedFinder, logical


@pytest.mark.parametrize(
    ("minor", "currency", "unit", "english", "persian"),
    [
        (123456, "USD", "currency", "$1,234.56", "\u2066$۱٬۲۳۴٫۵۶\u2069"),
        (-500, "EUR", "currency", "−€5.00", "\u2066−€۵٫۰۰\u2069"),
        (-1500, "JPY", "currency", "−1,500 JPY", "\u2066−۱٬۵۰۰ JPY\u2069"),
        (1500, "JPY", "currency", "1,500 JPY", "۱٬۵۰۰ JPY"),
        (1234, "KWD", "currency", "1.234 KWD", "۱٫۲۳۴ KWD"),
        (3500000, "IRR", "toman", "350,000 tomans", "۳۵۰٬۰۰۰ تومان"),
        (3500000, "IRR", "currency", "3,500,000 rials", "۳٬۵۰۰٬۰۰۰ ریال"),
        (None, "USD", "currency", "–", "–"),
    ],
)
def test_money_reads_in_the_readers_digits_and_the_organizations_unit(
    minor: int | None, currency: str, unit: str, english: str, persian: str
) -> None:
    with translation.override("en"):
        assert format_money(minor, currency, unit) == english
    with translation.override("fa"):
        assert format_money(minor, currency, unit) == persian


@pytest.mark.parametrize(
    ("day", "english", "persian"),
    [
        (date(2026, 11, 20), "Nov 20, 2026", "۲۹ آبان ۱۴۰۵"),
        (date(2025, 3, 20), "Mar 20, 2025", "۳۰ اسفند ۱۴۰۳"),
        (date(2025, 3, 21), "Mar 21, 2025", "۱ فروردین ۱۴۰۴"),
    ],
)
def test_days_read_in_the_readers_calendar(day: date, english: str, persian: str) -> None:
    with translation.override("en"):
        assert format_day(day) == english
    with translation.override("fa"):
        assert format_day(day) == persian


def test_moments_read_in_the_organizations_time_zone() -> None:
    late = datetime(2025, 3, 20, 22, 30, tzinfo=UTC)
    with translation.override("en"), timezone.override("Asia/Tehran"):
        assert format_moment(late) == "Mar 21, 2025, 02:00"


@pytest.mark.parametrize(
    ("language", "zone", "moment", "shown"),
    [
        ("en", "Asia/Tehran", datetime(9999, 12, 31, 23, 30, tzinfo=UTC), "Dec 31, 9999, 23:30"),
        ("en", "America/New_York", datetime(1, 1, 1, 0, 30, tzinfo=UTC), "Jan 1, 0001, 00:30"),
        ("fa", "Asia/Tehran", datetime(9999, 12, 31, 23, 30, tzinfo=UTC), "۹۹۹۹-۱۲-۳۱، ۲۳:۳۰"),
        ("fa", "UTC", datetime(203, 11, 20, 8, 0, tzinfo=UTC), "۰۲۰۳-۱۱-۲۰، ۰۸:۰۰"),
    ],
)
def test_moments_that_no_clock_or_calendar_of_the_reader_has_are_shown_all_the_same(
    language: str, zone: str, moment: datetime, shown: str
) -> None:
    with translation.override(language), timezone.override(zone):
        assert format_moment(moment) == shown
        assert MomentInput().decompress(moment)[0] == moment.date()


def test_a_birthday_before_the_jalali_calendar_can_be_corrected_in_persian() -> None:
    with translation.override("fa"):
        assert format_day(date(300, 1, 1)) == "۰۳۰۰-۰۱-۰۱"
        assert 'value="۰۳۰۰-۰۱-۰۱"' in DayInput().render("birthday", date(300, 1, 1))


def test_numbers_and_shares() -> None:
    with translation.override("en"):
        assert (format_number(1234567), format_number(None), format_percent(312, 1000), format_percent(1, 0)) == (
            "1,234,567",
            "–",
            "31.2%",
            "–",
        )
    with translation.override("fa"):
        assert (format_number(1234567), format_percent(0.312)) == ("۱٬۲۳۴٬۵۶۷", "۳۱٫۲٪")
        assert (format_number(-5), format_percent(-0.75)) == ("\u2066−۵\u2069", "\u2066−۷۵٫۰٪\u2069")


@pytest.mark.parametrize("typed", ["1404-01-01", "۱۴۰۴/۰۱/۰۱", "2025-03-21", "١٤٠٤-٠١-٠١"])
def test_a_persian_page_takes_both_calendars_and_every_digit(typed: str) -> None:
    with translation.override("fa"):
        assert DayField().clean(typed) == date(2025, 3, 21)


@pytest.mark.parametrize("typed", ["0300-01-01", "1699-12-31", "2200-01-01", "9999-12-31"])
def test_a_day_that_nobody_means_is_refused(typed: str) -> None:
    with translation.override("en"), pytest.raises(ValidationError) as refused:
        DayField().clean(typed)
    assert refused.value.messages == ["Give a day between Jan 1, 1700 and Dec 31, 2199."]


@pytest.mark.parametrize(("zone", "day"), [("America/New_York", "9999-12-31"), ("Asia/Tehran", "0001-01-01"), ("UTC", "1403-01-31")])
def test_a_moment_outside_of_this_century_is_refused(zone: str, day: str) -> None:
    with translation.override("en"), timezone.override(zone):
        with pytest.raises(ValidationError) as refused:
            MomentField().clean([day, "23:30"])
        assert [MomentField().clean([edge, "23:30"]).year for edge in ("2000-01-01", "2099-12-31")] == [2000, 2099]
    assert refused.value.messages == ["Give a day between Jan 1, 2000 and Dec 31, 2099."]


def test_a_moment_is_kept_in_utc() -> None:
    with translation.override("fa"), timezone.override("Asia/Tehran"):
        assert MomentField().clean(["۱۴۰۴-۰۱-۰۱", "02:00"]).astimezone(UTC) == datetime(2025, 3, 20, 22, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"), ("+SUM(A1)", "'+SUM(A1)"), ("-2+3", "'-2+3"), ("@x", "'@x"), ("\t=1", "'\t=1"), ("|calc", "'|calc"),
        ("+12025550123", "+12025550123"), (-12.5, "-12.5"), ("-", "'-"), (None, ""), ("Dana", "Dana"), (date(2026, 1, 2), "2026-01-02"),
    ],
)  # fmt: skip
def test_no_cell_runs_in_a_spreadsheet(value: object, cell: str) -> None:
    assert safe_cell(value) == cell
    assert restored_cell(cell) == ("" if value is None else str(value))


@pytest.mark.parametrize("text", ["'=1", "''=1", "'t Hooft", "'+5", "+5", "'", "''", "", "'-", "a'=b"])
def test_what_looks_held_back_comes_back_as_it_was(text: str) -> None:
    assert restored_cell(safe_cell(text)) == text


def test_sides_become_starts_and_ends() -> None:
    css = ".a{left:0;margin-left:-1px;text-align:right}.b{border-top-left-radius:1px;border-left-width:2px;float:left}.left{color:red}"
    assert logical(css) == (
        ".a{inset-inline-start:0;margin-inline-start:-1px;text-align:end}"
        ".b{border-start-start-radius:1px;border-inline-start-width:2px;float:inline-start}.left{color:red}"
    )


@pytest.mark.parametrize("typed", ["1200", "1,200", " 1 200 ", "۱٬۲۰۰", "١٢٠٠"])
def test_a_number_is_taken_in_any_digits(typed: str) -> None:
    assert NumberField().clean(typed) == 1200


@pytest.mark.parametrize("typed", ["12a", "۱٫۵", "1.5", "–"])
def test_what_is_no_whole_number_is_refused(typed: str) -> None:
    with pytest.raises(ValidationError):
        NumberField().clean(typed)


def test_the_day_picker_is_served_so_that_it_takes_fields_which_come_later() -> None:
    script = Path(MendedFinder().find(DAY_PICKER)).read_text(encoding="utf-8")
    assert 'document.addEventListener("focus"' in script
    assert 'querySelectorAll("input[data-jalali-datepicker]").forEach(attach)' not in script
