"""Everything the rules need to know to read one file; plain values, so that it can be kept and sent to a process."""

import json
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, Self

from crm.imports.fields import ImportKind
from crm.normalisation.amounts import DateOrder


@dataclass(frozen=True, slots=True)
class AttributeRule:
    """A declared custom attribute."""

    type: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """How the rows of a file become customers or purchases of one organization."""

    kind: ImportKind
    width: int
    columns: dict[str, tuple[int, ...]]
    delimiter: str = ","
    region: str = "US"
    currency: str = "USD"
    time_zone: str = "UTC"
    today: date = date(2000, 1, 1)
    date_order: DateOrder = DateOrder.DAY_FIRST
    email_template: str = ""
    attributes: dict[str, AttributeRule] = field(default_factory=dict)
    locations: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> str:
        """The plan as text."""
        return json.dumps(asdict(self) | {"today": self.today.isoformat()})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The plan that `as_json` wrote."""
        raw: dict[str, Any] = json.loads(text)
        raw |= {
            "kind": ImportKind(raw["kind"]),
            "columns": {name: tuple(indexes) for name, indexes in raw["columns"].items()},
            "today": date.fromisoformat(raw["today"]),
            "date_order": DateOrder(raw["date_order"]),
            "attributes": {key: AttributeRule(rule["type"], tuple(rule["choices"])) for key, rule in raw["attributes"].items()},
        }
        return cls(**raw)
