"""Why a value or a row was refused, in the reader's language; the rules themselves know no languages."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import get_language, gettext

from accounts.formats import digits
from crm.normalisation.errors import NormalisationError


def words_for(error: NormalisationError) -> str:
    """The reason in words."""
    return told(error.code, error.message, error.parameters)


def told(code: str, message: str, parameters: Mapping[str, Any]) -> str:
    """A sentence of the rules with what it names; one of the address library, which no catalogue has, is told by its code."""
    words = gettext(message)
    if code == "email_invalid" and words == message and not (get_language() or "en").startswith("en"):
        words = gettext("This is not a valid e-mail address.")
    return (
        words % {name: digits(str(value)) if isinstance(value, int) else value for name, value in parameters.items()}
        if parameters
        else words
    )
