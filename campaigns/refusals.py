"""Why something cannot be done with a campaign, in words for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext as _


class Severity(StrEnum):
    """An error stops the launch, a warning is only told."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class CampaignProblem:
    """One thing that has to be mended, and where: name, audience, message, sender or schedule."""

    code: str
    message: str
    place: str
    severity: Severity = Severity.ERROR
    line: int | None = None

    def as_dict(self) -> dict[str, str | int | None]:
        """The form the API answers with."""
        return {"code": self.code, "message": self.message, "place": self.place, "severity": self.severity.value, "line": self.line}


class CampaignRefusedError(Exception):
    """Nothing was changed; the message says why."""


class CampaignStateError(CampaignRefusedError):
    """The campaign is not in a state in which this can be done."""


class CampaignNotReadyError(CampaignRefusedError):
    """The campaign has errors; ``problems`` lists them."""

    def __init__(self, problems: Sequence[CampaignProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__(_("This campaign is not ready: %(reasons)s") % {"reasons": " ".join(problem.message for problem in problems)})


def errors_of(problems: Sequence[CampaignProblem]) -> list[CampaignProblem]:
    """Only those that stop the launch."""
    return [problem for problem in problems if problem.severity is Severity.ERROR]
