from typing import Any

from django import forms
from django.core.validators import EMPTY_VALUES
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.fields import DayField
from accounts.models import Location, Membership
from accounts.shown_values import ShownValuesMixin
from crm.models import AttributeDefinition, AttributeType, Customer, Gender
from crm.normalisation import split_tags

LANGUAGES = [("", _("Not known")), ("en", _("English")), ("fa", _("Persian"))]
ATTRIBUTE_PREFIX = "attribute_"


class CustomerForm(ShownValuesMixin, forms.Form):
    """A customer's profile as staff fill it in; the action normalises what was typed and says what is wrong."""

    first_name = forms.CharField(label=_("First name"), max_length=80, required=False)
    last_name = forms.CharField(label=_("Last name"), max_length=80, required=False)
    phone = forms.CharField(
        label=_("Phone"),
        max_length=40,
        required=False,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "off"}),
    )
    email = forms.CharField(
        label=_("E-mail"),
        max_length=254,
        required=False,
        widget=forms.TextInput(attrs={"type": "email", "autocomplete": "off"}),
    )
    birthday = DayField(label=_("Birthday"), required=False)
    gender = forms.ChoiceField(label=_("Gender"), choices=[("", _("Not known")), *Gender.choices], required=False)
    language = forms.ChoiceField(
        label=_("Language"),
        choices=LANGUAGES,
        required=False,
        help_text=_("Messages are written in it where a translation exists."),
    )
    tags = forms.CharField(label=_("Tags"), required=False, max_length=600, help_text=_("Separated by commas."))
    preferred_location = forms.ModelChoiceField(
        label=_("Preferred location"),
        queryset=Location.objects.none(),
        required=False,
        empty_label=_("None"),
    )
    preferred_staff = forms.ModelChoiceField(
        label=_("Preferred staff member"),
        queryset=Membership.objects.none(),
        required=False,
        empty_label=_("None"),
    )
    external_id = forms.CharField(label=_("Customer number"), max_length=80, required=False)
    street = forms.CharField(label=_("Street"), max_length=200, required=False)
    city = forms.CharField(label=_("City"), max_length=100, required=False)
    state = forms.CharField(label=_("State or province"), max_length=100, required=False)
    postal_code = forms.CharField(label=_("Postal code"), max_length=20, required=False)

    def __init__(self, *args: Any, customer: Customer | None = None, **kwargs: Any) -> None:
        self.definitions = list(AttributeDefinition.objects.all())
        if customer is not None:
            kwargs["initial"] = _initial(customer) | kwargs.get("initial", {})
        super().__init__(*args, **kwargs)
        for definition in self.definitions:
            self.fields[ATTRIBUTE_PREFIX + definition.key] = _attribute_field(definition)
        self._offer_what_is_kept(customer)
        if customer is not None:
            self.carry_shown_values()

    def _offer_what_is_kept(self, customer: Customer | None) -> None:
        """Among the choices is also what the customer has already and nobody else could choose any more: a closed location, say."""
        here = Q(pk=customer.preferred_location_id) if customer else Q()
        them = Q(pk=customer.preferred_staff_id) if customer else Q()
        self.fields["preferred_location"].queryset = Location.objects.filter(Q(is_active=True) | here)  # type: ignore[attr-defined]
        members = Membership.objects.filter(Q(is_active=True) | them).select_related("user")
        self.fields["preferred_staff"].queryset = members  # type: ignore[attr-defined]
        for name, field in self.fields.items():
            kept = self.initial.get(name)
            if type(field) is forms.ChoiceField and kept:
                offered: Any = field.choices
                if kept not in dict(offered):
                    field.choices = [*offered, (kept, kept)]

    def clean_tags(self) -> list[str]:
        return sorted(split_tags(self.cleaned_data["tags"]))

    def clean(self) -> dict[str, Any]:
        known = [self.cleaned_data.get(name) for name in ("first_name", "last_name", "phone", "email", "external_id")]
        if not self.errors and not any(known):
            raise forms.ValidationError(_("Give at least a name, a phone number or an e-mail address."))
        return self.cleaned_data

    def changed_values(self, customer: Customer | None) -> dict[str, Any]:
        """What the action is to write: of a new customer everything, else only what was changed; the attributes as a whole."""
        given = [name for name, value in self.cleaned_data.items() if value not in EMPTY_VALUES]
        changed = set(self.changed_data if customer else given)
        values = {name: value for name, value in self.cleaned_data.items() if name in changed and not name.startswith(ATTRIBUTE_PREFIX)}
        if any(name.startswith(ATTRIBUTE_PREFIX) for name in changed):
            kept = dict(customer.attributes) if customer else {}
            own = [item for item in self.definitions if ATTRIBUTE_PREFIX + item.key in changed & set(self.cleaned_data)]
            values["attributes"] = kept | {item.key: self._attribute(item) for item in own}
        return values

    def sections(self) -> list[tuple[str, list[forms.BoundField]]]:
        """The fields as the page groups them."""
        own = [ATTRIBUTE_PREFIX + definition.key for definition in self.definitions]
        groups = [
            ("", ["first_name", "last_name", "phone", "email"]),
            (_("About them"), ["birthday", "gender", "language", "tags", *own]),
            (_("With us"), ["preferred_location", "preferred_staff", "external_id"]),
            (_("Address"), ["street", "city", "state", "postal_code"]),
        ]
        return [(str(title), [self[name] for name in names]) for title, names in groups]

    def _attribute(self, definition: AttributeDefinition) -> Any:
        value = self.cleaned_data[ATTRIBUTE_PREFIX + definition.key]
        if definition.type == AttributeType.DATE and value:
            return value.isoformat()
        if definition.type == AttributeType.BOOLEAN:
            return {"true": True, "false": False}.get(value)
        return value


def _initial(customer: Customer) -> dict[str, Any]:
    names = [name for name in CustomerForm.base_fields if name not in ("tags", "preferred_location", "preferred_staff")]
    values = {name: getattr(customer, name) for name in names}
    values |= {"preferred_location": customer.preferred_location_id, "preferred_staff": customer.preferred_staff_id}
    attributes = {ATTRIBUTE_PREFIX + key: _typed(value) for key, value in customer.attributes.items()}
    return values | attributes | {"tags": ", ".join(customer.tags)}


def _typed(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _attribute_field(definition: AttributeDefinition) -> forms.Field:
    label = definition.label
    match definition.type:
        case AttributeType.NUMBER:
            return forms.FloatField(label=label, required=False)
        case AttributeType.DATE:
            return DayField(label=label, required=False)
        case AttributeType.BOOLEAN:
            choices = [("", _("Not known")), ("true", _("Yes")), ("false", _("No"))]
            return forms.ChoiceField(label=label, choices=choices, required=False)
        case AttributeType.CHOICE:
            return forms.ChoiceField(label=label, choices=[("", "–"), *((choice, choice) for choice in definition.choices)], required=False)
        case _:
            return forms.CharField(label=label, max_length=500, required=False)
