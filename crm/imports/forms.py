"""What is asked about a file before it is imported."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.permissions import Access
from crm.imports.actions import ImportOptions
from crm.imports.fields import ATTRIBUTE, HEADERS, ImportKind
from crm.imports.plan import Plan
from crm.models import AttributeDefinition, ImportJob
from crm.normalisation.amounts import DateOrder

FIELD_NAMES = {
    "external_id": _("Customer number"), "email": _("E-mail"), "phone": _("Phone"), "first_name": _("First name"), "last_name": _("Last name"),
    "name": _("Full name"), "birthday": _("Birthday"), "gender": _("Gender"), "language": _("Language"), "time_zone": _("Time zone"),
    "street": _("Street"), "city": _("City"), "state": _("State or province"), "postal_code": _("Postal code"), "country": _("Country"),
    "tags": _("Tags"), "preferred_location": _("Preferred location"), "consent_email": _("Agreed to offers by e-mail"),
    "consent_sms": _("Agreed to offers by SMS"), "consent_whatsapp": _("Agreed to offers by WhatsApp"), "number": _("Receipt number"),
    "purchased_at": _("Date of purchase"), "product_code": _("Product code"), "description": _("Product"), "category": _("Category"),
    "quantity": _("Quantity"), "unit_price": _("Unit price"), "amount": _("Amount of the line"), "payment_method": _("Payment method"),
    "location": _("Location"), "customer_name": _("Customer's name"),
}  # fmt: skip
NOTHING = ("", _("– not imported –"))


class UploadForm(forms.Form):
    """A file and what its rows are."""

    kind = forms.ChoiceField(
        label=_("What the rows are"), widget=forms.RadioSelect, initial="customers",
        choices=[("customers", _("Customers, one in each row")), ("purchases", _("Purchases, one line of a receipt in each row"))],
    )  # fmt: skip
    file = forms.FileField(
        label=_("File"), max_length=150, widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,.gz,.xlsx"}),
        help_text=_("CSV (also packed as .gz) or Excel (.xlsx), with the names of the columns in its first row."),
    )  # fmt: skip

    def __init__(self, *args: Any, access: Access, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if access.location_ids is not None:
            # Purchases of a file are of all locations.
            self.fields["kind"].choices = self.fields["kind"].choices[:1]  # type: ignore[attr-defined]  # a choice field


class ColumnsForm(forms.Form):
    """Which column is what, and how the file is read; starts from what was detected."""

    encoding = forms.CharField(
        label=_("Encoding"),
        max_length=40,
        required=False,
        help_text=_("Change it when letters in the preview look wrong, for example to cp1250."),
    )
    date_order = forms.ChoiceField(
        label=_("A date such as 03/04/2025 is"), choices=[(DateOrder.DAY_FIRST, _("3 April")), (DateOrder.MONTH_FIRST, _("4 March"))],
    )  # fmt: skip
    email_template = forms.CharField(
        label=_("Make e-mail addresses from customer numbers"), max_length=120, required=False,
        help_text=_("Only for rehearsals: customer-{id}@example.test. Leave it empty otherwise."),
    )  # fmt: skip

    def __init__(self, *args: Any, job: ImportJob, **kwargs: Any) -> None:
        plan, self.header = Plan.from_json(job.plan["plan"]), list(job.plan["header"])
        kwargs["initial"] = {"encoding": job.encoding, "date_order": plan.date_order, "email_template": plan.email_template}
        super().__init__(*args, **kwargs)
        self.delimiter = job.delimiter
        choices = self._choices(ImportKind(job.kind))
        chosen = {index: field for field, indexes in plan.columns.items() for index in indexes}
        for index, name in enumerate(self.header):
            self.fields[f"column_{index}"] = forms.ChoiceField(label=name, choices=choices, required=False, initial=chosen.get(index, ""))
        if job.format_is_workbook:
            del self.fields["encoding"]
        else:
            self.fields["encoding"].widget.attrs["dir"] = "ltr"
        self.fields["email_template"].widget.attrs["dir"] = "ltr"

    @staticmethod
    def _choices(kind: ImportKind) -> list[tuple[str, Any]]:
        own: list[tuple[str, Any]] = [(field, FIELD_NAMES[field]) for field in HEADERS[kind]]
        if kind is ImportKind.CUSTOMERS:
            own += [(f"{ATTRIBUTE}{row.key}", row.label) for row in AttributeDefinition.objects.all()]
        return [NOTHING, *own]

    def columns(self) -> list[forms.BoundField]:
        """The questions about columns."""
        return [self[f"column_{index}"] for index in range(len(self.header))]

    def others(self) -> list[forms.BoundField]:
        """The questions about the file as a whole."""
        return [self[name] for name in ("encoding", "date_order", "email_template") if name in self.fields]

    def options(self, *, is_dry_run: bool) -> ImportOptions:
        """What was chosen."""
        columns: dict[str, list[str]] = {}
        for index, name in enumerate(self.header):
            if field := self.cleaned_data.get(f"column_{index}"):
                columns.setdefault(field, []).append(name)
        return ImportOptions(
            encoding=self.cleaned_data.get("encoding", ""), delimiter=self.delimiter, columns=columns,
            date_order=self.cleaned_data["date_order"], email_template=self.cleaned_data["email_template"], is_dry_run=is_dry_run,
            guess_columns=False,
        )  # fmt: skip
