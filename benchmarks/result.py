"""What a benchmark says: ours, the reference measured beside it, and the ratio of the two."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table, one object of ``benchmarks/results.json``.

    ``ratio`` is ``ours / reference`` for throughputs and for times alike; ``higher_is_better`` says how to read it.
    ``limit`` is what the ratio has to reach (or stay under), ``None`` where nothing is promised.
    """

    name: str
    ours: float
    reference: float
    ratio: float
    unit: str
    higher_is_better: bool
    peak_mb: float
    rows: int
    notes: str = ""
    limit: float | None = None
    extras: dict[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether the promise about the ratio is kept; true where none is made."""
        if self.limit is None:
            return True
        return self.ratio >= self.limit if self.higher_is_better else self.ratio <= self.limit

    def as_json(self) -> dict[str, Any]:
        """The result with its extras on the same level."""
        values = asdict(self)
        extras = values.pop("extras")
        return {**values, "holds": self.holds, **extras}


def measured(
    *,
    name: str,
    ours: float,
    reference: float,
    unit: str,
    higher_is_better: bool,
    peak_mb: float,
    rows: int,
    notes: str = "",
    limit: float | None = None,
    extras: dict[str, Any] | None = None,
) -> Result:
    """A result with its ratio worked out."""
    return Result(name, ours, reference, ours / reference, unit, higher_is_better, peak_mb, rows, notes, limit, extras or {})
