"""Form fields for numbers in any digits, and for days and moments in the reader's calendar: Jalali in Persian, kept Gregorian."""

import re
from datetime import date, datetime, time
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.utils import from_current_timezone
from django.utils.translation import gettext_lazy as _
from persiantools.digits import ar_to_fa, fa_to_en
from persiantools.jdatetime import JalaliDate

from accounts.formats import digits, format_day, is_persian, jalali_input, local_moment

FIRST_GREGORIAN_YEAR = 1700
EARLIEST_DAY, LATEST_DAY = date(FIRST_GREGORIAN_YEAR, 1, 1), date(2199, 12, 31)
# The API has the same bounds, see accounts.api.fields.
EARLIEST_MOMENT_ON, LATEST_MOMENT_ON = date(2000, 1, 1), date(2099, 12, 31)
PERSIAN_EXAMPLE = "1403-01-31"


class NumberField(forms.IntegerField):
    """A whole number as people write it, with or without separators; browsers' own number inputs take no Persian digits."""

    widget = forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"})

    def to_python(self, value: Any) -> int | None:
        return super().to_python(re.sub(r"[\s,٬']", "", _latin(value)) if isinstance(value, str) else value)


class DayInput(forms.DateInput):
    """The browser's own picker, or the Jalali one where the page is Persian (its script is in the shell)."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        widget = context["widget"]
        if is_persian():
            widget["type"] = "text"
            widget["attrs"] |= {
                "data-jalali-datepicker": "true",
                "autocomplete": "off",
                "inputmode": "numeric",
                "dir": "ltr",
                "data-digits": "farsi",
                "placeholder": digits(PERSIAN_EXAMPLE),
            }
        else:
            widget["type"] = "date"
        return context

    def format_value(self, value: Any) -> str | None:
        if isinstance(value, datetime):
            value = local_moment(value).date()
        if isinstance(value, date):
            return jalali_input(value) if is_persian() else value.isoformat()
        return str(value) if value else None


class DayField(forms.DateField):
    """A date; in Persian years before 1700 are Jalali."""

    widget = DayInput
    default_error_messages = {
        "invalid": _("This is not a date; write it like %(example)s."),
        "out_of_bounds": _("Give a day between %(earliest)s and %(latest)s."),
    }

    def __init__(self, *, earliest: date = EARLIEST_DAY, latest: date = LATEST_DAY, **kwargs: Any) -> None:
        self.earliest, self.latest = earliest, latest
        super().__init__(**kwargs)

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value is not None and not self.earliest <= value <= self.latest:
            bounds = {"earliest": format_day(self.earliest), "latest": format_day(self.latest)}
            raise ValidationError(self.error_messages["out_of_bounds"], code="out_of_bounds", params=bounds)

    def to_python(self, value: Any) -> date | None:
        if value in self.empty_values:
            return None
        if isinstance(value, datetime):
            return value.date()
        if isinstance(value, date):
            return value
        text = _latin(str(value)).replace("/", "-")
        try:
            year, month, day = map(int, text.split("-"))
            if is_persian() and year < FIRST_GREGORIAN_YEAR:
                return JalaliDate(year, month, day).to_gregorian()  # type: ignore[no-untyped-call]  # untyped there
            return date(year, month, day)
        except ValueError as error:
            example = digits(PERSIAN_EXAMPLE) if is_persian() else "2025-04-20"
            raise ValidationError(self.error_messages["invalid"], code="invalid", params={"example": example}) from error


class MomentInput(forms.MultiWidget):
    """A day and a time of the day."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        day = DayInput(attrs={"aria-label": _("Date"), **(attrs or {})})
        clock = forms.TimeInput(format="%H:%M", attrs={"type": "time", "aria-label": _("Time"), **(attrs or {})})
        super().__init__([day, clock])

    def decompress(self, value: Any) -> list[Any]:
        if not value:
            return [None, None]
        local = local_moment(value)
        return [local.date(), local.time().replace(second=0, microsecond=0)]


class MomentField(forms.MultiValueField):
    """A moment in the organization's time zone."""

    widget = MomentInput

    def __init__(self, **kwargs: Any) -> None:
        day = DayField(earliest=EARLIEST_MOMENT_ON, latest=LATEST_MOMENT_ON)
        super().__init__(fields=(day, forms.TimeField()), require_all_fields=True, **kwargs)

    def compress(self, data_list: list[Any]) -> datetime | None:
        if not data_list or None in data_list:
            return None
        day, clock = data_list
        moment: datetime = from_current_timezone(datetime.combine(day, clock or time()))
        return moment


def _latin(text: str) -> str:
    return str(fa_to_en(ar_to_fa(text.strip())))
