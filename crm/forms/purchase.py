from typing import Any

from django import forms
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from accounts.fields import MomentField, NumberField
from accounts.formats import format_money
from accounts.permissions import Access
from accounts.queries import Seat
from crm.actions import NewLine
from crm.forms.fields import MoneyField
from crm.forms.visit import PlaceMixin
from crm.models import PaymentMethod

MOST_QUANTITY = 100_000


class SaleForm(PlaceMixin):
    """A receipt without its lines."""

    purchased_at = MomentField(label=_("When"))
    payment_method = forms.ChoiceField(label=_("Paid by"), choices=[("", _("Not known")), *PaymentMethod.choices], required=False)
    number = forms.CharField(label=_("Receipt number"), max_length=60, required=False)

    field_order = ("payment_method", "location", "staff", "purchased_at", "number")

    def __init__(self, *args: Any, access: Access, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.place(access)
        self.order_fields(self.field_order)


class LineForm(forms.Form):
    """One line of a receipt; an empty one is left out."""

    description = forms.CharField(label=_("What"), max_length=200, required=False)
    category = forms.CharField(label=_("Category"), max_length=80, required=False)
    quantity = NumberField(label=_("How many"), min_value=1, max_value=MOST_QUANTITY, initial=1, required=False)

    field_order = ("description", "category", "quantity", "price")

    def __init__(self, *args: Any, seat: Seat, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["price"] = MoneyField(seat=seat, label=_("Price of one"), required=False)
        self.order_fields(self.field_order)

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if data.get("price") is None and (data.get("description") or data.get("category")) and "price" not in self.errors:
            self.add_error("price", _("What does it cost?"))
        if (data.get("price") or 0) < 0:
            self.add_error("price", _("A price cannot be below zero; goods that come back are a refund."))
        return data

    @property
    def line(self) -> NewLine | None:
        """The line as the action takes it; nothing for an empty one."""
        data = self.cleaned_data
        if data.get("price") is None:
            return None
        return NewLine(
            unit_price_minor=data["price"],
            quantity=data.get("quantity") or 1,
            description=data["description"],
            category=data["category"],
        )


class BaseLines(forms.BaseFormSet[LineForm]):
    """The lines of a receipt: at least one with a price."""

    def clean(self) -> None:
        if not any(self.errors) and not self.lines:
            raise forms.ValidationError(_("Give at least one line with a price."))

    @cached_property
    def lines(self) -> list[NewLine]:
        """What was bought."""
        return [form.line for form in self.forms if form.line is not None]


LineFormSet = forms.formset_factory(LineForm, formset=BaseLines, extra=1, max_num=500, absolute_max=500)


class RefundForm(forms.Form):
    """How much is given back."""

    number = forms.CharField(label=_("Receipt number of the refund"), max_length=60, required=False)

    def __init__(self, *args: Any, seat: Seat, left_minor: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seat, self.left_minor = seat, left_minor
        self.fields["amount_minor"] = MoneyField(seat=seat, label=_("Amount"), initial=left_minor)
        self.order_fields(["amount_minor", "number"])

    def clean_amount_minor(self) -> int:
        amount: int = self.cleaned_data["amount_minor"]
        if not 0 < amount <= self.left_minor:
            left = format_money(self.left_minor, self.seat.currency, self.seat.money_unit)
            raise forms.ValidationError(_("More than nothing and at most %(left)s can be given back."), params={"left": left})
        return amount
