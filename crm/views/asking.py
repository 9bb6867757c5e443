"""What the pages of customers share: who asks, and the rows that their address names."""

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from accounts.permissions import Access, access_of
from accounts.queries import Seat
from crm.models import Customer


def asking(request: HttpRequest) -> Access:
    """The access of whoever asks; pages guarded by ``requires`` always have one."""
    access = access_of(request)
    assert access is not None
    return access


def seat_of(request: HttpRequest) -> Seat:
    """The seat in which they work."""
    access = asking(request)
    seats: list[Seat] = request.seats  # type: ignore[attr-defined]  # set by OrganizationMiddleware
    return next(seat for seat in seats if seat.organization_id == access.organization_id)


def customer_or_404(pk: int, *, lock: bool = False) -> Customer:
    """The customer with what their page shows; other organizations' are not there."""
    rows = Customer.objects.select_related("facts", "preferred_location", "preferred_staff__user")
    if lock:
        rows = rows.select_for_update(of=("self",))
    return get_object_or_404(rows, pk=pk)
