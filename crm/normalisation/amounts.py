"""Numbers, yes-and-no and dates as spreadsheets and tills write them."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from persiantools.jdatetime import JalaliDate

from accounts.currencies import currency_exponent
from crm.normalisation.digits import latin_digits
from crm.normalisation.errors import NormalisationError

_YES: Final = frozenset(
    [
        "1",
        "y",
        "yes",
        "true",
        "t",
        "on",
        "x",
        "ok",
        "بله",
        "بلی",
        "آری",
        "هست",
        "فعال",
        "subscribed",
        "granted",
        "opted-in",
        "opt-in",
        "✓",
        "✔",
    ]
)
_NO: Final = frozenset(
    ["0", "n", "no", "false", "f", "off", "-", "خیر", "نه", "نیست", "unsubscribed", "withdrawn", "opted-out", "opt-out", "denied"]
)
_MARKS: Final = re.compile(r"[\s\u00a0\u202f\u200c\u200e\u200f'_]")
_CURRENCY: Final = re.compile(r"^(?:[A-Z]{3}|[^\W\d]*[$€£¥₺﷼₹]|تومان|ریال)|(?:[A-Z]{3}|[$€£¥₺﷼₹]|تومان|ریال)$")
_DATE: Final = re.compile(r"(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})")
_TIME: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?\s*([AaPp][Mm])?")


class DateOrder(StrEnum):
    """How a date such as 03/04/2025 is read; four digits first are always year, month, day."""

    DAY_FIRST = "dmy"
    MONTH_FIRST = "mdy"


def parse_decimal(text: str) -> Decimal:
    """A number with the separators of English, European or Persian writing; a sole comma or point before three
    digits is read as a thousands separator only when it is a comma, and more than a nought stands before it."""
    number = _MARKS.sub("", latin_digits(text)).replace("٫", ".").replace("٬", ",").replace("−", "-")
    negative = number.startswith("(") and number.endswith(")")
    number = number.strip("()")
    sign = "-" if number.startswith("-") else ""
    number = _CURRENCY.sub("", number[1:] if number[:1] in ("+", "-") else number)
    if number.startswith("-") and not sign:
        sign, number = "-", number[1:]
    try:
        if not re.fullmatch(r"[0-9.,]*[0-9][0-9.,]*(?:[eE][+-]?[0-9]{1,2})?", number):
            raise InvalidOperation
        value = Decimal(sign + _plain_separators(number))
    except InvalidOperation as error:
        raise NormalisationError("number_invalid", "This is not a number.") from error
    return -value if negative else value


def _plain_separators(number: str) -> str:
    comma, point = number.rfind(","), number.rfind(".")
    if comma >= 0 and point >= 0:
        decimal, thousands = (",", ".") if comma > point else (".", ",")
        return number.replace(thousands, "").replace(decimal, ".")
    if number.count(",") > 1 or re.fullmatch(r"[1-9]\d{0,2},\d{3}", number):
        return number.replace(",", "")
    if number.count(".") > 1:
        return number.replace(".", "")
    return number.replace(",", ".")


def parse_money(text: str, *, currency: str) -> int:
    """An amount in minor units of ``currency``; refuses one that needs finer units than the currency has."""
    minor = parse_decimal(text).scaleb(currency_exponent(currency))
    if minor != minor.to_integral_value():
        raise NormalisationError("money_too_fine", "The amount has more decimals than %(currency)s has.", currency=currency)
    if abs(minor) > 10**15:
        raise NormalisationError("number_too_large", "The number is too large.")
    return int(minor)


def parse_integer(text: str) -> int:
    """A whole number; 12.0 is one too, as spreadsheets write it."""
    value = parse_decimal(text)
    if value != value.to_integral_value():
        raise NormalisationError("number_not_whole", "This is not a whole number.")
    if abs(value) >= 2**31:
        raise NormalisationError("number_too_large", "The number is too large.")
    return int(value)


def parse_boolean(text: str) -> bool:
    """Yes or no in the words of English and Persian spreadsheets."""
    word = latin_digits(text).strip().casefold()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise NormalisationError("boolean_invalid", "This is neither yes nor no.")


def parse_date(text: str, *, order: DateOrder = DateOrder.DAY_FIRST) -> date:
    """A calendar date: ISO, with slashes or points, or of the Jalali calendar (years 1200 to 1500)."""
    found = _DATE.match(latin_digits(text).strip())
    if found is None:
        raise NormalisationError("date_invalid", "This is not a date such as 2025-03-31.")
    first, middle, last = found.groups()
    if len(first) == 4:
        year, month, day = int(first), int(middle), int(last)
    elif len(last) == 4:
        year = int(last)
        day, month = (int(first), int(middle)) if order is DateOrder.DAY_FIRST else (int(middle), int(first))
    else:
        raise NormalisationError("date_invalid", "The year of the date needs four digits.")
    try:
        if 1200 <= year <= 1500:
            gregorian: date = JalaliDate(year, month, day).to_gregorian()  # type: ignore[no-untyped-call]  # the library has no types
            return gregorian
        return date(year, month, day)
    except ValueError as error:
        raise NormalisationError("date_impossible", "There is no such day in the calendar.") from error


def parse_birthday(text: str, *, today: date, order: DateOrder = DateOrder.DAY_FIRST) -> date:
    """A birthday: a date that is past and less than 130 years ago."""
    day = parse_date(text, order=order)
    check_birthday(day, today)
    return day


def check_birthday(day: date, today: date) -> None:
    """Refuse a birthday in the future, or of more than 130 years ago."""
    if not today.year - 130 <= day.year or day > today:
        raise NormalisationError("birthday_impossible", "The birthday is in the future or too long ago.")


def parse_moment(text: str, *, zone: ZoneInfo, order: DateOrder = DateOrder.DAY_FIRST) -> datetime:
    """A point in time as UTC; without an offset of its own it is read on the clock of ``zone``."""
    plain = latin_digits(text).strip()
    try:
        moment = datetime.fromisoformat(plain) if plain[:2] > "15" else _loose_moment(plain, order)
    except ValueError:
        moment = _loose_moment(plain, order)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    if not 1900 <= moment.year <= 2200:
        raise NormalisationError("date_impossible", "The date is too far away.")
    return moment.astimezone(UTC)


def _loose_moment(text: str, order: DateOrder) -> datetime:
    day = parse_date(text, order=order)
    found = _DATE.match(text)
    rest = text[found.end() :].strip(" \tT،,") if found else ""
    if not rest:
        return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - the caller adds the zone
    clock = _TIME.fullmatch(rest)
    if clock is None:
        raise NormalisationError("date_invalid", "This is not a time such as 2025-03-31 14:05.")
    hour, minute, second, half = int(clock[1]), int(clock[2]), int(clock[3] or 0), (clock[4] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            raise NormalisationError("date_invalid", "This is not a time of day.")
        hour = hour % 12 + (12 if half == "pm" else 0)
    try:
        return datetime(day.year, day.month, day.day, hour, minute, second)  # noqa: DTZ001 - the caller adds the zone
    except ValueError as error:
        raise NormalisationError("date_impossible", "There is no such time of day.") from error
