"""Who sees what in crm's admin, beyond permissions."""

from django.http import HttpRequest

from accounts.permissions import access_of


def sees_all_locations(request: HttpRequest) -> bool:
    """Whether what is counted over all locations may be shown: not to those who may see only some."""
    access = access_of(request)
    return access is not None and access.location_ids is None
