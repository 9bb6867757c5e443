"""What goes in and comes out of crm's part of the API."""

import json
from typing import Any, cast

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.fields import BirthdayField, BoundedListField, Input, MomentField, MoneyField, Output, PastMomentField
from accounts.formats import format_number
from crm.actions.purchases import MAX_LINES
from crm.answers import purchase_answers
from crm.api.fields import AtLocation, KnownCustomers, LocationField, OfCustomer, StaffField, TimeZoneField, require_customer
from crm.events import MAX_PROPERTIES_BYTES
from crm.models import (
    Channel,
    Consent,
    ConsentChange,
    ConsentState,
    Customer,
    CustomerFacts,
    Event,
    Gender,
    PaymentMethod,
    Purchase,
    PurchaseLine,
    Purpose,
    Visit,
    VisitState,
)

MAX_EVENTS = 500
MAX_QUANTITY = 1_000_000
# Kinds that the product writes itself: an integrator's event must not pass for one of them.
OWN_NOUNS = frozenset(
    [
        "appointment",
        "attribution",
        "campaign",
        "consent",
        "customer",
        "delivery",
        "dispatch",
        "import",
        "journey",
        "loyalty",
        "member",
        "message",
        "points",
        "referral",
        "purchase",
        "review",
        "reward",
        "segment",
        "stamp",
        "survey",
        "tier",
        "voucher",
        "template",
        "visit",
    ]
)


class FactsOutput(Output):
    class Meta:
        model = CustomerFacts
        exclude = ("organization", "customer")


class CustomerOutput(Output):
    facts = serializers.SerializerMethodField(help_text=_("Counted over all locations, so null for a person who is limited to some."))
    attributes = serializers.DictField(read_only=True)

    class Meta:
        model = Customer
        exclude = ("organization", "search_key")

    @extend_schema_field(FactsOutput(allow_null=True))
    def get_facts(self, customer: Customer) -> Any:
        is_limited = self.context["view"].access.location_ids is not None
        return None if is_limited else FactsOutput(customer.facts).data


class CustomerInput(Input):
    """A customer as people type them; e-mail and phone are brought into one spelling."""

    external_id = serializers.CharField(required=False, allow_blank=True, max_length=80)
    first_name = serializers.CharField(required=False, allow_blank=True, max_length=80)
    last_name = serializers.CharField(required=False, allow_blank=True, max_length=80)
    email = serializers.CharField(required=False, allow_blank=True, max_length=254)
    phone = serializers.CharField(required=False, allow_blank=True, max_length=64)
    birthday = BirthdayField(required=False, allow_null=True)
    gender = serializers.ChoiceField(choices=Gender.choices, required=False, allow_blank=True)
    language = serializers.RegexField(r"^([a-z]{2,3}(-[A-Za-z]{2,4})?)?$", required=False, allow_blank=True, max_length=8)
    time_zone = TimeZoneField(required=False, allow_blank=True)
    street = serializers.CharField(required=False, allow_blank=True, max_length=200)
    city = serializers.CharField(required=False, allow_blank=True, max_length=100)
    state = serializers.CharField(required=False, allow_blank=True, max_length=100)
    postal_code = serializers.CharField(required=False, allow_blank=True, max_length=20)
    country = serializers.RegexField(r"^([A-Z]{2})?$", required=False, allow_blank=True, max_length=2)
    tags = BoundedListField(child=serializers.CharField(max_length=60), required=False, max_length=50)
    attributes = serializers.DictField(required=False, help_text=_("All custom attributes; those left out are removed."))
    preferred_location = LocationField(required=False, allow_null=True)
    preferred_staff = StaffField(required=False, allow_null=True)

    def validate_attributes(self, value: dict[str, Any]) -> dict[str, Any]:
        if len(value) > 200:
            raise serializers.ValidationError(_("Give at most 200 attributes."), code="max_length")
        return value


class NewCustomerInput(CustomerInput):
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not any(attrs.get(name) for name in ("external_id", "first_name", "last_name", "email", "phone")):
            raise serializers.ValidationError(_("Give a name, an e-mail address, a phone or a customer number."), code="empty")
        return attrs


class ConsentOutput(Output):
    class Meta:
        model = Consent
        fields = ("id", "customer", "channel", "purpose", "state", "changed_at")


class ConsentChangeOutput(Output):
    class Meta:
        model = ConsentChange
        fields = ("id", "channel", "purpose", "state", "at", "source", "proof")


class ConsentInput(Input):
    """What a customer agreed to or withdrew, and what shows it."""

    channel = serializers.ChoiceField(choices=Channel.choices)
    purpose = serializers.ChoiceField(choices=Purpose.choices)
    state = serializers.ChoiceField(choices=ConsentState.choices)
    proof = serializers.DictField(required=False, help_text=_("The words, the page, the address it came from."))

    def validate_proof(self, value: dict[str, Any]) -> dict[str, Any]:
        return bounded(value)


class ConsentOfCustomerInput(OfCustomer, ConsentInput):
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return require_customer(super().validate(attrs))


class LineOutput(Output):
    class Meta:
        model = PurchaseLine
        exclude = ("organization", "purchase")


class PurchaseOutput(Output):
    class Meta:
        model = Purchase
        exclude = ("organization",)


class PurchaseWithLinesOutput(PurchaseOutput):
    lines = LineOutput(many=True, read_only=True)


