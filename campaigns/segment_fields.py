"""What segments may ask about campaigns: who was sent one, opened it, clicked in it."""

from collections.abc import Sequence

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from campaigns.models import Campaign
from messaging.models import Delivery
from segmentation.fields import EventProperty, SegmentEvent, register_event
from segmentation.rules.operators import ValueType

OFFERED = 200
MAX_DIGITS = 18


def _campaigns() -> list[tuple[str, str]]:
    rows = Campaign.objects.exclude(dispatch=None).order_by("-launched_at").values_list("dispatch_id", "name")
    return [(str(dispatch), name) for dispatch, name in rows[:OFFERED]]


def _older(dispatches: Sequence[str]) -> list[tuple[str, str]]:
    wanted = [int(text) for text in dispatches if text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS]
    return [(str(dispatch), name) for dispatch, name in Campaign.objects.filter(dispatch__in=wanted).values_list("dispatch_id", "name")]


def _sent() -> QuerySet[Delivery]:
    return Delivery.objects.filter(sent_at__isnull=False)


CAMPAIGN = EventProperty("dispatch", _("campaign"), ValueType.REFERENCE, path="dispatch_id", choices=_campaigns, beyond=_older)

# High-volume states live on the ledger alone; what a person did is in the event log.
register_event(
    SegmentEvent(
        "message.sent", _("Message sent"), lambda count: ngettext("sent message", "sent messages", count), (CAMPAIGN,),
        rows=_sent, moment="sent_at",
    )
)  # fmt: skip
register_event(
    SegmentEvent("message.opened", _("Message opened"), lambda count: ngettext("opened message", "opened messages", count), (CAMPAIGN,))
)
register_event(
    SegmentEvent("message.clicked", _("Message clicked"), lambda count: ngettext("clicked message", "clicked messages", count), (CAMPAIGN,))
)
