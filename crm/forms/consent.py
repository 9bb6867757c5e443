from django import forms
from django.utils.translation import gettext_lazy as _

from crm.models import Channel, ConsentState, Purpose
from crm.origins import HOW_TOLD


class ConsentForm(forms.Form):
    """What a customer said about being written to, and how we know."""

    channel = forms.ChoiceField(label=_("Channel"), choices=Channel.choices)
    purpose = forms.ChoiceField(label=_("Purpose"), choices=Purpose.choices)
    state = forms.ChoiceField(
        label=_("They"),
        choices=[(ConsentState.GRANTED, _("agreed")), (ConsentState.WITHDRAWN, _("withdrew it"))],
        widget=forms.RadioSelect,
    )
    how = forms.ChoiceField(label=_("How they told us"), choices=HOW_TOLD)
    words = forms.CharField(
        label=_("What was said or signed"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Kept as the proof; it cannot be changed later."),
    )