class PurchaseAnswerOutput(PurchaseWithLinesOutput):
    """A receipt that was just recorded, and what other apps did about it (``crm.answers``)."""

    def get_fields(self) -> dict[str, Any]:
        done = {one.name: one.serializer(many=True, read_only=True, source=f"answers.{one.name}") for one in purchase_answers()}
        return {**super().get_fields(), **done}


@extend_schema_field({"type": "integer", "minimum": -MAX_QUANTITY, "maximum": MAX_QUANTITY, "not": {"const": 0}})
class QuantityField(serializers.IntegerField):
    """How many; below zero where goods came back."""

    default_error_messages = {"zero": _("A line of no pieces is none: leave it out, or say how many.")}

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=-MAX_QUANTITY, max_value=MAX_QUANTITY, **options)

    def to_internal_value(self, data: Any) -> int:
        if (quantity := int(super().to_internal_value(data))) == 0:
            self.fail("zero")
        return quantity


class LineInput(Input):
    product_code = serializers.CharField(required=False, allow_blank=True, max_length=60)
    description = serializers.CharField(required=False, allow_blank=True, max_length=200)
    category = serializers.CharField(required=False, allow_blank=True, max_length=80)
    quantity = QuantityField(default=1)
    unit_price_minor = MoneyField()


class PurchaseInput(OfCustomer, AtLocation):
    """A receipt; without a customer it is an anonymous sale."""

    number = serializers.CharField(required=False, allow_blank=True, max_length=60)
    purchased_at = PastMomentField(required=False, help_text=_("Now, when left out."))
    currency = serializers.CharField(required=False, max_length=3)
    payment_method = serializers.ChoiceField(choices=PaymentMethod.choices, required=False, allow_blank=True)
    staff = StaffField(required=False, allow_null=True)
    lines: serializers.ListSerializer[Any] = serializers.ListSerializer(child=LineInput(), min_length=1, max_length=MAX_LINES)

    def validate_lines(self, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        MoneyField().run_validators(sum(line["quantity"] * line["unit_price_minor"] for line in lines))
        return lines


class RefundInput(Input):
    amount_minor = MoneyField(smallest=1)
    number = serializers.CharField(required=False, allow_blank=True, max_length=60)
    refunded_at = PastMomentField(required=False, help_text=_("Now, when left out."))


class VisitOutput(Output):
    class Meta:
        model = Visit
        exclude = ("organization",)


class VisitInput(OfCustomer, AtLocation):
    """An appointment, or with the state "completed" a walk-in that has ended."""

    starts_at = MomentField()
    staff = StaffField(required=False, allow_null=True)
    service = serializers.CharField(required=False, allow_blank=True, max_length=120)
    note = serializers.CharField(required=False, allow_blank=True, max_length=2000)
    amount_minor = MoneyField(smallest=0, required=False)
    state = serializers.ChoiceField(choices=VisitState.choices, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = require_customer(super().validate(attrs))
        if attrs.get("state", VisitState.BOOKED) != VisitState.BOOKED:
            PastMomentField().run_validation(attrs["starts_at"].isoformat())
        return attrs


class VisitStateInput(Input):
    state = serializers.ChoiceField(choices=VisitState.choices)


class EventOutput(Output):
    properties = serializers.DictField(read_only=True)

    class Meta:
        model = Event
        fields = ("id", "customer", "kind", "occurred_at", "recorded_at", "source", "properties")


class EventInput(OfCustomer):
    """Something that happened in another system."""

    kind = serializers.RegexField(
        r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){1,2}$",
        max_length=60,
        help_text=_("noun.verb_in_past_tense, such as class.attended; nouns of the product's own events are taken."),
    )
    occurred_at = PastMomentField(required=False, help_text=_("Now, when left out."))
    properties = serializers.DictField(required=False)
    key = serializers.CharField(required=False, max_length=120, help_text=_("Of your own: an event with the same key is recorded once."))

    def validate_kind(self, kind: str) -> str:
        if kind.partition(".")[0] in OWN_NOUNS:
            raise serializers.ValidationError(_("Events of this kind are written by the product itself."), code="reserved")
        return kind

    def validate_properties(self, value: dict[str, Any]) -> dict[str, Any]:
        return bounded(value)


class EventBatchInput(Input):
    events: serializers.ListSerializer[Any] = serializers.ListSerializer(child=EventInput(), min_length=1, max_length=MAX_EVENTS)

    def to_internal_value(self, data: Any) -> Any:
        events = data.get("events") if isinstance(data, dict) else None
        if isinstance(events, list) and len(events) <= MAX_EVENTS:
            cast("dict[str, Any]", self.context)["known_customers"] = KnownCustomers.named_in(events)
        return super().to_internal_value(data)


class EventBatchOutput(serializers.Serializer[Any]):
    recorded = serializers.IntegerField()
    duplicates = serializers.IntegerField(help_text="Events whose key was recorded before.")


class EventReceiptOutput(serializers.Serializer[Any]):
    recorded = serializers.BooleanField(help_text="False: the key was recorded before, and nothing was done.")
    event = EventOutput(allow_null=True)


def bounded(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse free-form properties larger than the log holds."""
    if len(json.dumps(value, ensure_ascii=False).encode()) > MAX_PROPERTIES_BYTES:
        raise serializers.ValidationError(
            _("At most %(most)s bytes of JSON.") % {"most": format_number(MAX_PROPERTIES_BYTES)}, code="max_length"
        )
    return value
