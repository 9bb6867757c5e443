"""By whose code somebody came, as staff type it and as friends say it themselves."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from crm.models import Channel


class CodeForm(forms.Form):
    """A friend's code, however it is written."""

    code = forms.CharField(
        label=_("Code of the friend who sent them"),
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters", "dir": "ltr"}),
    )


class JoinForm(forms.Form):
    """Who a friend is, and whether they want to be written to."""

    first_name = forms.CharField(label=_("First name"), max_length=80, widget=forms.TextInput(attrs={"autocomplete": "given-name"}))
    last_name = forms.CharField(
        label=_("Last name"), max_length=80, required=False, widget=forms.TextInput(attrs={"autocomplete": "family-name"})
    )
    email = forms.CharField(
        label=_("E-mail"), max_length=254, required=False, widget=forms.TextInput(attrs={"type": "email", "autocomplete": "email"})
    )
    phone = forms.CharField(
        label=_("Phone"), max_length=40, required=False, widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"})
    )
    wants_messages = forms.BooleanField(label=_("Send me offers and news"), required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not cleaned.get("email") and not cleaned.get("phone"):
            raise forms.ValidationError(_("Please leave an e-mail address or a phone number."))
        return cleaned

    @property
    def identity(self) -> dict[str, str]:
        """Who they say they are."""
        return {name: self.cleaned_data[name] for name in ("first_name", "last_name", "email", "phone") if self.cleaned_data[name]}

    @property
    def channels(self) -> list[Channel]:
        """Where they want to be written to."""
        if not self.cleaned_data["wants_messages"]:
            return []
        given = {Channel.EMAIL: "email", Channel.SMS: "phone"}
        return [channel for channel, name in given.items() if self.cleaned_data[name]]
