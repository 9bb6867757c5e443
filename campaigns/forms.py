"""The form of a campaign, in its five steps, and the small ones of its page."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

from accounts.fields import MomentField, NumberField
from accounts.formats import format_number
from campaigns.actions.trying import MAX_ADDRESSES
from campaigns.models import AudienceMode, Campaign
from crm.models import Channel, Purpose
from messaging.models import MessageTemplate, SenderAccount
from segmentation.models import Segment


class CampaignForm(forms.Form):
    """Everything a draft says; only the name has to be there, the rest is asked for at the launch."""

    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("Only your team sees it."))
    purpose = forms.ChoiceField(
        label=_("Purpose"),
        choices=Purpose.choices,
        help_text=_("Offers and requests for feedback go only to those who agreed to them."),
    )
    include = forms.ModelMultipleChoiceField(
        label=_("Send to"),
        queryset=Segment.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Customers in any of these segments. None chosen: every customer."),
    )
    exclude = forms.ModelMultipleChoiceField(
        label=_("But leave out"), queryset=Segment.objects.none(), required=False, widget=forms.CheckboxSelectMultiple
    )
    template = forms.ModelChoiceField(label=_("Template"), queryset=MessageTemplate.objects.none(), required=False)
    account = forms.ModelChoiceField(label=_("Sender"), queryset=SenderAccount.objects.none(), required=False)
    scheduled_at = MomentField(
        label=_("Start at"), required=False, help_text=_("In the time zone of the organization. Empty: you start it yourself.")
    )
    attribution_days = NumberField(
        label=_("Purchases count for"),
        min_value=1,
        max_value=90,
        initial=7,
        help_text=_("Days after a click, or else an open."),
    )

    def __init__(self, *args: Any, campaign: Campaign | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        segments = Segment.objects.order_by("name")
        for name in ("include", "exclude"):
            self._field(name).queryset = segments
        templates = MessageTemplate.objects.filter(channel=Channel.EMAIL)
        kept = Q(archived_at=None) if campaign is None else Q(archived_at=None) | Q(campaigns=campaign)
        self._field("template").queryset = templates.filter(kept).distinct()
        self._field("account").queryset = SenderAccount.objects.filter(channel=Channel.EMAIL, is_active=True)

    def _field(self, name: str) -> forms.ModelChoiceField[Any]:
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)
        return field

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        both = set(values.get("include") or ()) & set(values.get("exclude") or ())
        if both:
            self.add_error(
                "exclude", ValidationError(_("“%(name)s” cannot be included and excluded at once."), params={"name": min(map(str, both))})
            )
        return values


def initial_of(campaign: Campaign) -> dict[str, Any]:
    """What the form of a draft shows at first."""
    rows = list(campaign.audiences.all())
    return {
        "name": campaign.name,
        "purpose": campaign.purpose,
        "include": [row.segment_id for row in rows if row.mode == AudienceMode.INCLUDE],
        "exclude": [row.segment_id for row in rows if row.mode == AudienceMode.EXCLUDE],
        "template": campaign.template_id,
        "account": campaign.account_id,
        "scheduled_at": campaign.scheduled_at,
        "attribution_days": campaign.attribution_days,
    }


def _addresses_at_most() -> str:
    return _("Up to %(most)s addresses, with commas between.") % {"most": format_number(MAX_ADDRESSES)}


class TestForm(forms.Form):
    """Where a test goes, and as whom it is rendered."""

    __test__ = False  # not for pytest

    addresses = forms.CharField(
        label=_("Send a test to"), max_length=600, help_text=lazy(_addresses_at_most, str)(),
        widget=forms.TextInput(attrs={"dir": "ltr", "autocomplete": "email", "inputmode": "email"}),
    )  # fmt: skip
    customer = forms.CharField(
        label=_("As this customer would see it"),
        max_length=100,
        required=False,
        help_text=_("Name, phone or e-mail. Empty: made-up values."),
    )

    def clean_addresses(self) -> list[str]:
        text: str = self.cleaned_data["addresses"]
        return [part.strip() for part in text.replace(";", ",").replace("\n", ",").split(",") if part.strip()]
