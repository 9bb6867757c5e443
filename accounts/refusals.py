"""Refusals that every floor tells alike."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ValidationError


class StandingError(ValidationError):
    """How a thing stands does not allow what was asked of it, whatever was sent along.

    People are told the message; programs the ``code`` and how it stands (``facts``), as a conflict.
    """

    def __init__(self, message: str, *, code: str = "wrong_state", **facts: Any) -> None:
        super().__init__(message, code=code)
        self.facts = facts


@contextmanager
def collected(refused: dict[str, Any]) -> Iterator[None]:
    """Put what is refused inside beside what was refused before, by field, and go on."""
    try:
        yield
    except ValidationError as error:
        error.update_error_dict(refused)
