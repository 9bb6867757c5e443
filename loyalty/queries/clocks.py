"""The clocks by which days end."""

from functools import cached_property
from zoneinfo import ZoneInfo

from accounts.models import Location
from accounts.queries import current_organization
from accounts.timezones import time_zones
from crm.models import Customer


class Clocks:
    """The clock of a place or of a customer: their own, or the organization's, which is asked for once."""

    @cached_property
    def home(self) -> ZoneInfo:
        """The organization's clock."""
        return ZoneInfo(current_organization().time_zone)

    def of(self, owner: Location | Customer | None) -> ZoneInfo:
        """The clock that decides for an owner."""
        return self.named(owner.time_zone if owner else "")

    def named(self, time_zone: str) -> ZoneInfo:
        """The clock of an owner of whom only the time zone is known, which may be empty or none that exists."""
        return ZoneInfo(time_zone) if time_zone in time_zones() else self.home
