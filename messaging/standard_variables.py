"""The namespaces that messaging itself knows: the customer, their place, the organization."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import BooleanField, Func, QuerySet, Value
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from accounts.formats import format_day
from accounts.models import Organization
from accounts.tenancy import current_organization_id
from crm.models import AttributeDefinition, AttributeType, Customer
from messaging.content.grammar import is_writable
from messaging.variables import Loading, MadeOnDemand, Namespace, Variable, register

_TEXTS = {
    "first_name": (_("first name"), "Sara"),
    "last_name": (_("last name"), "Ahmadi"),
    "email": (_("e-mail"), "sara@example.org"),
    "phone": (_("phone"), "+12025550123"),
    "city": (_("city"), "Springfield"),
    "state": (_("state or province"), "Illinois"),
    "country": (_("country"), "US"),
    "external_id": (_("customer number"), "C-1007"),
}
_COUNTS = {"visit_count": (_("visits"), 12), "purchase_count": (_("purchases"), 8)}
_DATES = {"last_visit_at": "last_visit_on", "last_purchase_at": "last_purchase_on"}
_SAMPLE_DATE = date(2026, 3, 14)
_ATTRIBUTE_SAMPLES: dict[str, Any] = {
    AttributeType.NUMBER: 42,
    AttributeType.BOOLEAN: True,
    AttributeType.DATE: "Mar 14, 2026",
}


def register_standard_variables() -> None:
    """Called once, when the app is ready."""
    register(Namespace("customer", _("Customer"), _customer_variables, _load_customers))
    register(Namespace("custom", _("Custom attributes"), _custom_variables, _load_custom))
    register(Namespace("location", _("Preferred location"), _location_variables, _load_locations))
    register(Namespace("organization", _("Organization"), _organization_variables, _load_organization))


def write_date(day: date, language: str) -> str:
    """A date as a reader of this language expects it: Jalali in Persian."""
    with override(language):
        return format_day(day)


def _customer_variables() -> Sequence[Variable]:
    return [
        Variable("name", _("whole name"), "Sara Ahmadi"),
        *(Variable(name, label, sample) for name, (label, sample) in _TEXTS.items()),
        Variable("birthday", _("birthday"), write_date(_SAMPLE_DATE, "en")),
        *(Variable(name, label, sample, always=True) for name, (label, sample) in _COUNTS.items()),
        Variable("last_visit_on", _("last visit"), write_date(_SAMPLE_DATE, "en")),
        Variable("last_purchase_on", _("last purchase"), write_date(_SAMPLE_DATE, "en")),
    ]


def _load_customers(loading: Loading) -> Mapping[int, dict[str, Any]]:
    fields = {"first_name", "last_name"} | (loading.names & set(_TEXTS))
    fields |= {"birthday"} & loading.names
    fields |= {f"facts__{name}" for name in loading.names & set(_COUNTS)}
    fields |= {f"facts__{source}" for source, name in _DATES.items() if name in loading.names}
    columns = sorted(fields)
    keys = [_DATES.get(name, name) for name in (column.removeprefix("facts__") for column in columns)]
    dates = {key for key in keys if key == "birthday" or key in _DATES.values()}
    zone = ZoneInfo(_organization().time_zone) if dates - {"birthday"} else None

    def values_of(_customer_id: int, row: tuple[Any, ...]) -> dict[str, Any]:  # runs for every message that leaves
        values = dict(zip(keys, row, strict=False))
        if None in row or "" in row:
            values = {key: value for key, value in values.items() if value is not None and value != ""}
        if dates:
            for key in dates & values.keys():
                values[key] = _written(values[key], loading.language, zone)
        if whole := f"{values.get('first_name', '')} {values.get('last_name', '')}".strip():
            values["name"] = whole
        return values

    customers = _customers(loading)
    if any(column.startswith("facts__") for column in columns):  # everybody has them; each table is read by its own keys
        customers = customers.filter(_is_asked("facts__pk", loading))
    return MadeOnDemand({row[-1]: row for row in customers.values_list(*columns, "pk")}, values_of)


def _customers(loading: Loading) -> QuerySet[Customer]:
    return Customer.objects.order_by().filter(_is_asked("pk", loading))


def _is_asked(key: str, loading: Loading) -> Func:
    """The condition on a key, with all ids as one value: as a thousand parameters they cost more than the rows."""
    ids = Value("{" + ",".join(map(str, loading.customer_ids)) + "}")
    return Func(key, ids, arg_joiner=" = any(", template="%(expressions)s::bigint[])", output_field=BooleanField())


def _written(value: date, language: str, zone: ZoneInfo | None) -> str:
    return write_date(value.astimezone(zone).date() if isinstance(value, datetime) else value, language)


def _custom_variables() -> Sequence[Variable]:
    return [
        Variable(_identifier(definition.key), definition.label, _ATTRIBUTE_SAMPLES.get(definition.type, "…"))
        for definition in AttributeDefinition.objects.all()
    ]


def _load_custom(loading: Loading) -> Mapping[int, dict[str, Any]]:
    declared = AttributeDefinition.objects.values_list("key", "type")
    wanted = {key: kind for key, kind in declared if _identifier(key) in loading.names}
    rows = _customers(loading).values_list("pk", "attributes")
    return {
        pk: {
            _identifier(key): _attribute_value(attributes[key], kind, loading.language)
            for key, kind in wanted.items()
            if attributes.get(key) not in (None, "")
        }
        for pk, attributes in rows
    }


def _identifier(key: str) -> str:
    """Keys are slugs; in a template a hyphen would be a minus, and some words cannot be written at all."""
    name = key.replace("-", "_")
    return name if is_writable(name) else f"attribute_{name}"


def _attribute_value(value: Any, kind: str, language: str) -> Any:
    return write_date(date.fromisoformat(value), language) if kind == AttributeType.DATE else value


def _location_variables() -> Sequence[Variable]:
    return [
        Variable("name", _("name"), "High Street"),
        Variable("address", _("address"), "12 High Street"),
        Variable("phone", _("phone"), "+12025550100"),
    ]


def _load_locations(loading: Loading) -> Mapping[int, dict[str, Any]]:
    names = ("name", "address", "phone")
    rows = (
        _customers(loading).filter(preferred_location__isnull=False).values_list("pk", *(f"preferred_location__{name}" for name in names))
    )
    return {row[0]: {name: value for name, value in zip(names, row[1:], strict=True) if value} for row in rows}


def _organization_variables() -> Sequence[Variable]:
    return [
        Variable("name", _("name"), "Saffron Barbers", always=True),
        Variable("postal_address", _("postal address"), "12 High Street, Springfield", always=True),
        Variable("brand_color", _("brand colour"), "#7c3aed", always=True),
        Variable("logo", _("logo"), "https://example.org/logo.png"),
    ]


def _load_organization(loading: Loading) -> Mapping[int, dict[str, Any]]:
    organization = _organization()
    values = {
        "name": organization.name,
        # On one line: a message folds white space, and a header could not carry more.
        "postal_address": ", ".join(line.strip() for line in organization.postal_address.splitlines() if line.strip()),
        "brand_color": organization.brand_color,
        "logo": organization.logo,
    }
    present = {name: value for name, value in values.items() if value or name == "postal_address"}
    return dict.fromkeys(loading.customer_ids, present)


def _organization() -> Organization:
    return Organization.objects.get(pk=current_organization_id())
