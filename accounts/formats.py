"""How numbers, money and moments read in the reader's language: Persian digits and Jalali dates in Persian."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final, TypeVar

from django.contrib.humanize.templatetags.humanize import naturaltime
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language, pgettext
from django.utils.translation import gettext as _
from persiantools.jdatetime import JalaliDate

from accounts.currencies import currency_exponent, currency_sign

_ISOLATE: Final = "\N{LEFT-TO-RIGHT ISOLATE}"
_END_OF_ISOLATE: Final = "\N{POP DIRECTIONAL ISOLATE}"
_SATURDAY: Final = 5  # the first day of the Persian week
_Day = TypeVar("_Day")
_PERSIAN_DIGITS: Final = {ord("0") + digit: chr(0x06F0 + digit) for digit in range(10)}
JALALI_MONTHS: Final = ["فروردین", "اردیبهشت", "خرداد", "تیر", "مرداد", "شهریور", "مهر", "آبان", "آذر", "دی", "بهمن", "اسفند"]
RELATIVE_DAYS: Final = 7


def is_persian() -> bool:
    """Whether the page is read in Persian."""
    return (get_language() or "").startswith("fa")


def in_week_order(days: Sequence[_Day]) -> list[_Day]:
    """The seven days of a week, given from Monday on, as the reader's week goes."""
    first = _SATURDAY if is_persian() else 0
    return [*days[first:], *days[:first]]


def digits(text: str) -> str:
    """``text`` with the digits of the reader's language; never for codes, addresses and phone numbers."""
    return text.translate(_PERSIAN_DIGITS).replace(",", "٬") if is_persian() else text


def format_number(value: Any, decimals: int | None = None) -> str:
    """A number with its thousands grouped."""
    if value is None or value == "":
        return "–"
    plain = (f"{value:,}" if decimals is None else f"{value:,.{decimals}f}").replace("-", "−")
    if not is_persian():
        return plain
    shown = plain.replace(".", "\x00").replace(",", "٬").replace("\x00", "٫").translate(_PERSIAN_DIGITS)
    return in_one_run(shown) if shown.startswith("−") else shown


def in_one_run(text: str) -> str:
    """Keep the sign before a number where it is: among Persian words it would go to the number's other end.

    An isolate and no mark, so that two numbers beside each other do not change places.
    """
    return f"{_ISOLATE}{text.replace(_ISOLATE, '').replace(_END_OF_ISOLATE, '')}{_END_OF_ISOLATE}" if is_persian() else text


def format_percent(part: float | None, whole: float | None = None) -> str:
    """``31.2%`` of a share, or of a part and its whole; a dash where there is no whole."""
    share = part if whole is None else (part or 0) / whole if whole else None
    if share is None:
        return "–"
    shown = format_number(100 * share, 1) + ("٪" if is_persian() else "%")
    return in_one_run(shown) if share < 0 else shown


def format_money(minor: int | None, currency: str, money_unit: str = "currency") -> str:
    """An amount in minor units with its currency; rials as tomans where the organization chose so."""
    if minor is None:
        return "–"
    if currency == "IRR":
        return _rials(minor, money_unit)
    exponent = currency_exponent(currency)
    amount = format_number(abs(minor) / 10**exponent, exponent) if exponent else format_number(abs(minor))
    sign = "−" if minor < 0 else ""
    symbol = currency_sign(currency)
    shown = f"{sign}{symbol}{amount}" if symbol else f"{sign}{amount} {currency}"
    return shown if shown.startswith(amount) else in_one_run(shown)


def money_unit_of(currency: str, money_unit: str = "currency") -> tuple[int, str]:
    """How many minor units are one of the unit that amounts are shown in, and its name, for the axis of a chart."""
    if currency == "IRR" and money_unit == "toman":
        return 10, pgettext("money", "tomans")
    return 10 ** currency_exponent(currency), currency


def _rials(minor: int, money_unit: str) -> str:
    if money_unit != "toman":
        return pgettext("money", "%(amount)s rials") % {"amount": format_number(minor)}
    tomans = format_number(minor // 10 if minor % 10 == 0 else minor / 10)
    return pgettext("money", "%(amount)s tomans") % {"amount": tomans}


def local_moment(value: datetime) -> datetime:
    """``value`` on the organization's clock; at the ends of the calendar there may be no such time, and it stays as it is."""
    try:
        return timezone.localtime(value)
    except (OverflowError, ValueError):
        return value


def format_day(value: date | datetime | None) -> str:
    """A date in words: ``Nov 20, 2026`` or ``۲۹ آبان ۱۴۰۵``."""
    if value is None:
        return ""
    day = local_moment(value).date() if isinstance(value, datetime) and timezone.is_aware(value) else value
    if not is_persian():
        return date_format(day, "M j, Y")
    jalali = jalali_day(day.date() if isinstance(day, datetime) else day)
    if jalali is None:
        return digits(day.isoformat()[:10])
    return digits(f"{jalali.day} {JALALI_MONTHS[jalali.month - 1]} {jalali.year}")


def format_time(value: datetime) -> str:
    """The time of day, in the organization's time zone."""
    return digits(local_moment(value).strftime("%H:%M"))


def format_moment(value: datetime | None) -> str:
    """A date with its time, in the organization's time zone."""
    if value is None:
        return ""
    return _("%(day)s, %(time)s") % {"day": format_day(local_moment(value).date()), "time": format_time(value)}


def format_relative(value: datetime) -> str:
    """``3 hours ago`` for what is near, its date for the rest."""
    if abs((timezone.now() - value).days) >= RELATIVE_DAYS:
        return format_day(value)
    return digits(str(naturaltime(value)))


def jalali_day(value: date) -> JalaliDate | None:
    """A date in the Jalali calendar, which begins in 622 and ends before ours does."""
    try:
        return JalaliDate(value)  # type: ignore[no-untyped-call]  # untyped there
    except ValueError:
        return None


def jalali_input(value: date) -> str:
    """A date as the Jalali date field shows it."""
    return digits(str(jalali_day(value) or value))


__all__ = [
    "digits",
    "format_day",
    "format_moment",
    "format_money",
    "format_number",
    "format_percent",
    "format_relative",
    "format_time",
    "in_one_run",
    "in_week_order",
    "is_persian",
    "jalali_day",
    "jalali_input",
    "local_moment",
]
