from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.queries import Seat
from crm.forms.fields import MoneyField

DEFAULT_MINOR = 5_000


class SampleForm(forms.Form):
    """The purchase that a preview is about."""

    def __init__(self, data: Any = None, *, seat: Seat) -> None:
        super().__init__(data, initial={"sample": DEFAULT_MINOR})
        self.fields["sample"] = MoneyField(seat=seat, label=_("A purchase of"))
