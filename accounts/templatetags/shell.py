"""Filters and components of the shell: ``{% load shell %}``."""

from datetime import date, datetime
from typing import Any

from django import template
from django.forms.utils import ErrorList
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts import formats

register = template.Library()
# Parameters of Django's messages about numbers that are too small, too large or too long.
_LIMITS = {"limit_value", "max"}


@register.filter
def number(value: Any, decimals: int | None = None) -> str:
    """``{{ count|number }}``: thousands grouped, digits of the reader's language."""
    return formats.format_number(value, decimals)


@register.filter
def digits(text: str) -> str:
    """``{{ words|digits }}``: text of others in the digits of the reader's language."""
    return formats.digits(text)


@register.filter
def told(errors: ErrorList) -> list[str]:
    """``{{ field.errors|told }}``: what is wrong; a limit that Django names is in the digits of the reader's language."""
    return [digits(words) if _LIMITS & set(error.params or ()) else words for error in errors.as_data() for words in error.messages]


@register.filter
def percent(part: Any, whole: Any = None) -> str:
    """``{{ opened|percent:delivered }}`` or ``{{ rate|percent }}``; a dash without a whole."""
    return formats.format_percent(part, whole)


@register.filter
def money(minor: int | None, home: Any) -> str:
    """``{{ total_minor|money:seat }}``; also takes a currency code or anything with ``currency``."""
    if isinstance(home, str):
        return formats.format_money(minor, home or "USD")
    return formats.format_money(minor, getattr(home, "currency", "USD"), getattr(home, "money_unit", "currency"))


@register.filter
def day(value: date | datetime | None) -> str:
    """``{{ birthday|day }}``: a date in the reader's calendar."""
    return formats.format_day(value)


@register.filter
def exact(value: datetime | None) -> str:
    """``{{ at|exact }}``: date and time in the reader's calendar."""
    return formats.format_moment(value)


@register.filter
def clock(value: datetime) -> SafeString:
    """``{{ visit.starts_at|clock }}``: the time of a day that is known, with the date on hover."""
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', value.isoformat(), formats.format_moment(value), formats.format_time(value)
    )


@register.filter
def moment(value: datetime | None) -> SafeString | str:
    """``{{ at|moment }}``: how long ago, with the exact moment on hover and for screen readers."""
    if value is None:
        return "–"
    return format_html(
        '<time datetime="{}" title="{}">{}<span class="sr-only"> ({})</span></time>',
        value.isoformat(),
        formats.format_moment(value),
        formats.format_relative(value),
        formats.format_moment(value),
    )


@register.simple_tag(takes_context=True)
def toggled_query(context: template.Context, name: str, value: str) -> str:
    """``{% toggled_query "who" chip.key %}``: this page's query with a value switched on or off, back on its first page."""
    query = context["request"].GET.copy()
    query.pop("page", None)
    values = query.getlist(name)
    query.setlist(name, [one for one in values if one != value] if value in values else [*values, value])
    return f"?{query.urlencode()}"


@register.inclusion_tag("shell/chart.html")
def chart(identifier: str, title: str, data: dict[str, Any], kind: str = "bar") -> dict[str, Any]:
    """``{% chart "opens" _("Opens by hour") data "line" %}``, with its table one button away.

    Args:
        data: ``{"label": "Hour", "labels": [...], "series": [{"name": ..., "values": [...]}, ...]}``
    """
    values = [series["values"] for series in data["series"]]
    rows = [{"label": label, "cells": cells} for label, *cells in zip(data["labels"], *values, strict=True)]
    return {"id": identifier, "data_id": f"{identifier}-data", "title": title, "chart": data, "kind": kind, "rows": rows}
