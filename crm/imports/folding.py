"""Rows of one file that name the same person become one row, exactly as if they were taken one after the other.

A row belongs to the person its strongest known identity names: customer number, then e-mail, then phone. Where a
stronger identity says otherwise, or a weaker one is another person's, the row is refused rather than guessed about.
Of two values for one field the later row's counts; an empty cell never wipes what an earlier row said, and a yes
never takes back an earlier no to messages.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from crm.imports.customer_rows import IDENTITIES
from crm.normalisation.names import name_key

TAKEN: Final = {
    "external_id": "The customer number belongs to another person, in row %(first)s.",
    "email": "The e-mail address belongs to another person, in row %(first)s.",
    "phone": "The phone number belongs to another person, in row %(first)s.",
}
_JOINED: Final = ("attributes", "consents")


@dataclass(slots=True)
class Group:
    """Rows of one person so far: where it began and what is known."""

    first_row: int
    values: dict[str, Any]
    size: int = 1


@dataclass(slots=True)
class Folded:
    """What became of the rows: merged groups, rows taken into an earlier one, rows refused with the identity that is of another row."""

    groups: list[Group] = field(default_factory=list)
    absorbed: dict[int, int] = field(default_factory=dict)
    refused: dict[int, tuple[str, int]] = field(default_factory=dict)


class Folder:
    """Takes rows in the order of the file."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Group]] = {kind: {} for kind in IDENTITIES}
        self._groups: list[Group] = []
        self.folded = Folded()

    def take(self, row: int, values: dict[str, Any]) -> None:
        """Fold one row into the group it names, or begin one."""
        found = next(
            ((kind, self._known[kind][values[kind]]) for kind in IDENTITIES if values[kind] and values[kind] in self._known[kind]), None
        )
        if found is None:
            group = Group(row, dict(values))
            self._groups.append(group)
        else:
            kind, group = found
            if (clash := self._clash(kind, group, values)) is not None:
                self.folded.refused[row] = clash
                return
            merge(group.values, values)
            group.size += 1
            self.folded.absorbed[row] = group.first_row
        for kind in IDENTITIES:
            if group.values[kind]:
                self._known[kind][group.values[kind]] = group

    def result(self) -> Folded:
        """Everything taken so far."""
        self.folded.groups = [group for group in self._groups if group.size > 1]
        return self.folded

    def _clash(self, kind: str, group: Group, values: dict[str, Any]) -> tuple[str, int] | None:
        place = IDENTITIES.index(kind)
        for stronger in IDENTITIES[:place]:
            if values[stronger] and group.values[stronger] and values[stronger] != group.values[stronger]:
                return kind, group.first_row
        for weaker in IDENTITIES[place + 1 :]:
            other = self._known[weaker].get(values[weaker]) if values[weaker] else None
            if other is not None and other is not group:
                return weaker, other.first_row
        return None


def merge(into: dict[str, Any], values: dict[str, Any]) -> None:
    """Let the later row's values stand over the earlier's; empty ones say nothing."""
    for name, value in values.items():
        if value is None:
            continue
        if name in _JOINED and into[name]:
            withdrawn = {key: state for key, state in into[name].items() if name == "consents" and state == "withdrawn"}
            into[name] = {**into[name], **value, **withdrawn}
        elif name == "tags" and into[name]:
            into[name] = [*into[name], *(tag for tag in value if tag not in into[name])]
        else:
            into[name] = value
    into["search_key"] = name_key(into["first_name"] or "", into["last_name"] or "") or None
