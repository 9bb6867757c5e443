"""The fields and events that customers have by themselves: profile, address, behaviour, engagement."""

from collections.abc import Callable
from functools import partial

from django.db.models import DateField, Expression, F, Value
from django.db.models.functions import NullIf
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import Location, Membership
from crm.models import Gender, PaymentMethod
from segmentation.expressions import AgeInYears, Numeric
from segmentation.fields import (
    ADDRESS,
    BEHAVIOUR,
    ENGAGEMENT,
    PROFILE,
    Choices,
    EventProperty,
    Label,
    SegmentEvent,
    SegmentField,
    register_event,
    register_field,
)
from segmentation.rules import Clock
from segmentation.rules.operators import ValueType


def register_crm_fields() -> None:
    """Offer everything of ``crm``; called once, when the app is ready."""
    _register_profile()
    _register_behaviour()
    _register_engagement()
    _register_events()


def _column(path: str, clock: Clock) -> F:
    return F(path)


def _field(
    group: Label, key: str, label: Label, kind: ValueType, path: str = "", choices: Choices | None = None, *, known: bool = False
) -> None:
    register_field(SegmentField(key, label, kind, group, partial(_column, path or key), choices, known))


def _register_profile() -> None:
    profile = partial(_field, PROFILE)
    profile("first_name", _("first name"), ValueType.TEXT)
    profile("last_name", _("last name"), ValueType.TEXT)
    profile("email", _("e-mail"), ValueType.TEXT)
    profile("phone", _("phone"), ValueType.TEXT)
    profile("external_id", _("customer number"), ValueType.TEXT)
    profile("gender", _("gender"), ValueType.CHOICE, choices=lambda: Gender.choices)
    profile("language", _("language"), ValueType.TEXT)
    profile("birthday", _("birthday"), ValueType.DATE)
    register_field(SegmentField("age", _("age"), ValueType.NUMBER, PROFILE, _age))
    profile("tags", _("tags"), ValueType.TAGS)
    profile("preferred_location", _("preferred location"), ValueType.REFERENCE, "preferred_location_id", _locations)
    profile("preferred_staff", _("preferred staff member"), ValueType.REFERENCE, "preferred_staff_id", _staff)
    profile("created_at", _("customer since"), ValueType.MOMENT, known=True)
    for key, label in (
        ("city", _("city")),
        ("state", _("state or province")),
        ("postal_code", _("postal code")),
        ("country", _("country")),
    ):
        _field(ADDRESS, key, label, ValueType.TEXT)


def _register_behaviour() -> None:
    fact = partial(_field, BEHAVIOUR)
    fact("visit_count", _("visits"), ValueType.NUMBER, "facts__visit_count", known=True)
    fact("no_show_count", _("no-shows"), ValueType.NUMBER, "facts__no_show_count", known=True)
    fact("first_visit_at", _("first visit"), ValueType.MOMENT, "facts__first_visit_at")
    fact("last_visit_at", _("last visit"), ValueType.MOMENT, "facts__last_visit_at")
    fact("purchase_count", _("purchases"), ValueType.NUMBER, "facts__purchase_count", known=True)
    fact("refund_count", _("refunds"), ValueType.NUMBER, "facts__refund_count", known=True)
    fact("spent", _("spent"), ValueType.MONEY, "facts__spent_minor", known=True)
    register_field(SegmentField("average_order", _("average order"), ValueType.MONEY, BEHAVIOUR, _average_order))
    fact("first_purchase_at", _("first purchase"), ValueType.MOMENT, "facts__first_purchase_at")
    fact("last_purchase_at", _("last purchase"), ValueType.MOMENT, "facts__last_purchase_at")


def _register_engagement() -> None:
    fact = partial(_field, ENGAGEMENT)
    fact("message_count", _("messages sent"), ValueType.NUMBER, "facts__message_count", known=True)
    fact("open_count", _("messages opened"), ValueType.NUMBER, "facts__open_count", known=True)
    fact("click_count", _("messages clicked"), ValueType.NUMBER, "facts__click_count", known=True)
    fact("last_message_at", _("last message"), ValueType.MOMENT, "facts__last_message_at")
    fact("last_open_at", _("last open"), ValueType.MOMENT, "facts__last_open_at")
    fact("last_click_at", _("last click"), ValueType.MOMENT, "facts__last_click_at")


def _age(clock: Clock) -> Expression:
    return AgeInYears(Value(clock.today, DateField()), F("birthday"))


def _average_order(clock: Clock) -> Expression:
    # Refunds are off what was spent, and a refund is no order: what an order leaves in the till on average.
    average: Expression = Numeric(F("facts__spent_minor")) / Numeric(NullIf(F("facts__purchase_count"), 0))
    return average


def _locations() -> list[tuple[str, str]]:
    return [(str(key), name) for key, name in Location.objects.values_list("pk", "name")]


def _staff() -> list[tuple[str, str]]:
    return [(str(member.pk), str(member.user)) for member in Membership.objects.select_related("user")]


def _event(kind: str, label: Label, counted: Callable[[int], str], *properties: EventProperty) -> None:
    register_event(SegmentEvent(kind, label, counted, properties))


def _register_events() -> None:
    service = EventProperty("service", _("service"), ValueType.TEXT)
    location = EventProperty("location", _("location"), ValueType.REFERENCE, choices=_locations)
    visit = (service, EventProperty("amount_minor", _("amount"), ValueType.MONEY), location)
    _event("visit.completed", _("Visit"), lambda count: ngettext("visit", "visits", count), *visit)
    _event("visit.booked", _("Booking"), lambda count: ngettext("booking", "bookings", count), *visit)
    _event("visit.no_show", _("No-show"), lambda count: ngettext("no-show", "no-shows", count), *visit)
    _event("visit.cancelled", _("Cancelled visit"), lambda count: ngettext("cancelled visit", "cancelled visits", count), *visit)
    _register_purchase_events(location)


def _register_purchase_events(location: EventProperty) -> None:
    amount = EventProperty("total_minor", _("amount"), ValueType.MONEY)
    category = EventProperty("categories", _("category"), ValueType.TEXT)
    payment = EventProperty("payment_method", _("payment method"), ValueType.CHOICE, choices=lambda: PaymentMethod.choices)
    _event("purchase.completed", _("Purchase"), lambda count: ngettext("purchase", "purchases", count), amount, category, payment, location)
    _event("purchase.refunded", _("Refund"), lambda count: ngettext("refund", "refunds", count), amount, payment, location)
