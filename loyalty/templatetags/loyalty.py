"""Filters of loyalty's pages: ``{% load loyalty %}``."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django import template

from accounts.formats import format_day
from loyalty.rules.months import last_day as local_day
from loyalty.rules.months import last_moment

register = template.Library()


@register.filter
def last_day(expires_at: datetime | None, zone: ZoneInfo | None = None) -> str:
    """``{{ lot.expires_at|last_day:zone }}``: the last day on which points can be spent, where the member is or else the reader."""
    if expires_at is None:
        return ""
    return format_day(local_day(expires_at, zone) if zone else last_moment(expires_at))
