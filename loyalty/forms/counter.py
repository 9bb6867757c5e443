"""The counter's forms: how many points, why, and a token by which a form counts once."""

import re
import secrets
from typing import Any, Final

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from accounts.fields import NumberField
from loyalty.models import Program, ProgramState
from loyalty.rules.postings import MAX_POINTS

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")
REASONS: Final = (
    _("Goodwill"),
    _("The card was forgotten"),
    _("A mistake is put right"),
)


def new_token() -> str:
    """What tells one showing of a form from another."""
    return secrets.token_urlsafe(18)


class PointsField(NumberField):
    """A number of points."""

    default_error_messages = {"invalid": _("This is not a number of points.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=MAX_POINTS, **kwargs)


class TokenForm(forms.Form):
    """A form that counts once, however often it is sent."""

    token = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data)
        self.fields["token"].initial = new_token

    def clean_token(self) -> str:
        token: str = self.cleaned_data["token"]
        if not _TOKEN.fullmatch(token):
            raise forms.ValidationError(_("This form is damaged. Nothing was changed; please open the page again."))
        return token

    def renewed(self) -> None:
        """Show what was typed again, as a form that was not sent yet."""
        self.data = {**dict(self.data.items()), "token": new_token()}


class RedeemForm(TokenForm):
    """Points that are spent."""

    amount = PointsField(label=_("How many points"))
    reason = forms.CharField(label=_("For what"), max_length=200, required=False)


class ReasonForm(TokenForm):
    """Points that are given or taken, and why."""

    amount = PointsField(label=_("How many points"))
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        widget=forms.TextInput(attrs={"list": "reasons", "dir": "auto"}),
        help_text=_("It stands in the history, which the member can see."),
    )


class EnrolForm(forms.Form):
    """Which program a customer joins."""

    program = forms.ModelChoiceField(label=_("Program"), queryset=Program.objects.none(), empty_label=None, widget=forms.RadioSelect)

    def __init__(self, *args: Any, customer_id: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        programs = Program.objects.filter(state=ProgramState.ACTIVE).exclude(members__customer=customer_id)
        field = self.fields["program"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = programs
        field.initial = programs.first()
