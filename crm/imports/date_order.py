"""Whether 03/04/2025 is in March or in April, from the other dates of the file."""

import re
from collections.abc import Iterable
from typing import Final

from crm.normalisation import latin_digits
from crm.normalisation.amounts import DateOrder

_DATE: Final = re.compile(r"\s*(\d{1,2})[-/.](\d{1,2})[-/.]\d{4}")
_MONTH_FIRST: Final = frozenset({"US", "PH", "FM", "MH", "PW"})


def guess_date_order(rows: Iterable[list[str]], columns: list[int], region: str) -> DateOrder:
    """A number above 12 tells; without one, the custom of the organization's region does."""
    day_first = month_first = 0
    for cells in rows:
        for column in columns:
            found = _DATE.match(latin_digits(cells[column])) if column < len(cells) else None
            if found is not None:
                day_first += int(found[1]) > 12
                month_first += int(found[2]) > 12
    if day_first != month_first:
        return DateOrder.DAY_FIRST if day_first > month_first else DateOrder.MONTH_FIRST
    return DateOrder.MONTH_FIRST if region in _MONTH_FIRST else DateOrder.DAY_FIRST
