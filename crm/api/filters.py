"""Filters of crm's lists."""

import django_filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.api.filters import IdFilter, TextFilter
from accounts.queries import current_organization
from crm.models import Channel, Consent, ConsentState, Customer, Event, PaymentMethod, Purchase, PurchaseKind, Purpose, Visit, VisitState
from crm.queries.search import find_by_any_word, find_customers, kept_email


class CustomerFilter(django_filters.FilterSet):
    search = django_filters.CharFilter(
        method="find", max_length=200, help_text=_("The beginning of a name or e-mail address, a phone number, or a customer number.")
    )
    email = django_filters.CharFilter(method="addressed", max_length=254)
    phone = TextFilter("phone", max_length=16)
    external_id = TextFilter("external_id", max_length=80)
    tag = django_filters.CharFilter(method="tagged", max_length=60)
    created_from = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    created_before = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")
    updated_from = django_filters.IsoDateTimeFilter(field_name="updated_at", lookup_expr="gte")

    class Meta:
        model = Customer
        fields: list[str] = []

    def tagged(self, rows: QuerySet[Customer], name: str, value: str) -> QuerySet[Customer]:
        return rows.filter(tags__contains=[value])

    def addressed(self, rows: QuerySet[Customer], name: str, value: str) -> QuerySet[Customer]:
        return rows.filter(email=kept_email(value))

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
    purchased_from = django_filters.IsoDateTimeFilter(field_name="purchased_at", lookup_expr="gte")
    purchased_before = django_filters.IsoDateTimeFilter(field_name="purchased_at", lookup_expr="lt")

    class Meta:
        model = Purchase
        fields: list[str] = []


class VisitFilter(django_filters.FilterSet):
    customer = IdFilter("customer_id")
    location = IdFilter("location_id")
    staff = IdFilter("staff_id")
    state = django_filters.ChoiceFilter(choices=VisitState.choices)
    starts_from = django_filters.IsoDateTimeFilter(field_name="starts_at", lookup_expr="gte")
    starts_before = django_filters.IsoDateTimeFilter(field_name="starts_at", lookup_expr="lt")

    class Meta:
        model = Visit
        fields: list[str] = []


class TimelineFilter(django_filters.FilterSet):
    kind = TextFilter("kind", max_length=60)
    source = TextFilter("source", max_length=20)
    occurred_from = django_filters.IsoDateTimeFilter(field_name="occurred_at", lookup_expr="gte")
    occurred_before = django_filters.IsoDateTimeFilter(field_name="occurred_at", lookup_expr="lt")

    class Meta:
        model = Event
        fields: list[str] = []


class EventFilter(TimelineFilter):
    customer = IdFilter("customer_id")
