"""The lists of customers that the page offers as chips."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm.models import Channel, Consent, ConsentState, Customer, Purpose

Narrow = Callable[[QuerySet[Customer], datetime], QuerySet[Customer]]


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that can be read back as part of a sentence: “Customers who …”."""

    key: str
    words: str | Promise
    narrow: Narrow


def _consent(rows: QuerySet[Customer], _now: datetime) -> QuerySet[Customer]:
    granted = Consent.objects.filter(
        customer=OuterRef("pk"),
        channel=Channel.EMAIL,
        purpose=Purpose.MARKETING,
        state=ConsentState.GRANTED,
    )
    return rows.filter(Exists(granted))


CHIPS = (
    Chip("recent", _("came in the last 30 days"), lambda rows, now: rows.filter(facts__last_visit_at__gte=now - timedelta(days=30))),
    Chip("quiet", _("have not come for 90 days"), lambda rows, now: rows.filter(facts__last_visit_at__lt=now - timedelta(days=90))),
    Chip("never", _("never came"), lambda rows, _now: rows.filter(facts__visit_count=0)),
    Chip("new", _("are new in the last 30 days"), lambda rows, now: rows.filter(created_at__gte=now - timedelta(days=30))),
    Chip("regular", _("came at least 5 times"), lambda rows, _now: rows.filter(facts__visit_count__gte=5)),
    Chip("email", _("agreed to e-mail offers"), _consent),
)


def narrowed(rows: QuerySet[Customer], keys: list[str], now: datetime) -> tuple[QuerySet[Customer], list[Chip]]:
    """The rows that fit every chosen chip, and the chips that were chosen; unknown keys are left out."""
    chosen = [chip for chip in CHIPS if chip.key in keys]
    for chip in chosen:
        rows = chip.narrow(rows, now)
    return rows, chosen
