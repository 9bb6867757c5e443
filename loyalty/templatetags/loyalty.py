"""Filters of loyalty's pages: ``{% load loyalty %}``."""

from datetime import datetime

from django import template

from accounts.formats import format_day
from loyalty.rules.months import last_moment

register = template.Library()


@register.filter
def last_day(expires_at: datetime | None) -> str:
    """``{{ lot.expires_at|last_day }}``: the last day on which points can be spent."""
    return format_day(last_moment(expires_at)) if expires_at else ""
