from django import forms
from django.utils.translation import gettext_lazy as _


class ProgramForm(forms.Form):
    """What a program and its points are called."""

    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("It stands on the members' cards."))
    points_name = forms.CharField(label=_("Name of a point"), max_length=40, initial=_("points"))
