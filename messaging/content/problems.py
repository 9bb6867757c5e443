"""What can be wrong with a message, as data that pages, API and commands show alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext as _


class Severity(StrEnum):
    """An error stops the message from being sent; a warning is only told."""

    ERROR = "error"
    WARNING = "warning"


class Part(StrEnum):
    """The part of the message that a problem was found in."""

    SUBJECT = "subject"
    PREHEADER = "preheader"
    HTML = "html"
    TEXT = "text"
    MESSAGE = "message"

    @property
    def label(self) -> str:
        """The name of its field on the page of a template."""
        labels = {Part.SUBJECT: _("Subject"), Part.PREHEADER: _("Preview text"), Part.TEXT: _("Text part")}
        return labels.get(self, _("Message"))


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing an author has to mend, with the place where it is."""

    code: str
    message: str
    part: Part
    line: int | None = None
    name: str = ""
    severity: Severity = Severity.ERROR

    def as_dict(self) -> dict[str, str | int | None]:
        """The form the API answers with."""
        return {
            "code": self.code,
            "message": self.message,
            "part": self.part.value,
            "line": self.line,
            "name": self.name,
            "severity": self.severity.value,
        }


def errors_of(problems: Iterable[Problem]) -> list[Problem]:
    """Only those that stop the message from being sent."""
    return [problem for problem in problems if problem.severity is Severity.ERROR]


class MessageRejectedError(ValueError):
    """A message cannot be compiled; `problems` says why, in the author's words."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.message for problem in problems))


class RenderError(Exception):
    """One recipient's message cannot be made; the others are not concerned.

    `reason` is a stable code for the delivery ledger, `detail` is for people.
    """

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")
