"""Fields of crm's input that several resources share."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.fields import Input, ReferenceField
from accounts.models import Location, Membership
from accounts.timezones import time_zones
from crm.models import Customer
from crm.normalisation.names import clean_text


class TimeZoneField(serializers.CharField):
    default_error_messages = {"unknown": _("This is not a time zone such as Europe/Berlin.")}

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=64, **options)

    def to_internal_value(self, data: Any) -> str:
        name: str = super().to_internal_value(data)
        if name and name not in time_zones():
            self.fail("unknown")
        return name


@extend_schema_field(OpenApiTypes.INT64)
class CustomerField(ReferenceField):
    def __init__(self, **options: Any) -> None:
        super().__init__(queryset=Customer.objects.all(), **options)

    def to_internal_value(self, data: Any) -> Any:
        known: KnownCustomers | None = self.context.get("known_customers")
        if known is None or isinstance(data, bool) or not isinstance(data, int):
            return super().to_internal_value(data)
        if (customer := known.by_id.get(data)) is None:
            self.fail("does_not_exist", pk_value=data)
        return customer


@dataclass(frozen=True, slots=True)
class KnownCustomers:
    """The customers that a batch names, read in two queries instead of two per item."""

    by_id: dict[int, Customer]
    by_number: dict[str, Customer]

    @classmethod
    def named_in(cls, items: Iterable[Any]) -> "KnownCustomers":
        objects = [item for item in items if isinstance(item, dict)]
        ids = {item["customer"] for item in objects if isinstance(item.get("customer"), int)}
        numbers = {clean_text(item["customer_external_id"]) for item in objects if isinstance(item.get("customer_external_id"), str)} - {""}
        return cls(
            Customer.objects.in_bulk(ids) if ids else {},
            {customer.external_id: customer for customer in Customer.objects.filter(external_id__in=numbers)} if numbers else {},
        )


@extend_schema_field(OpenApiTypes.INT64)
class LocationField(ReferenceField):
    """A location at which the caller may act."""

    def __init__(self, **options: Any) -> None:
        super().__init__(queryset=Location.objects.all(), **options)

    def get_queryset(self) -> Any:
        limits = self.context["view"].access.location_ids
        rows = super().get_queryset()
        return rows if rows is None or limits is None else rows.filter(pk__in=limits)


@extend_schema_field(OpenApiTypes.INT64)
class StaffField(ReferenceField):
    def __init__(self, **options: Any) -> None:
        super().__init__(queryset=Membership.objects.filter(is_active=True), **options)


class AtLocation(Input):
    """Something that happens at a location; who is limited to locations says which of theirs."""

    location = LocationField(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("location") is None and self.context["view"].access.location_ids is not None:
            raise serializers.ValidationError({"location": [_("Say at which of your locations.")]}, code="required")
        return super().validate(attrs)  # type: ignore[no-any-return]


class OfCustomer(Input):
    """Something of a customer, named by our id or by the number they have in the caller's system."""

    customer = CustomerField(required=False, allow_null=True)
    customer_external_id = serializers.CharField(required=False, max_length=80, help_text=_("Instead of customer: their customer number."))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if number := attrs.pop("customer_external_id", None):
            if attrs.get("customer") is not None:
                raise serializers.ValidationError({"customer_external_id": [_("Name the customer in one way.")]}, code="ambiguous")
            attrs["customer"] = self._numbered(number)
            if attrs["customer"] is None:
                raise serializers.ValidationError({"customer_external_id": [_("There is no such customer.")]}, code="does_not_exist")
        return attrs

    def _numbered(self, number: str) -> Customer | None:
        number, known = clean_text(number), self.context.get("known_customers")
        return known.by_number.get(number) if known else Customer.objects.filter(external_id=number).first()


def require_customer(attrs: dict[str, Any]) -> dict[str, Any]:
    """Refuse input of something that nobody can do anonymously."""
    if attrs.get("customer") is None:
        raise serializers.ValidationError({"customer": [_("Name the customer.")]}, code="required")
    return attrs
