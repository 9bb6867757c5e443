"""Events in words: what the timeline of a customer says of each kind.

Other apps add the words of their kinds with ``register_event_words`` from their ``panels`` module.
"""

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.formats import format_money, format_number
from accounts.queries import Seat
from crm.models import Channel, Event, Purpose

Text = str | Promise

# “%(name)s” takes a property of the event; money is shown where the property ends in _minor.
_words: dict[str, tuple[Text, Text]] = {}


def register_event_words(words: dict[str, tuple[Text, Text]]) -> None:
    """Add kinds of events: ``{"message.opened": (_("Opened a message"), _("“%(subject)s”"))}``, a headline and a detail.

    A detail whose property is missing or empty is left out.
    """
    _words.update(words)


@dataclass(frozen=True, slots=True)
class Told:
    """An event as the timeline shows it."""

    event: Event
    headline: str
    detail: str


def tell(event: Event, seat: Seat) -> Told:
    """Put an event into words."""
    headline, detail = _words.get(event.kind, (event.kind.replace(".", ": ").replace("_", " ").capitalize(), ""))
    return Told(event, str(headline), _filled(str(detail), event.properties, seat))


def _filled(pattern: str, properties: dict[str, Any], seat: Seat) -> str:
    shown = {name: _shown(name, value, seat) for name, value in properties.items()}
    try:
        text = pattern % shown
    except (KeyError, ValueError, TypeError):
        return ""
    return text.strip(" ·“”")


def _shown(name: str, value: Any, seat: Seat) -> str:
    if name.endswith("_minor") and isinstance(value, int):
        return format_money(value, seat.currency, seat.money_unit)
    if isinstance(value, int) and not isinstance(value, bool):
        return format_number(value)
    if name == "channel" and value in Channel.values:
        return str(Channel(value).label)
    if name == "purpose" and value in Purpose.values:
        return str(Purpose(value).label)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


register_event_words(
    {
        "customer.created": (_("Became a customer"), ""),
        "customer.changed": (_("Profile changed"), "%(fields)s"),
        "customer.imported": (_("Imported"), ""),
        "consent.granted": (_("Agreed to messages"), "%(channel)s · %(purpose)s"),
        "consent.pending": (_("Asked to confirm"), "%(channel)s · %(purpose)s"),
        "consent.withdrawn": (_("Withdrew their consent"), "%(channel)s · %(purpose)s"),
        "visit.booked": (_("Booked an appointment"), "%(service)s"),
        "visit.arrived": (_("Arrived"), "%(service)s"),
        "visit.completed": (_("Was here"), "%(service)s"),
        "visit.no_show": (_("Did not come"), "%(service)s"),
        "visit.cancelled": (_("Cancelled an appointment"), "%(service)s"),
        "purchase.completed": (_("Bought"), "%(total_minor)s · %(categories)s"),
        "purchase.refunded": (_("Got money back"), "%(total_minor)s"),
    }
)
