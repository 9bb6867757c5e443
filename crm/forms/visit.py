from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.fields import MomentField
from accounts.models import Location, Membership
from accounts.permissions import Access
from accounts.queries import Seat
from crm.forms.fields import MoneyField
from crm.models import VisitState

STATES = [
    (VisitState.COMPLETED, _("Done: they were here")),
    (VisitState.ARRIVED, _("Here now")),
    (VisitState.BOOKED, _("Booked for later")),
]


def locations_of(access: Access) -> Any:
    """The open locations in which this person may record something."""
    locations = Location.objects.filter(is_active=True)
    return locations if access.location_ids is None else locations.filter(pk__in=access.location_ids)


class PlaceMixin(forms.Form):
    """Where and by whom; a single location is chosen already, and who is limited to some has to name one."""

    location = forms.ModelChoiceField(label=_("Location"), queryset=Location.objects.none(), required=False, empty_label=_("None"))
    staff = forms.ModelChoiceField(
        label=_("Staff member"), queryset=Membership.objects.none(), required=False, empty_label=_("Nobody in particular")
    )

    def place(self, access: Access) -> None:
        """Limit the choices to what this person may use."""
        locations = locations_of(access)
        field: Any = self.fields["location"]
        field.queryset = locations
        field.required = access.location_ids is not None
        known = list(locations[:2])
        if len(known) == 1:
            field.initial = known[0].pk
        staff: Any = self.fields["staff"]
        staff.queryset = Membership.objects.filter(is_active=True).select_related("user")


class VisitForm(PlaceMixin):
    """A visit that just ended, one in progress, or an appointment."""

    service = forms.CharField(label=_("Service"), max_length=120, required=False)
    state = forms.ChoiceField(label=_("How it stands"), choices=STATES, widget=forms.RadioSelect, initial=VisitState.COMPLETED)
    starts_at = MomentField(label=_("When"))
    note = forms.CharField(
        label=_("Note"),
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("What the next colleague should know."),
    )

    field_order = ("service", "state", "starts_at", "location", "staff", "amount_minor", "note")

    def __init__(self, *args: Any, access: Access, seat: Seat, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.place(access)
        self.fields["amount_minor"] = MoneyField(seat=seat, label=_("Amount"), required=False)
        self.order_fields(self.field_order)

    def clean_amount_minor(self) -> int:
        return int(self.cleaned_data["amount_minor"] or 0)
