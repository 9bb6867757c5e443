from decimal import ROUND_HALF_UP
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.currencies import currency_exponent
from accounts.queries import Seat
from crm.normalisation.amounts import parse_decimal
from crm.normalisation.errors import NormalisationError

LARGEST_MINOR = 10**14


class MoneyField(forms.CharField):
    """An amount as people write it, in any digits; cleaned to minor units of the organization's currency."""

    def __init__(self, *, seat: Seat, **kwargs: Any) -> None:
        self.seat = seat
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "dir": "ltr"})
        super().__init__(max_length=30, widget=widget, **kwargs)

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return None
        try:
            amount = parse_decimal(str(text)) * self._minor_per_unit
        except NormalisationError as error:
            raise ValidationError(_("This is not an amount of money; write it like 12.50.")) from error
        if abs(amount) > LARGEST_MINOR:
            raise ValidationError(_("This amount is too large."))
        return int(amount.quantize(1, rounding=ROUND_HALF_UP))

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, int):
            return value
        per_unit = self._minor_per_unit
        decimals = len(str(per_unit)) - 1
        whole = self.seat.currency == "IRR" and value % per_unit == 0
        return str(value // per_unit) if whole else f"{value / per_unit:.{decimals}f}"

    def run_validators(self, value: Any) -> None:
        # The validators of CharField are for text; the amount was checked above.
        return

    @property
    def _minor_per_unit(self) -> int:
        if self.seat.currency == "IRR" and self.seat.money_unit == "toman":
            return 10
        return int(10 ** currency_exponent(self.seat.currency))
