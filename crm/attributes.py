"""Custom attributes: declared by the organization, checked on every write."""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from crm.models import AttributeDefinition, AttributeType
from crm.normalisation.names import clean_text

MAX_TEXT = 500


def validate_attributes(values: Any, kept_before: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """Return the attributes with their declared types; a value of ``None`` or ``""`` removes the attribute.

    Args:
        kept_before: what stays as it is fits, whatever has been declared since.

    Raises:
        ValidationError: for ``attributes``, naming each undeclared key and each value of a wrong type.
    """
    if not isinstance(values, dict):
        raise ValidationError({"attributes": _("Give an object of keys and values.")})
    if not values:
        return {}
    definitions = {definition.key: definition for definition in AttributeDefinition.objects.all()}
    kept: dict[str, Any] = {}
    problems: list[str] = []
    for key, value in values.items():
        definition = definitions.get(key)
        if definition is not None and definition.type == AttributeType.TEXT and isinstance(value, str):
            value = clean_text(value)
        if value is None or value == "":
            continue
        if key in kept_before and kept_before[key] == value and type(kept_before[key]) is type(value):  # 1 equals True
            kept[key] = value
        elif definition is None:
            problems.append(_("“%(key)s” is not declared.") % {"key": str(key)[:60]})
        elif not is_of_type(value, definition):
            problems.append(_("“%(key)s” has to be of type %(type)s.") % {"key": key, "type": definition.get_type_display()})
        else:
            # Segments compare days in this one spelling; others, such as 20240501, are days too.
            kept[key] = date.fromisoformat(value).isoformat() if definition.type == AttributeType.DATE else value
    if problems:
        raise ValidationError({"attributes": problems})
    return kept


def is_of_type(value: Any, definition: AttributeDefinition) -> bool:
    """Whether a JSON value fits the declared type; dates are ISO 8601 text."""
    match definition.type:
        case AttributeType.TEXT:
            return isinstance(value, str) and len(value) <= MAX_TEXT
        case AttributeType.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case AttributeType.BOOLEAN:
            return isinstance(value, bool)
        case AttributeType.DATE:
            return isinstance(value, str) and _is_date(value)
        case _:
            return value in definition.choices


def _is_date(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True
