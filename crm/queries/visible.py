"""Visits, purchases and files of them as far as a member sees them: someone limited to locations sees only those of theirs."""

from collections.abc import Collection

from django.db.models import Q, QuerySet

from accounts.permissions import Access
from crm.models import Event, ImportJob, Purchase, Visit


def visits_for(access: Access) -> QuerySet[Visit]:
    """Visits with what a list shows of them."""
    rows = Visit.objects.select_related("customer", "location", "staff__user")
    return rows if access.location_ids is None else rows.filter(location__in=access.location_ids)


def purchases_for(access: Access) -> QuerySet[Purchase]:
    """Purchases with what a list shows of them."""
    return purchases_within(access.location_ids).select_related("customer", "location", "staff__user")


def purchases_within(location_ids: Collection[int] | None) -> QuerySet[Purchase]:
    """Purchases of some locations, to be summed; all of them for ``None``."""
    return Purchase.objects.all() if location_ids is None else Purchase.objects.filter(location__in=location_ids)


def imports_for(access: Access) -> QuerySet[ImportJob]:
    """Imports; a file of purchases is one of all locations."""
    rows = ImportJob.objects.all()
    return rows if access.location_ids is None else rows.exclude(kind="purchases")


def events_for(access: Access) -> QuerySet[Event]:
    """Events; of visits and purchases only those at the member's locations."""
    if access.location_ids is None:
        return Event.objects.all()
    elsewhere = (Q(kind__startswith="visit.") | Q(kind__startswith="purchase.")) & ~Q(properties__location__in=list(access.location_ids))
    return Event.objects.exclude(elsewhere)
