"""Filters of lists: the bounds that every filter set shares, and its errors as problem details of parameters."""

from datetime import UTC
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_filters.fields import IsoDateTimeField
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema_field
from rest_framework.exceptions import ErrorDetail

from accounts.api.errors import ParameterError
from accounts.api.parsing import MAX_INTEGER


class StrictFilterBackend(DjangoFilterBackend):
    """A filter with an impossible value is an error that names its parameter."""

    def filter_queryset(self, request: Any, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        filterset = self.get_filterset(request, queryset, view)
        if filterset is None:
            return queryset
        if not filterset.is_valid():
            raise ParameterError(
                {
                    name: [ErrorDetail(" ".join(item.messages), code=item.code or "invalid") for item in errors]
                    for name, errors in filterset.errors.as_data().items()
                }
            )
        rows: QuerySet[Any] = filterset.qs
        return rows


class IdField(forms.IntegerField):
    """Digits and nothing else; Python reads ``1_0`` as ten."""

    def to_python(self, value: Any) -> int | None:
        if value not in self.empty_values and not str(value).strip().removeprefix("-").isdecimal():
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


@extend_schema_field({"type": "integer", "format": "int64", "minimum": 1})
class IdFilter(django_filters.NumberFilter):
    """Rows that refer to the row with this id; ids that cannot exist are errors."""

    field_class = IdField

    def __init__(self, field_name: str, **options: Any) -> None:
        super().__init__(field_name=field_name, min_value=1, max_value=MAX_INTEGER, **options)

    def get_max_validator(self) -> None:
        return None


class UtcMomentField(IsoDateTimeField):
    """A point in time; without an offset it is read as UTC, as in bodies, wherever the asking person is."""

    def to_python(self, value: Any) -> Any:
        with timezone.override(UTC):
            return super().to_python(value)


class MomentFilter(django_filters.IsoDateTimeFilter):
    field_class = UtcMomentField


class FlagField(forms.Field):
    """``true`` or ``false``; browsers' own field takes everything else for no answer."""

    words = {"true": True, "false": False}
    default_error_messages = {"invalid": _("Write true or false.")}

    def to_python(self, value: Any) -> bool | None:
        if value in self.empty_values:
            return None
        if (word := str(value).lower()) not in self.words:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return self.words[word]


class FlagFilter(django_filters.BooleanFilter):
    """Yes or no; anything else is an error."""

    field_class = FlagField


class TextFilter(django_filters.CharFilter):
    """Exactly this text, as short as any column."""

    def __init__(self, field_name: str, **options: Any) -> None:
        super().__init__(field_name=field_name, **{"max_length": 254, **options})
