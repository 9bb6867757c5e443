"""Input and output pieces that every resource uses: strict objects, moments in UTC, money, references."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiSerializerExtension
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

MAX_MONEY = 10**15
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)


class Input(serializers.Serializer[Any]):
    """An object of the request; a field it does not know is an error, not a shrug."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := [name for name in data if name not in self.fields]):
            message = _("This field is not known here.")
            raise serializers.ValidationError({name: [ErrorDetail(str(message), code="unknown_field")] for name in unknown})
        return super().to_internal_value(data)


class StrictInputSchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]  # registers itself
    """Says in the schema what ``Input`` does."""

    target_class = "accounts.api.fields.Input"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        if schema.get("type") == "object":
            schema["additionalProperties"] = False
        return schema


class MomentField(serializers.DateTimeField):
    """A point in time: ISO 8601, answered in UTC; without an offset it is read as UTC."""

    default_error_messages = {
        "too_early": _("Give a time after {limit}."),
        "too_late": _("Give a time before {limit}."),
    }

    def __init__(
        self, *, earliest: datetime = EARLIEST, latest: datetime = LATEST, at_most_ahead: timedelta | None = None, **options: Any
    ) -> None:
        self.earliest, self.latest, self.at_most_ahead = earliest, latest, at_most_ahead
        super().__init__(default_timezone=UTC, **options)

    def to_internal_value(self, value: Any) -> datetime:
        if not isinstance(value, str):
            self.fail("invalid", format="2026-03-31T14:05:00Z")
        try:
            moment: datetime = super().to_internal_value(value)
        except OverflowError:
            self.fail("overflow", timezone="UTC")
        latest = self.latest if self.at_most_ahead is None else min(self.latest, timezone.now() + self.at_most_ahead)
        if moment < self.earliest:
            self.fail("too_early", limit=self.earliest.date())
        if moment > latest:
            self.fail("too_late", limit=latest.isoformat(timespec="seconds"))
        return moment.astimezone(UTC)


class PastMomentField(MomentField):
    """When something happened; a clock that runs a day ahead is forgiven."""

    def __init__(self, **options: Any) -> None:
        super().__init__(at_most_ahead=timedelta(days=1), **options)


class BirthdayField(serializers.DateField):
    default_error_messages = {"impossible": _("Give a day in the past, at most 130 years ago.")}

    def to_internal_value(self, value: Any) -> date:
        day: date = super().to_internal_value(value)
        today = timezone.now().date()
        if not today.year - 130 <= day.year or day > today:
            self.fail("impossible")
        return day


class MoneyField(serializers.IntegerField):
    """An amount in minor units."""

    def __init__(self, *, smallest: int = -MAX_MONEY, **options: Any) -> None:
        super().__init__(min_value=smallest, max_value=MAX_MONEY, **options)


class BoundedListField(serializers.ListField):
    """A list whose length is looked at before its items are: each may cost a query."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, list) and self.max_length is not None and len(data) > self.max_length:
            message = _("Give at most {most} items.").format(most=self.max_length)
            raise serializers.ValidationError(message, code="max_length")
        return super().to_internal_value(data)


class ReferenceField(serializers.PrimaryKeyRelatedField[Any]):
    """The id of a row of the caller's organization (and, for locations, of those the caller is limited to)."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("incorrect_type", data_type=type(data).__name__)
        return super().to_internal_value(data)


class Output(serializers.ModelSerializer[Any]):
    """What is answered of a model; times in UTC."""

    serializer_field_mapping = {**serializers.ModelSerializer.serializer_field_mapping, models.DateTimeField: MomentField}
