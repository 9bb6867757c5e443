"""The table that ``make bench`` prints."""

from typing import Any

HEAD = ("benchmark", "ours", "reference", "ratio", "promised", "holds", "peak MB", "rows", "unit")


def table(results: list[dict[str, Any]]) -> str:
    """One line per benchmark, columns aligned; notes below."""
    lines = [HEAD, *(_line(result) for result in results)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    text = [
        "  ".join(_padded(cell, width, column) for column, (cell, width) in enumerate(zip(line, widths, strict=True))) for line in lines
    ]
    text.insert(1, "  ".join("-" * width for width in widths))
    notes = [f"{result['name']}: {result['notes']}" for result in results if result["notes"]]
    return "\n".join([*text, *([""] if notes else []), *notes])


def _line(result: dict[str, Any]) -> tuple[str, ...]:
    limit = result["limit"]
    promised = "-" if limit is None else f"{'≥' if result['higher_is_better'] else '≤'} {limit:g}"
    return (
        result["name"],
        _figure(result["ours"]),
        _figure(result["reference"]),
        f"{result['ratio']:.2f}",
        promised,
        "yes" if result["holds"] else "NO",
        f"{result['peak_mb']:.0f}",
        f"{result['rows']:,}",
        result["unit"],
    )


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _padded(cell: str, width: int, column: int) -> str:
    # Words at their start, figures at their end.
    return cell.ljust(width) if column in (0, len(HEAD) - 1) else cell.rjust(width)
