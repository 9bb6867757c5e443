"""What can be wrong with rules, as data that pages, API and commands show alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


def gettext_noop(text: str) -> str:
    """Mark a text for the catalogue; the edges translate it, for rules know no language."""
    return text


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend, and where: ``all[1].any[0].value``, or ``""`` for the rules as a whole."""

    path: str
    code: str
    message: str
    params: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The message in English, without its path."""
        return self.message % dict(self.params)

    def __str__(self) -> str:
        return f"{self.path or 'rules'}: {self.text}"


class RulesError(ValueError):
    """Rules that cannot be used; ``problems`` names each fault with the path to its node."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, problems)))
