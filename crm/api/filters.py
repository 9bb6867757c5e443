"""Filters of crm's lists."""

from collections.abc import Callable
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.api.filters import IdFilter, MomentFilter, TextFilter
from accounts.queries import current_organization
from crm.models import Channel, Consent, ConsentState, Customer, Event, PaymentMethod, Purchase, PurchaseKind, Purpose, Visit, VisitState
from crm.normalisation.emails import normalise_email
from crm.normalisation.errors import NormalisationError
from crm.normalisation.names import clean_text
from crm.normalisation.phones import MAX_TEXT, normalise_phone
from crm.queries.search import find_by_any_word, find_customers
from crm.refusals import words_for


def region_phone(text: str) -> str:
    """A phone number as the organization's customers have it."""
    return normalise_phone(text, region=current_organization().region)


class KeptField(forms.CharField):
    """A text as it is kept, however it was typed; one of which nothing could be kept is an error, or it would find everybody."""

    def __init__(self, *, kept: Callable[[str], str], **options: Any) -> None:
        super().__init__(**options)
        self.kept = kept

    def to_python(self, value: Any) -> str:
        if not (text := str(super().to_python(value))):
            return text
        try:
            kept = self.kept(text)
        except NormalisationError as error:
            raise ValidationError(words_for(error), code="invalid") from error
        if not kept:
            raise ValidationError(self.error_messages["required"], code="invalid")
        return kept


class KeptFilter(TextFilter):
    """Exactly this text, as it is kept."""

    field_class = KeptField


class CustomerFilter(django_filters.FilterSet):
    search = django_filters.CharFilter(
        method="find", max_length=200, help_text=_("The beginning of a name or e-mail address, a phone number, or a customer number.")
    )
    email = KeptFilter("email", kept=normalise_email)
    phone = KeptFilter("phone", kept=region_phone, max_length=MAX_TEXT)
    external_id = KeptFilter("external_id", kept=clean_text, max_length=80)
    tag = KeptFilter("tags", kept=clean_text, method="tagged", max_length=60)
    created_from = MomentFilter(field_name="created_at", lookup_expr="gte")
    created_before = MomentFilter(field_name="created_at", lookup_expr="lt")
    updated_from = MomentFilter(field_name="updated_at", lookup_expr="gte")

    class Meta:
        model = Customer
        fields: list[str] = []

    def tagged(self, rows: QuerySet[Customer], name: str, value: str) -> QuerySet[Customer]:
        return rows.filter(tags__contains=[value])

    def find(self, rows: QuerySet[Customer], name: str, value: str) -> QuerySet[Customer]:
        found = find_customers(value, region=current_organization().region, at_most=None).order_by()
        if not found.exists():
            found = find_by_any_word(value).order_by()
        return rows.filter(pk__in=found.values("pk"))


class ConsentFilter(django_filters.FilterSet):
    customer = IdFilter("customer_id")
    channel = django_filters.ChoiceFilter(choices=Channel.choices)
    purpose = django_filters.ChoiceFilter(choices=Purpose.choices)
    state = django_filters.ChoiceFilter(choices=ConsentState.choices)

    class Meta:
        model = Consent
        fields: list[str] = []


class PurchaseFilter(django_filters.FilterSet):
    customer = IdFilter("customer_id")
    location = IdFilter("location_id")
    refund_of = IdFilter("refund_of_id")
    kind = django_filters.ChoiceFilter(choices=PurchaseKind.choices)
    number = TextFilter("number", max_length=60)
    payment_method = django_filters.ChoiceFilter(choices=PaymentMethod.choices)
    purchased_from = MomentFilter(field_name="purchased_at", lookup_expr="gte")
    purchased_before = MomentFilter(field_name="purchased_at", lookup_expr="lt")

    class Meta:
        model = Purchase
        fields: list[str] = []


class VisitFilter(django_filters.FilterSet):
    customer = IdFilter("customer_id")
    location = IdFilter("location_id")
    staff = IdFilter("staff_id")
    state = django_filters.ChoiceFilter(choices=VisitState.choices)
    starts_from = MomentFilter(field_name="starts_at", lookup_expr="gte")
    starts_before = MomentFilter(field_name="starts_at", lookup_expr="lt")

    class Meta:
        model = Visit
        fields: list[str] = []


class TimelineFilter(django_filters.FilterSet):
    kind = TextFilter("kind", max_length=60)
    source = TextFilter("source", max_length=20)
    occurred_from = MomentFilter(field_name="occurred_at", lookup_expr="gte")
    occurred_before = MomentFilter(field_name="occurred_at", lookup_expr="lt")

    class Meta:
        model = Event
        fields: list[str] = []


class EventFilter(TimelineFilter):
    customer = IdFilter("customer_id")
