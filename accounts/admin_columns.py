"""How admin lists and read-only forms show moments, days, money and counts: as the reader writes them."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.db import models
from django.http import HttpRequest

from accounts.formats import format_day, format_moment, format_money, format_number
from accounts.permissions import access_of

Shown = str | Callable[..., Any]


def readable(model: type[models.Model], names: Sequence[Shown], request: HttpRequest) -> list[Shown]:
    """The columns, with those of moments, days, money and counts in words; all others as they are."""
    return [_readable(model, name, request) for name in names]


def readable_fieldsets(model: type[models.Model], fieldsets: Any, fixed: Sequence[Shown], request: HttpRequest) -> Any:
    """Fieldsets in which those fields that cannot be edited (``fixed``) are in words."""

    def shown(name: Any) -> Any:
        if isinstance(name, list | tuple):
            return tuple(shown(one) for one in name)
        return _readable(model, name, request) if name in fixed else name

    return [(title, {**options, "fields": [shown(name) for name in options["fields"]]}) for title, options in fieldsets]


def name_relations(model: type[models.Model]) -> None:
    """Let relations that have no name of their own be called like what they lead to."""
    for field in model._meta.concrete_fields:
        if isinstance(field, models.ForeignKey) and field.verbose_name == field.name.replace("_", " "):
            field.verbose_name = field.related_model._meta.verbose_name or field.verbose_name


def _readable(model: type[models.Model], name: Shown, request: HttpRequest) -> Shown:
    # Django compares the columns it is given at several places, so a request has one for each.
    made: dict[tuple[type[models.Model], Shown], Shown] = request.__dict__.setdefault("readable_columns", {})
    key = (model, name)
    if key not in made:
        made[key] = _column(model, name, request)
    return made[key]


def _column(model: type[models.Model], name: Shown, request: HttpRequest) -> Shown:
    field = next((one for one in model._meta.concrete_fields if one.name == name), None)
    if field is None or not (words := _words_for(field, request)):
        return name

    def column(obj: models.Model) -> str:
        return words(getattr(obj, field.name), obj)

    column.short_description = field.verbose_name  # type: ignore[attr-defined]  # read by Django's admin
    column.admin_order_field = field.name  # type: ignore[attr-defined]  # read by Django's admin
    column.__name__ = field.name
    return column


def _words_for(field: Any, request: HttpRequest) -> Callable[[Any, Any], str] | None:
    if isinstance(field, models.DateTimeField):
        return lambda value, _obj: format_moment(value) if isinstance(value, datetime) else "–"
    if isinstance(field, models.DateField):
        return lambda value, _obj: format_day(value) or "–"
    if field.name.endswith("_minor"):
        currency, unit = _home(request)
        return lambda value, obj: format_money(value, getattr(obj, "currency", None) or currency, unit)
    if isinstance(field, models.IntegerField) and not (field.primary_key or field.choices or field.name.endswith("_id")):
        return lambda value, _obj: format_number(value)
    return None


def _home(request: HttpRequest) -> tuple[str, str]:
    access = access_of(request)
    seats = getattr(request, "seats", [])
    seat = next((one for one in seats if access and one.organization_id == access.organization_id), None)
    return (seat.currency, seat.money_unit) if seat else ("USD", "currency")
